"""Cuts the Z → µµ sample of scikit-hep-testdata into files, as a collaboration's dataset would be stored."""

import zlib
from pathlib import Path
from typing import Any

import uproot


def cut(sample: Path, into: Path, files: int = 12) -> list[dict[str, Any]]:
    """Write the sample's events into files of contiguous ranges; name, size, adler32, events and first run of each.

    ValueError when there would be files without events.
    """
    into.mkdir(parents=True, exist_ok=True)
    with uproot.open(sample) as source:
        events = source["events"]
        if not 1 <= files <= events.num_entries:
            raise ValueError(f"{events.num_entries} events cannot be cut into {files} files with events in each")
        edges = [number * events.num_entries // files for number in range(files + 1)]
        return [
            write(events, edges[number], edges[number + 1], into / f"f{number:02d}.root") for number in range(files)
        ]


def write(events: Any, first: int, last: int, path: Path) -> dict[str, Any]:
    """Write a range of events into a file, and describe the file."""
    content = events.arrays(entry_start=first, entry_stop=last)
    with uproot.recreate(path) as target:
        # Assignment would write an RNTuple (uproot >= 5.7); the sample is a TTree, and so are its pieces.
        tree = target.mktree("events", {name: content[name].type.content for name in content.fields})
        tree.extend({name: content[name] for name in content.fields})
    written = path.read_bytes()
    told = {"events": last - first, "run": int(content["Run"].to_numpy().min())}
    return {"name": path.name, "size": len(written), "adler32": f"{zlib.adler32(written):08x}", **told}
