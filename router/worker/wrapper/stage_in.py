"""Stage-in: how an input is got at, the best way first, and the list that the payload reads."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.worker.wrapper.description import Input, Job, Replica
from router.worker.wrapper.exit_codes import Failure
from router.worker.wrapper.reading import adler32_copy, local_path, open_replica, size_at
from router.worker.wrapper.report import elapsed
from router.worker.wrapper.storage_rules import destinations, read_storage

INPUTS = "glideroute_inputs"
READ_MB_S = (100.0, 0.5)
"""What a job reads from its own site's storage, and from elsewhere, where the glidein does not say: the broker's."""


@dataclass(frozen=True)
class Way:
    """One way to get at an input."""

    replica: Replica
    kind: str
    """`copy`, which is checked; `local` or `remote`: the payload reads the replica itself, where it lies."""
    seconds: float
    """What that is held to take, as the broker counts it."""


def fetch(replica: Replica, wanted: Input, into: Path) -> None:
    """Copy a replica and check it against the catalogue; OSError or ValueError, and no file, when that fails."""
    try:
        with open_replica(replica.pfn) as source, into.open("wb") as target:
            size, adler = adler32_copy(source, target, wanted.size)
        if (size, adler) != (wanted.size, wanted.adler32):
            catalogue = f"the catalogue says {wanted.size} bytes, adler32 {wanted.adler32}"
            raise ValueError(f"it has {size} bytes, adler32 {adler}; {catalogue}")
    except BaseException:
        into.unlink(missing_ok=True)
        raise


def made_since(wanted: Input, site: str) -> list[Replica]:
    """The copy at this site's own storage, if one was made there since the job was described."""
    if any(replica.site == site for replica in wanted.replicas):
        return []
    try:
        storage = read_storage()
        found = [
            Replica(se, at, pfn) for se, at, pfn in destinations(wanted.lfn, site, storage, ("file",)) if at == site
        ]
        return [replica for replica in found if local_path(replica.pfn).is_file()]
    except (Failure, OSError, ValueError, LookupError, TypeError, re.error):
        return []  # outputs will tell what is wrong with the description


def read_rates() -> tuple[float, float]:
    """What a job here reads from its own site's storage, and from elsewhere, in MB (10^6 bytes) per second."""
    try:
        near, far = map(float, os.environ.get("ROUTER_READ_MB_S", "").split(":"))
    except ValueError:
        return READ_MB_S
    return (near, far) if near > 0 and far > 0 else READ_MB_S


def ways(wanted: Input, site: str, how: str, rates: tuple[float, float]) -> list[Way]:
    """The ways to get at an input, the best first.

    A copy takes the whole file, and reading it where it lies takes what is asked of it; a file of the own site's
    storage needs no copy at all. Of what takes as long a copy comes first, since it is checked.
    """
    listed = [*made_since(wanted, site), *wanted.replicas]
    found = []
    for replica in listed:
        near, mounted = replica.site == site, replica.pfn.startswith("file:")
        seconds = wanted.size / 1e6 / rates[0 if near else 1]
        if how != "copy" and (near or not mounted):
            found.append(Way(replica, "local" if mounted else "remote", seconds * wanted.share))
        if how != "remote":
            found.append(Way(replica, "copy", seconds))
    if how == "copy":
        return sorted(found, key=lambda way: way.replica.site != site)
    return sorted(found, key=lambda way: (way.seconds, ("local", "copy", "remote").index(way.kind)))


def reached(way: Way, wanted: Input, into: Path) -> str:
    """Where the payload finds an input got at in a way; OSError or ValueError when that fails."""
    if way.kind == "copy":
        fetch(way.replica, wanted, into)
        return str(into)
    if (size := size_at(way.replica.pfn)) != wanted.size:
        raise ValueError(f"it has {size} bytes, and the catalogue says {wanted.size}")
    return str(local_path(way.replica.pfn)) if way.kind == "local" else way.replica.pfn


def stage_in(wanted: Input, job: Job, site: str, into: Path, report: dict[str, Any]) -> tuple[str, str]:
    """Get at an input in the best way that works: where it is, and the kind of way; Failure when none does."""
    started = time.monotonic()
    failed: list[dict[str, str]] = []
    for way in ways(wanted, site, job.access, read_rates()):
        replica = way.replica
        try:
            place = reached(way, wanted, into)
        except Exception as why:  # http.client raises much besides OSError; each means: try the next replica
            failed.append({"se": replica.se, "pfn": replica.pfn, "error": str(why) or repr(why)})
            continue
        size = wanted.size if way.kind == "copy" else round(wanted.size * wanted.share)
        entry = {"lfn": wanted.lfn, "se": replica.se, "pfn": replica.pfn, "access": way.kind, "bytes": size}
        checked = {"adler32": wanted.adler32} if way.kind == "copy" else {}
        report["inputs"].append({**entry, **checked, "seconds": elapsed(started), "failed": failed})
        return place, way.kind
    entry = {"lfn": wanted.lfn, "se": None, "pfn": None, "bytes": 0}
    report["inputs"].append({**entry, "seconds": elapsed(started), "failed": failed})
    reasons = "; ".join(f"{one['se']}: {one['error']}" for one in failed) or "it has no replica"
    raise Failure("stage_in_failed", f"could not fetch {wanted.lfn}: {reasons}")


def stage_in_all(inputs: Sequence[Input], job: Job, site: str, report: dict[str, Any]) -> Path:
    """Get at every input; return the list that the payload reads. Names may repeat, so each gets its own folder."""
    entries = []
    for number, wanted in enumerate(inputs):
        into = Path.cwd() / INPUTS / f"{number:04d}" / wanted.lfn.rsplit("/", 1)[1]
        into.parent.mkdir(parents=True, exist_ok=True)
        place, kind = stage_in(wanted, job, site, into, report)
        events: dict[str, Any] = {"first_event": wanted.first_event, "events": wanted.events}
        if wanted.lumis is not None:
            events["lumis"] = wanted.lumis
        if job.access != "copy":
            events["access"] = kind
        entries.append({"lfn": wanted.lfn, "path": place, **events})
    listing = Path.cwd() / INPUTS / "inputs.json"
    listing.parent.mkdir(exist_ok=True)
    listing.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return listing
