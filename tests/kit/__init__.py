"""What the tests use and nothing else does."""
