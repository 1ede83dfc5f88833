"""One HTML page with charts and tables from the results of a replay or of the streaming job."""
