"""`make bench`: the conversion kernel beside other engines, on the same data, in one run.

Every engine runs in a process of its own, pinned to as many cores as are compared; CPU seconds are those of its whole
process tree. What it wrote is then compared with the source by a reader that shares no code with the kernel.
"""
