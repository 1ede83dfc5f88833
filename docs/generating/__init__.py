"""The reference pages, each read off the code that it describes."""
