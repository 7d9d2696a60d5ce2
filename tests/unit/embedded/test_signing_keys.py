"""Keys are added beside the first and taken away, and every token is of the key that signs."""

import stat
from pathlib import Path

import pytest

from router.embedded.tokens import Tokens
from router.errors import UserError

SIGN = """#!/bin/sh
printf '%s.%s.x' "$2" "${4%.key}"
"""


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """Tokens of a pool whose program for signing writes down whose token it is, and by which key."""
    sign = tmp_path / "sign"
    sign.write_text(SIGN)
    sign.chmod(0o755)
    made = Tokens(tmp_path, "vo", sign)
    made.make_key()
    return made


def signed_by(tokens: Tokens, user: str) -> str:
    return (tokens.home / "tokens" / user / "token").read_text().split(".", 1)[1].removesuffix(".x")


def test_a_rotation_signs_all_tokens_anew_and_keeps_the_old_key(tokens: Tokens) -> None:
    for user in ("alice", "glidein-NORTH"):
        tokens.folder(user)
        assert signed_by(tokens, user) == "POOL"
    tokens.add_key()
    assert tokens.renew() == ("alice", "glidein-NORTH")
    assert tokens.key.name != "POOL"
    assert {signed_by(tokens, user) for user in ("alice", "glidein-NORTH")} == {tokens.key.stem}
    assert {each.name for each in tokens.key.parent.iterdir()} == {"POOL", tokens.key.name}
    tokens.folder("bob")
    assert signed_by(tokens, "bob") == tokens.key.stem
    assert stat.S_IMODE(tokens.key.stat().st_mode) == 0o600


def test_the_end_of_a_rotation_leaves_one_key_that_signed_and_no_token_of_another(tokens: Tokens) -> None:
    tokens.folder("alice")
    first = (tokens.home / "keys/POOL").read_text()
    tokens.add_key()
    tokens.add_key()
    (tokens.home / "tokens/alice/token").write_text("alice@vo.POOL.x")  # as a rotation that was cut short leaves it
    tokens.retire()
    assert {each.name for each in tokens.key.parent.iterdir()} == {"POOL", tokens.key.name}
    assert (tokens.home / "keys/POOL").read_text() != first
    assert signed_by(tokens, "alice") == tokens.key.stem


def test_the_only_key_is_not_taken_away(tokens: Tokens) -> None:
    with pytest.raises(UserError, match="one key only"):
        tokens.retire()
