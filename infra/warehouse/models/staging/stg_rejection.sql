{{ rows_of('rejection', holdout=false, without=['detail']) }}
