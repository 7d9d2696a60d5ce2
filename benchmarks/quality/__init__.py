"""The quality bench: what different brokerage policies make of the same jobs, by simulation.

`python -m benchmarks quality --scenario Q2 --policies ours,panda,overflow --seeds 10 --jobs 20000`
"""

from benchmarks.quality.command import main

__all__ = ["main"]
