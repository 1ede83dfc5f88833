"""The core: values in, values out.

Nothing here reads a clock, draws a number, does I/O or knows a runner.
"""
