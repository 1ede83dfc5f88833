{{ rows_of('conversion') }}
