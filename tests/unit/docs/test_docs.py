"""The documents agree with each other and with the code."""

import importlib.util
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from router import settings
from router.cli.main import glideroute
from router.decide.filters import filters
from router.errors import RouterError, UserError
from router.model import document, payload
from router.model.placement import PlacementPolicy
from router.model.policy import BrokerPolicy, DemandPolicy, RetryPolicy, RunningPolicy

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("docs", "examples", "negotiator_policies")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)

REQUIRED = {"name": "zmumu", "executable": "run.sh", "outputs[].name": "hist.root"}
A_SERVICE = {"data_services.SERVICE.plugin": "rucio", "data_services.SERVICE.prefix": "/rucio"}
A_SITE = {"sites.SITE.storage.prefix": "file:///srv/se", "sites.SITE.entries.ENTRY": {}, **A_SERVICE}


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the tables below a heading, header and ruler left out."""
    text = (ROOT / page).read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", found)] for found in ROW.findall(text)]
    return [row for row in cells[1:] if not set(row[0]) <= set("-:")]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        taken = sum(each == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", each) is not None for each in found)
        found.add(f"{slug}-{taken}" if taken else slug)
    return found


def links() -> Iterator[tuple[str, str]]:
    """Each relative link, with its page."""
    for page in PAGES:
        for target in LINK.findall(SPAN.sub("", prose(page).replace("[`", "[").replace("`]", "]"))):
            if not re.match(r"[a-z]+:", target):
                yield str(page.relative_to(ROOT)), target


def command_lines() -> Iterator[tuple[str, str, bool]]:
    """Each `glideroute …` of a page, with the page, and whether it is to be typed as it stands."""
    for page in PAGES:
        text, name = page.read_text(), str(page.relative_to(ROOT))
        for language, block in FENCE.findall(text):
            told = re.findall(r"^(?:[$#] )?(glideroute .+)$", block, re.MULTILINE) if language != "yaml" else []
            yield from ((name, line, True) for line in (*told, *re.findall(r"\$\((glideroute [^)]+)\)", block)))
        for span in SPAN.findall(prose(page)):
            yield from ((name, line, False) for line in re.findall(r"^(?:eval \"\$\()?(glideroute [^)]+)", span))


LINES = sorted({found for found in command_lines() if "…" not in found[1]})


def parsed(line: str, whole: bool) -> tuple[str, ...]:
    """The command that a line names; raises where click would refuse it. In part, it may lack its arguments."""
    command: click.Command = glideroute
    path: tuple[str, ...] = ()
    words = shlex.split(line, comments=True)[1:]
    while True:
        context = click.Context(command, info_name=" ".join(path))
        values, rest, _ = command.make_parser(context).parse_args(list(words))
        if not isinstance(command, click.Group):
            assert not rest, f"does not take {rest}"
            assert not whole or not missing(command, values)
            return path
        if not rest:
            return path
        found = command.get_command(context, rest[0])
        assert found is not None, f"no command {rest[0]}"
        command, path, words = found, (*path, rest[0]), rest[1:]


def missing(command: click.Command, values: Mapping[str, Any]) -> list[str]:
    """The required arguments of a command that `values` lack."""
    wanted = [each for each in command.params if isinstance(each, click.Argument) and each.required]
    return [str(each.name) for each in wanted if not isinstance(values.get(str(each.name)), str | tuple)]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def nested(values: dict[str, Any]) -> str:
    """A YAML document with these values by dotted path; `[]` after a name makes a list of one mapping."""
    top: dict[str, Any] = {}
    for path, value in values.items():
        inner = top
        *outer, last = path.split(".")
        for part in outer:
            inner = inner.setdefault(part, {}) if part[-1] != "]" else inner.setdefault(part[:-2], [{}])[0]
        inner.setdefault(last, value)
    return json.dumps(top)


def known_keys(section: document.Section) -> Iterator[str]:
    """The dotted path of each key that was asked of a document, innermost only."""
    inner = {each.path: each for each in section._inner}
    for key in section._known:
        path = section._name(key)
        below = [each for at, each in inner.items() if at == path or re.fullmatch(rf"{re.escape(path)}\[\d+\]", at)]
        deeper = [found for each in below for found in known_keys(each)]
        yield from deeper or [re.sub(r"\[\d+\]", "[]", path)]


def asked(monkeypatch: pytest.MonkeyPatch, parse: Callable[[str], object], text: str) -> set[str]:
    """The keys that `parse` asks of a document."""
    read, seen = document.read, []

    def note(*given: str) -> document.Section:
        seen.append(read(*given))
        return seen[-1]

    monkeypatch.setattr(document, "read", note)
    with suppress(UserError):
        parse(text)
    return set(known_keys(seen[0]))


def defaults(table: list[list[str]]) -> dict[str, Any]:
    """The documented defaults: what stands in backquotes in the third column, read as YAML."""
    return {row[0].strip("`"): yaml.safe_load(row[2].strip("`")) for row in table if row[2].startswith("`")}


PAYLOAD = rows("docs/submit.md", "Every key of a payload")
SETTINGS = rows("docs/sites.md", "Every key of glideroute.yaml")


def read_settings(text: str) -> settings.Settings:
    return settings.parse(text, settings.Settings(Path("/home")))


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_every_link_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    found = (ROOT / page).parent / path if path else ROOT / page
    assert found.exists()
    assert not anchor or anchor in anchors(found)


@pytest.mark.parametrize(("page", "line", "whole"), LINES)
def test_every_command_that_is_shown_can_be_typed(page: str, line: str, whole: bool) -> None:
    parsed(line, whole)


def test_every_command_is_shown_somewhere() -> None:
    shown = {parsed(line, False) for _, line, _ in LINES}
    assert not set(commands(glideroute)) - shown


def test_the_payload_reference_has_every_key_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {row[0].strip("`"): "x" for row in PAYLOAD}
    assert asked(monkeypatch, payload.parse, nested({**told, **defaults(PAYLOAD)})) == set(told)


def test_the_settings_reference_has_every_key_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {row[0].strip("`"): "x" for row in SETTINGS}
    assert asked(monkeypatch, read_settings, nested({**told, **defaults(SETTINGS)})) == set(told)


@pytest.mark.parametrize(
    ("given", "apart"),
    [({}, ("split.", "input.")), ({"input.dataset": "/demo"}, ("jobs",))],
    ids=["without input", "with input"],
)
def test_the_documented_defaults_of_a_payload_are_its_defaults(given: dict[str, str], apart: tuple[str, ...]) -> None:
    least = {**REQUIRED, **given}
    told = {key: value for key, value in defaults(PAYLOAD).items() if not key.startswith(apart)}
    assert payload.parse(nested({**least, **told})) == payload.parse(nested(least))


def test_the_documented_defaults_of_the_settings_are_their_defaults() -> None:
    assert read_settings(nested({**A_SITE, **defaults(SETTINGS)})) == read_settings(nested(A_SITE))


def tool(name: str) -> Any:
    """A program of tools/ as a module."""
    place = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert place is not None and place.loader is not None
    found = importlib.util.module_from_spec(place)
    place.loader.exec_module(found)
    return found


def test_the_table_of_metrics_is_what_the_daemons_serve() -> None:
    assert "\n".join(tool("metrics_table").table()) in (ROOT / "docs/operations.md").read_text()


def test_the_tables_of_failures_are_those_of_the_catalogue() -> None:
    pages = (ROOT / "docs/exit-codes.md").read_text() + (ROOT / "docs/failures.md").read_text()
    for name, lines in tool("failures_table").tables().items():
        assert "\n".join(lines) + "\n" in pages, f"`python tools/failures_table.py {name!r}` prints it anew"


def test_every_number_of_the_retries_is_documented_with_its_value() -> None:
    told = {row[0].strip("`"): row[1].replace(",", "") for row in rows("docs/failures.md", "Limits")}
    numbers = {each.name: getattr(RetryPolicy(), each.name) for each in fields(RetryPolicy)}
    assert {name: f"{value:g}" for name, value in numbers.items() if value is not True}.items() <= told.items()


def test_the_exit_codes_of_commands_are_documented() -> None:
    kinds = [RouterError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    told = {row[0] for row in rows("docs/operations.md", "Exit codes")}
    assert {str(kind.exit_code) for kind in kinds if kind.__module__ == "router.errors"} <= told


def test_every_reason_of_a_filter_is_documented() -> None:
    tags = {found.tag for found in filters(BrokerPolicy()) if isinstance(found.tag, str)}
    told = {tag for row in rows("docs/brokerage.md", "Filters") for tag in re.findall(r"`([a-z-]+)`", row[0])}
    assert told - {"site-draining", "site-offline"} == tags


@pytest.mark.parametrize(
    ("policy", "page"),
    [
        *((each, "docs/brokerage.md") for each in (BrokerPolicy(), DemandPolicy(), RunningPolicy())),
        (PlacementPolicy(), "docs/placement.md"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_number_of_a_policy_is_documented_with_its_value(policy: Any, page: str) -> None:
    told = {row[0].strip("`"): row[1].replace(",", "") for row in rows(page, "The numbers")}
    numbers = {each.name: getattr(policy, each.name) for each in fields(policy)}
    wanted = {name: f"{value:.10g}" for name, value in numbers.items() if type(value) in (int, float)}
    assert wanted.items() <= told.items()
