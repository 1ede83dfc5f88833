{{ rows_of('communication') }}
