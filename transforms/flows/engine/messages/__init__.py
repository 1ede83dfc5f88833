"""Communications: planning, send policy, statuses, inbound messages, cost."""
