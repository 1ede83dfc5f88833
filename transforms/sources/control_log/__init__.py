"""The control log as a worker reads it: a file, an object, or Redis."""
