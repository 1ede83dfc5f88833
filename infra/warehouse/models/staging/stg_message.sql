{{ rows_of('message') }}
