"""Records on the wire: the envelope of events, mappings of tables, messages of topics, rows of schemas.

Only ``arrow`` needs Arrow; Avro needs fastavro, which is imported where it is used.
"""
