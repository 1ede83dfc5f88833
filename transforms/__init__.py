"""What runs inside a pipeline: the core in ``flows`` and the records' way in and out."""
