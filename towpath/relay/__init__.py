"""Relays: processes that carry records between Kafka and what the job on Flink does not reach itself."""
