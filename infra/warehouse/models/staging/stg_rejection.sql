{{ rows_of('rejection', holdout=false) }}
