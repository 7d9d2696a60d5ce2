"""The trivial file catalogue: how a site's storage names files, as CMS's storage.xml and storage.json describe it.

The semantics are those of CMSSW's FileLocator: patterns match the whole name, the first rule in file order wins, a
chained protocol is applied first, and a rule must match both the name that was asked and the one that the chain gave.
No inverse is derived from a storage.json: where several rules share a prefix it would be wrong.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from router.model import names

MAX_BYTES = 1_000_000
GROUP = re.compile(r"\$(\d)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a protocol."""

    pattern: str
    """A regular expression that matches whole names."""
    result: str
    """The new name, with `$1` to `$9` for the pattern's groups."""
    chain: str = ""
    """The protocol that is applied before; empty: none."""


Rules = Mapping[str, tuple[Rule, ...]]
"""Rules by protocol, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of a site's storage."""

    site: str
    name: str
    rse: str
    kind: str
    """`DISK` or `TAPE`."""
    rules: Rules
    access: tuple[tuple[str, str], ...]
    """Each protocol with what it allows, such as `global-rw`."""


def pfn(lfn: str, rules: Rules, protocols: Sequence[str]) -> str:
    """The physical name that the first of `protocols` with a matching rule gives; empty where none does.

    Raises ValueError for a chain without end.
    """
    return next((found for each in protocols if (found := _forward(lfn, rules, each, 0))), "")


def lfn(name: str, rules: Rules, protocol: str) -> str:
    """The logical name of a physical one by `pfn-to-lfn` rules: the own rule first, then the chain; empty for none."""
    for rule in rules.get(protocol, ()):
        if found := _applied(rule, name):
            return lfn(found, rules, rule.chain) if rule.chain else found
    return ""


def _forward(name: str, rules: Rules, protocol: str, depth: int) -> str:
    if depth > len(rules):
        raise ValueError(f"the chain of protocol {protocol!r} never ends")
    for rule in rules.get(protocol, ()):
        if re.fullmatch(rule.pattern, name):
            step = _forward(name, rules, rule.chain, depth + 1) if rule.chain else name
            if step and (found := _applied(rule, step)):
                return found
    return ""


def _applied(rule: Rule, name: str) -> str:
    found = re.fullmatch(rule.pattern, name)
    return GROUP.sub(lambda group: found[int(group[1])] or "", rule.result) if found else ""


def from_xml(text: str, destination: str = "any") -> tuple[Rules, Rules]:
    """The rules of a storage.xml, `lfn-to-pfn` and `pfn-to-lfn`. Raises ValueError where it is none."""
    if len(text) > MAX_BYTES or "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise ValueError("is too long, or defines entities")  # which may expand without end
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without entities there is nothing to expand
    except ElementTree.ParseError as error:
        raise ValueError(f"is no XML: {error}") from None
    if root.tag != "storage-mapping":
        raise ValueError(f"is a {root.tag}, not a storage-mapping")
    return _of_tag(root, "lfn-to-pfn", destination), _of_tag(root, "pfn-to-lfn", destination)


def _of_tag(root: ElementTree.Element, tag: str, destination: str) -> Rules:
    found: dict[str, tuple[Rule, ...]] = {}
    for each in root.iter(tag):
        if not re.fullmatch(_expression(each.get("destination-match", ".*")), destination):
            continue
        protocol, pattern, result = (_present(each.get(key), f"{tag} has no {key}") for key in _KEYS)
        rule = _rule(pattern, result, each.get("chain", ""))
        found[protocol] = (*found.get(protocol, ()), rule)
    return found


_KEYS = ("protocol", "path-match", "result")


def from_json(text: str) -> tuple[Volume, ...]:
    """The volumes of a storage.json. Raises ValueError where it is none."""
    if len(text) > MAX_BYTES:
        raise ValueError("is too long")
    try:
        found = json.loads(text)
        return tuple(_volume(each) for each in found)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"is no storage.json: {error!r}") from None


def _volume(told: Mapping[str, Any]) -> Volume:
    rules: dict[str, tuple[Rule, ...]] = {}
    access: dict[str, str] = {}
    for each in told["protocols"]:
        name = str(each["protocol"])
        access.setdefault(name, str(each.get("access", "")))
        mine = tuple(_rule(str(r["lfn"]), str(r["pfn"]), str(r.get("chain", ""))) for r in each.get("rules", ()))
        if "prefix" in each:
            mine = (_rule("/?(.*)", str(each["prefix"]).rstrip("/") + "/$1", ""), *mine)
        rules[name] = (*rules.get(name, ()), *mine)
    named = str(told["site"]), str(told["volume"]), str(told.get("rse") or told["volume"])
    return Volume(*named, str(told.get("type", "DISK")), rules, tuple(access.items()))


def _rule(pattern: str, result: str, chain: str) -> Rule:
    groups = re.compile(_expression(pattern)).groups
    if missing := [number for number in GROUP.findall(result) if int(number) > groups]:
        raise ValueError(f"the result {result!r} uses ${missing[0]}, and {pattern!r} has {groups} group(s)")
    return Rule(pattern, names.plain(result), chain)


def _expression(pattern: str) -> str:
    try:
        re.compile(names.plain(pattern))
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


def _present(value: str | None, words: str) -> str:
    if value is None:
        raise ValueError(words)
    return value


def to_json(volumes: Iterable[Volume], fallback_of: str = "") -> list[dict[str, object]]:
    """Volumes in the form of a storage.json; those that another site falls back to say so."""
    found: list[dict[str, object]] = [
        {
            "site": each.site,
            "volume": each.name,
            "rse": each.rse,
            "type": each.kind,
            "protocols": [
                {
                    "protocol": name,
                    "access": access,
                    "rules": [
                        {"lfn": rule.pattern, "pfn": rule.result} | ({"chain": rule.chain} if rule.chain else {})
                        for rule in each.rules[name]
                    ],
                }
                for name, access in each.access
            ],
        }
        for each in volumes
    ]
    return [{**each, "fallback_of": [fallback_of]} for each in found] if fallback_of else found
