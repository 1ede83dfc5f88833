"""What every host shares: ``receive``, ``run``, dead letters, catalogs, the control log, the sandbox.

Nothing here needs Beam, Flink, Arrow or fastavro.
"""
