"""The sequential merge that anyone would write with uproot: the peer of the bench `merge`.

One part after the other, as hadd does: histograms are added as `hist` objects, trees are read whole and appended.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import uproot


def main(merged: Path) -> None:
    """Merge the parts that GLIDEROUTE_INPUTS lists."""
    listing = json.loads(Path(os.environ["GLIDEROUTE_INPUTS"]).read_bytes())
    sums: dict[str, Any] = {}
    with uproot.recreate(merged) as target:
        for entry in listing:
            with uproot.open(entry["path"]) as source:
                for key, kind in source.classnames(cycle=False).items():
                    if kind == "TTree":
                        append(target, key, source[key], key in sums)
                        sums[key] = None
                    elif kind.startswith("TH"):
                        found = source[key].to_hist()
                        sums[key] = sums[key] + found if key in sums else found
        for key, total in sums.items():
            if total is not None:
                target[key] = total


def append(target: Any, key: str, tree: Any, there: bool) -> None:
    """Append a tree as a whole."""
    counters = {branch.count_branch.name for branch in tree.branches if branch.count_branch is not None}
    found = tree.arrays(filter_name=lambda name: name not in counters)
    if not there:
        target.mktree(key, {name: found[name].type.content for name in found.fields})
    target[key].extend({name: found[name] for name in found.fields})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
