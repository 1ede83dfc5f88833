"""The triggers of a flow: one file a family, and the closed union of them all."""
