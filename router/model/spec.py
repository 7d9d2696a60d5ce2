"""An analysis as its payload document says it: one immutable value under the command line and Python.

Its text is canonical: equal documents have equal texts. Every scalar is kept as the characters that were written, which
is all that `payload.parse` reads; nothing that looks like a number becomes one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.emitter import Emitter
from yaml.representer import SafeRepresenter
from yaml.resolver import BaseResolver
from yaml.serializer import Serializer

from router.model import document, payload
from router.model.payload import Payload

SOURCE = "the analysis"
LATER = {"executable": "later"}
"""What stands in for what is not said yet, so that the rest can be checked."""
LATER_INPUT = {"input": {"dataset": "/later"}}


@dataclass(frozen=True, slots=True)
class Spec:
    """A payload document, which may yet lack its program."""

    text: str
    """Canonical YAML."""

    def get(self, key: str) -> Any:
        """What a key of the document has; None where it is not given."""
        return _read(self.text).get(key)

    def but(self, **changes: Any) -> "Spec":
        """The same with other values; None takes a key out. Raises UserError that names every fault."""
        values = _read(self.text) | {key: _plain(value) for key, value in changes.items()}
        made = Spec(_written({key: value for key, value in values.items() if value is not None}))
        made._refuse_faults()
        return made

    def payload(self) -> Payload:
        """What it asks for. Raises UserError that names every fault."""
        return payload.parse(self.text, SOURCE)

    def _refuse_faults(self) -> None:
        values = _read(self.text)
        later = LATER | (LATER_INPUT if "split" in values else {})
        payload.parse(_written(values | {key: each for key, each in later.items() if key not in values}), SOURCE)


def named(name: str) -> Spec:
    """An analysis of which only the name is said. Raises UserError where it can be no name."""
    return Spec(_written({})).but(name=name)


def parse(text: str, source: str) -> Spec:
    """The analysis that a payload document describes. Raises UserError that names every fault with its line."""
    payload.parse(text, source)
    return Spec(_written(_read(text)))


def _read(text: str) -> dict[str, Any]:
    return dict(_texts(document.read(text, SOURCE).node))


def _texts(node: yaml.Node) -> Any:
    """What a document says, every scalar as the characters that were written."""
    if isinstance(node, yaml.MappingNode):
        return {_texts(key): _texts(value) for key, value in node.value}
    return [_texts(each) for each in node.value] if isinstance(node, yaml.SequenceNode) else str(node.value)


def _plain(value: Any) -> Any:
    """A value of Python's as what a document can say: texts, lists of them, mappings."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return str(value)


class _Dumper(Emitter, Serializer, SafeRepresenter, BaseResolver):
    """Quotes only what needs it to be read back as the same characters."""

    def __init__(self, stream: Any, **_: Any) -> None:
        Emitter.__init__(self, stream, width=120, allow_unicode=True)
        Serializer.__init__(self)
        SafeRepresenter.__init__(self, sort_keys=False)
        BaseResolver.__init__(self)

    def ignore_aliases(self, data: Any) -> bool:
        return True  # what is used twice is written twice: documents have no anchors

    def represent_text(self, value: str) -> yaml.ScalarNode:
        """An empty text is quoted, for other programs take nothing at all for null."""
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if value else "'")


_Dumper.add_representer(str, _Dumper.represent_text)


def _written(values: Mapping[str, Any]) -> str:
    return str(yaml.dump(dict(values), Dumper=_Dumper))
