"""The writers of the control log, and what an operator does with it."""
