"""The user's data: profile, audiences, participants and visits."""
