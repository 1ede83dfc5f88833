{{ rows_of('message', without=['address', 'data', 'tracking']) }}
