{{ rows_of('call') }}
