"""Values of a file read by their forms: the table of them all, and a module for each subject."""
