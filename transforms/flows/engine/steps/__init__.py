"""What each step does when a session reaches it, and what ends its wait."""
