"""A Flink cluster as its users operate it: local processes, Flink's client and its REST interface.

Nothing here imports PyFlink, which has an environment of its own.
"""
