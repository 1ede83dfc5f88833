"""Compiled flows, and what the control log says as of any instant."""
