"""Worlds as JSON text, with the policy of then, so that a decision can be taken again exactly: what a bug report needs.

The form follows the dataclasses: a value is a mapping of its fields; fields that are missing have their defaults, and
unknown ones are refused.
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from router.errors import UserError
from router.model.policy import BrokerPolicy
from router.model.world import World

VERSION = 2


@dataclass(frozen=True, slots=True)
class Saved:
    """A world, and the policy that decided in it; None where it was saved without."""

    world: World
    policy: BrokerPolicy | None = None


def dump(world: World, policy: BrokerPolicy | None = None) -> str:
    """A world and its policy as JSON."""
    saved = {"version": VERSION, "world": _plain(world), "policy": _plain(policy)}
    return json.dumps(saved, separators=(",", ":"))


def load(text: str, source: str = "snapshot") -> Saved:
    """What was saved in a JSON text. Raises UserError where it holds no world."""
    try:
        found = json.loads(text)
        if found["version"] != VERSION:
            raise ValueError(f"is of version {found['version']}, this glideroute reads {VERSION}")
        saved = _value(Saved, {key: value for key, value in found.items() if key != "version"})
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source} is no saved world: {error}") from None
    assert isinstance(saved, Saved)  # noqa: S101 - _value makes what it is asked for
    return saved


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _value(wanted: Any, found: Any) -> Any:
    """`found` as the type `wanted`."""
    if isinstance(wanted, UnionType):
        if found is None and NoneType in get_args(wanted):
            return None
        [wanted] = [each for each in get_args(wanted) if each is not NoneType]
    if get_origin(wanted) is tuple:
        return _tuple(get_args(wanted), found)
    if is_dataclass(wanted):
        hints = get_type_hints(wanted)
        return wanted(**{name: _value(hints[name], each) for name, each in found.items()})  # type: ignore[operator]
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(found)
    if wanted is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if not isinstance(found, wanted):
        raise ValueError(f"{found!r} is no {wanted.__name__}")
    return found


def _tuple(inner: tuple[Any, ...], found: Any) -> tuple[Any, ...]:
    if not isinstance(found, list):
        raise ValueError(f"{found!r} is no list")
    if inner[-1] is Ellipsis:
        return tuple(_value(inner[0], each) for each in found)
    if len(inner) != len(found):
        raise ValueError(f"{found!r} has not {len(inner)} parts")
    return tuple(_value(each, part) for each, part in zip(inner, found, strict=True))
