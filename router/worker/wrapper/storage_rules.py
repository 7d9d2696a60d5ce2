"""The site's storage description: which volume takes a file, and under what name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from router.worker.wrapper.exit_codes import Failure

WRITTEN = ("file", "https", "davs", "http", "dav")
"""Protocols by which outputs are written, the best first: what is mounted, then what nobody can listen to."""


def translate(lfn: str, rules: Mapping[str, Sequence[Mapping[str, str]]], protocol: str, depth: int = 0) -> str | None:
    """The PFN that a volume's rules give, or None.

    As CMSSW does it: the first rule wins whose pattern matches the whole LFN; a chained protocol is applied first,
    and the rule's groups are then taken from the name it gave.
    """
    if depth > len(rules):
        raise ValueError(f"the chain of protocol {protocol!r} never ends")
    for rule in rules.get(protocol, ()):
        if not re.fullmatch(rule["lfn"], lfn):
            continue
        name: str | None = lfn
        if chain := rule.get("chain"):
            name = translate(lfn, rules, chain, depth + 1)
        found = re.fullmatch(rule["lfn"], name) if name else None
        if found:
            return found.expand(re.sub(r"\$(\d)", r"\\g<\1>", rule["pfn"].replace("\\", r"\\")))
    return None


def volume_rules(volume: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """A volume's rules by protocol; a prefix is the rule it stands for."""
    rules: dict[str, list[dict[str, str]]] = {}
    for entry in volume["protocols"]:
        if "prefix" in entry:
            prefix = {"lfn": "/?(.*)", "pfn": entry["prefix"].rstrip("/") + "/$1"}
            rules.setdefault(entry["protocol"], []).append(prefix)
        rules.setdefault(entry["protocol"], []).extend(entry.get("rules", ()))
    return rules


def destinations(
    lfn: str, site: str, storage: Sequence[Mapping[str, Any]], protocols: Sequence[str] = WRITTEN
) -> Iterator[tuple[str, str, str]]:
    """Where an LFN may be kept: (SE, its site, PFN), this site's own volumes first, then those it falls back to.

    Only disk; of each volume by the first of `protocols` by which it is written.
    """
    own = [volume for volume in storage if volume["site"] == site]
    for volume in [*own, *(volume for volume in storage if site in volume.get("fallback_of", ()))]:
        writable = {e["protocol"] for e in volume["protocols"] if e.get("access", "").endswith("-rw")}
        if volume.get("type") == "TAPE":
            continue
        named = (translate(lfn, volume_rules(volume), each) for each in protocols if each in writable)
        if pfn := next(filter(None, named), None):
            yield volume["rse"], volume["site"], pfn


def read_storage() -> list[dict[str, Any]]:
    """The storage description the glidein names; Failure when there is none to read."""
    path = os.environ.get("GLIDEROUTE_STORAGE", "")
    if not path:
        raise Failure("stage_out_failed", "the site says not where outputs go: GLIDEROUTE_STORAGE is not set")
    try:
        storage = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as why:
        raise Failure("stage_out_failed", f"cannot read the site's storage description {path}: {why}") from None
    if not isinstance(storage, list):
        raise Failure("stage_out_failed", f"the site's storage description {path} is no list of volumes")
    return storage
