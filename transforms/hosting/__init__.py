"""What every host shares: receive, run, dead letters, catalogs, following a control log."""
