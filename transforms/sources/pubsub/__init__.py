"""Pub/Sub as a source: client, leases, reader, and the Beam source."""
