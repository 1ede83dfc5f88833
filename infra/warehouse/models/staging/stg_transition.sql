{{ rows_of('transition') }}
