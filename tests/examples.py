"""How many examples a property is tried with: few at every run, EXAMPLES times as many where somebody asks."""

import os

TIMES = int(os.environ.get("EXAMPLES", "1"))


def examples(few: int) -> int:
    """How many to try where a run at every change tries `few`."""
    return few * TIMES
