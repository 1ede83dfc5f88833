"""Applies a signal to what is known of the user: profile, audiences, participants, goals."""
