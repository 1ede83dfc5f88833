"""What ``towpath replay`` does around the pipeline: checks its inputs, judges its size, splits it."""
