"""The pool is held together as firmly as the machine allows."""

from collections.abc import Callable, Sequence

import pytest

from router.embedded import containment
from router.errors import RouterError


def a_machine(*forbidden: str) -> Callable[[Sequence[str]], str | None]:
    """A machine that refuses commands with one of these words."""

    def refusal(command: Sequence[str]) -> str | None:
        return "Operation not permitted" if set(forbidden) & set(command) else None

    return refusal


@pytest.mark.parametrize(
    ("root", "forbidden", "words"),
    [
        (False, (), ("--map-current-user", "--pid")),
        (False, ("--pid",), (str(containment.KEEPER[1]),)),
        (False, ("--user",), (str(containment.KEEPER[1]),)),
        (True, (), ("--map-user=65534", "--pid")),
        (True, ("--pid",), ("--map-user=65534", str(containment.KEEPER[1]))),
    ],
)
def test_the_strongest_way_that_works_is_chosen(root: bool, forbidden: tuple[str, ...], words: tuple[str, ...]) -> None:
    command = containment.choose(root, a_machine(*forbidden))
    assert set(words) <= set(command)
    assert not set(forbidden) & set(command)


def test_root_without_user_namespaces_is_told_what_to_do() -> None:
    with pytest.raises(RouterError, match="HTCondor refuses root's jobs") as raised:
        containment.choose(True, a_machine("--user"))
    assert "Operation not permitted" in str(raised.value)
    assert "as an ordinary user" in str(raised.value)


def test_a_missing_or_failing_program_is_a_refusal_in_words() -> None:
    assert containment.refusal(["env"]) is None
    assert containment.refusal(["no-such-program"]) == "no-such-program: No such file or directory"
    assert "exit code 1" in (containment.refusal(["false"]) or "")
