{{ rows_of('communication', without=['data']) }}
