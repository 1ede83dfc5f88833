"""What the results of a replay show: per flow, per week and per user, as text and pictures."""
