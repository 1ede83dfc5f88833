{{ rows_of('call', without=['inputs', 'headers']) }}
