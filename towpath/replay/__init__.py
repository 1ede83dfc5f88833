"""What ``towpath replay`` does around the pipeline: checks inputs, estimates size, splits it."""
