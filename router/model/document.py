"""YAML documents read with positions, so that every fault is told at once, each with its line.

Only plain data is understood: no tags, no anchors, no duplicate keys, bounded in size and depth. A document is read
section by section; what is wrong is collected, and `finish` raises it all as one UserError.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import yaml

from router.errors import UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_EVENTS = 100_000
"""Of the parser: about one for each word. Reading so many takes about half a second."""
MAX_FAULTS = 100
"""Faults that are told; nobody reads more."""
MAX_WORDS = 1_000
"""Characters of one."""

# PyYAML's binding of libyaml is twenty times faster, and not in every build of it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SIZE_MB = {"kb": 1 / 1024, "mb": 1, "gb": 1024, "tb": 1024**2}
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, and where."""

    line: int
    field: str
    message: str
    column: int = 0

    def __str__(self) -> str:
        """The fault as a person reads it."""
        return f"line {self.line}: {self.field}: {self.message}" if self.field else f"line {self.line}: {self.message}"


@dataclass
class Faults:
    """What is wrong with one document."""

    source: str
    found: list[Fault] = field(default_factory=list)

    def add(self, node: yaml.Node, name: str, message: str) -> None:
        """Note one fault at the place of `node`."""
        mark = node.start_mark
        self.found.append(Fault(mark.line + 1, _brief(name), _brief(message), mark.column + 1))

    def finish(self) -> None:
        """Raise UserError naming every fault, if there is any."""
        if self.found:
            lines = [f"  {fault}" for fault in sorted(self.found)[:MAX_FAULTS]]
            if more := len(self.found) - len(lines):
                lines.append(f"  and {more:,} more")
            raise UserError("\n".join((f"{self.source} has {len(self.found)} fault(s):", *lines)))


class Section:
    """A mapping of a document, read key by key."""

    def __init__(self, node: yaml.MappingNode, path: str, faults: Faults) -> None:
        """Read `node`, called `path` in messages."""
        self.node, self.path, self.faults = node, path, faults
        self._values: dict[str, yaml.Node] = {}
        self._known: set[str] = set()
        self._inner: list[Section] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                faults.add(key, path, "a key must be a word")
            elif key.value in self._values:
                faults.add(key, self._name(key.value), "is given twice")
            else:
                self._values[key.value] = value

    def _name(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def key_names(self) -> tuple[str, ...]:
        """The keys given, in the order written."""
        return tuple(self._values)

    def fault(self, key: str, message: str) -> None:
        """Note that the value of `key` is wrong."""
        self.faults.add(self._values.get(key, self.node), self._name(key), message)

    def has(self, key: str) -> bool:
        """Whether `key` is given."""
        self._known.add(key)
        return key in self._values

    def is_list(self, key: str) -> bool:
        """Whether the value of `key` is a list."""
        return self.has(key) and isinstance(self._values[key], yaml.SequenceNode)

    def text(self, key: str, default: str | None = None, check: Callable[[str], str] | None = None) -> str:
        """A text; `check` returns its canonical form or raises ValueError. No default: it must be given."""
        value = self._scalar(key, required=default is None)
        if value is None:
            return default or ""
        return self._checked(key, value, check)

    def texts(self, key: str, check: Callable[[str], str] | None = None) -> tuple[str, ...]:
        """A list of texts, empty when not given."""
        if not self.has(key):
            return ()
        node = self._values[key]
        if not isinstance(node, yaml.SequenceNode) or not all(isinstance(n, yaml.ScalarNode) for n in node.value):
            self.fault(key, "must be a list of texts, such as [a, b]")
            return ()
        return tuple(self._checked(key, item.value, check) for item in node.value)

    def pairs(
        self, key: str, check_name: Callable[[str], str], check: Callable[[str], str]
    ) -> tuple[tuple[str, str], ...]:
        """A mapping of texts to texts, sorted by name, empty when not given."""
        if (inner := self.section(key)) is None:
            return ()
        found = [(self._checked(key, name, check_name), inner.text(name, "", check)) for name in inner._values]
        return tuple(sorted((name, value) for name, value in found if name))

    def lists(self, key: str, check: Callable[[str], str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """A mapping of texts to lists of texts, sorted by name, empty when not given."""
        if (inner := self.section(key)) is None:
            return ()
        found = [(self._checked(key, name, check), inner.texts(name, check)) for name in inner._values]
        return tuple(sorted((name, values) for name, values in found if name))

    def integer(self, key: str, default: int, at_least: int = 0, at_most: int = 10**12) -> int:
        """A whole number within bounds."""
        value = self._scalar(key, required=False)
        if value is None:
            return default
        if not re.fullmatch(r"-?\d{1,15}", value) or not at_least <= int(value) <= at_most:
            self.fault(key, f"must be a whole number from {at_least:,} to {at_most:,}, not {value!r}")
            return default
        return int(value)

    def number(self, key: str, default: float, above: float = 0.0) -> float:
        """A number greater than `above`."""
        value = self._scalar(key, required=False)
        if value is None:
            return default
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) or float(value) <= above:
            self.fault(key, f"must be a number above {above:g}, not {value!r}")
            return default
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return self.choice(key, ("true", "false"), "true" if default else "false") == "true"

    def choice(self, key: str, options: Sequence[str], default: str) -> str:
        """One of `options`."""
        value = self._scalar(key, required=False)
        if value is None:
            return default
        if value not in options:
            self.fault(key, f"must be one of {', '.join(options)}, not {value!r}{suggestion(value, options)}")
            return default
        return value

    def size_mb(self, key: str, default: int) -> int:
        """A size such as `500 MB` or `2 GB`, in MB of 1024 kB, rounded up."""
        return self._quantity(key, default, SIZE_MB, "a size such as 500 MB or 2 GB")

    def seconds(self, key: str, default: int) -> int:
        """A duration such as `10 min` or `8 h`, in seconds."""
        return self._quantity(key, default, SECONDS, "a duration such as 90 s, 10 min or 8 h")

    def section(self, key: str) -> "Section | None":
        """A mapping inside this one; None when not given."""
        if not self.has(key):
            return None
        node = self._values[key]
        if not isinstance(node, yaml.MappingNode):
            self.fault(key, "must be a mapping, such as {name: value}")
            return None
        return self._child(node, self._name(key))

    def sections(self, key: str) -> list["Section"]:
        """A list of mappings, empty when not given."""
        if not self.has(key):
            return []
        node = self._values[key]
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not isinstance(node, yaml.SequenceNode) or not all(isinstance(n, yaml.MappingNode) for n in items):
            self.fault(key, "must be a list of mappings, such as [{name: value}]")
            return []
        return [self._child(item, f"{self._name(key)}[{i}]") for i, item in enumerate(items)]

    def named(self, key: str, check: Callable[[str], str]) -> list[tuple[str, "Section"]]:
        """A mapping of names to mappings, in the order written."""
        if (outer := self.section(key)) is None:
            return []
        return [(self._checked(key, name, check), inner) for name in outer._values if (inner := outer.section(name))]

    def finish(self) -> None:
        """Raise UserError if anything was wrong; a key that nobody asked for is, too."""
        self._refuse_unknown()
        self.faults.finish()

    def _refuse_unknown(self) -> None:
        for key, node in self._values.items():
            if key not in self._known:
                near = suggestion(key, self._known) if len(self.faults.found) < MAX_FAULTS else ""
                self.faults.add(node, self._name(key), f"is not a known key{near}")
        for inner in self._inner:
            inner._refuse_unknown()

    def _child(self, node: yaml.MappingNode, path: str) -> "Section":
        inner = Section(node, path, self.faults)
        self._inner.append(inner)
        return inner

    def _scalar(self, key: str, *, required: bool) -> str | None:
        if not self.has(key):
            if required:
                self.faults.add(self.node, self._name(key), "is missing")
            return None
        node = self._values[key]
        if not isinstance(node, yaml.ScalarNode):
            self.fault(key, "must be a single value")
            return None
        return str(node.value)

    def _checked(self, key: str, value: str, check: Callable[[str], str] | None) -> str:
        if check is None:
            return value
        try:
            return check(value)
        except ValueError as error:
            self.fault(key, str(error))
            return ""

    def _quantity(self, key: str, default: int, units: dict[str, float] | dict[str, int], wanted: str) -> int:
        value = self._scalar(key, required=False)
        if value is None:
            return default
        found = QUANTITY.fullmatch(value.strip())
        unit = found.group(2).lower() if found else ""
        if found is None or unit not in units:
            self.fault(key, f"must be {wanted}, with its unit, not {value!r}")
            return default
        return max(1, -int(-float(found.group(1)) * units[unit] // 1))


def _brief(text: str) -> str:
    """A text that may quote what somebody wrote, of bounded length."""
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"


def places(section: Section) -> dict[str, tuple[int, int]]:
    """Line and column of every value of a document, by its dotted path; the empty path is the document's."""
    found: dict[str, tuple[int, int]] = {}
    _place(section.node, section.path, found)
    return found


def _place(node: yaml.Node, path: str, found: dict[str, tuple[int, int]]) -> None:
    found[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _place(value, f"{path}.{key.value}".lstrip("."), found)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _place(item, f"{path}[{i}]", found)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Words that name the known word `word` most resembles; empty when none does."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def read(text: str, source: str) -> Section:
    """The top section of a YAML document called `source` in messages.

    Raises UserError where the text is no plain YAML mapping within the limits.
    """
    if len(text) > MAX_BYTES:
        raise UserError(f"{source} is {len(text):,} characters long; at most {MAX_BYTES:,} are read.")
    try:
        _refuse_tricks(text, source)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{source} is not valid YAML: line {line}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{source} is not valid YAML: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{source} must be a mapping of keys to values, such as `name: zmumu`.")
    return Section(node, "", Faults(source))


def _refuse_tricks(text: str, source: str) -> None:
    """Refuse what plain data never needs: anchors, aliases, tags, deep nesting, more words than anybody writes."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=LOADER)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(f"{source}: line {line}: anchors and aliases are not allowed; write the value out.")
        if tag := getattr(event, "tag", None):
            raise UserError(f"{source}: line {line}: the tag {tag!r} is not allowed; only plain values are.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if number > MAX_EVENTS:
            raise UserError(f"{source}: line {line}: more than {MAX_EVENTS:,} words and marks; split it.")
        if depth > MAX_DEPTH:
            raise UserError(f"{source}: line {line}: nested deeper than {MAX_DEPTH} levels.")
