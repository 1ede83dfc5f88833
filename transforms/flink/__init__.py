"""The host on Flink: thin functions of a PyFlink job in thread mode, around ``transforms.hosting``."""
