"""The facts that lie in files and behind ports."""

import base64
import json
import socket
from pathlib import Path

from router.pool import examine


def token(**claims: object) -> str:
    parts = ({"alg": "HS256"}, claims)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts), "s"]
    )


def test_a_tokens_subject_and_end_are_read_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(token(sub="router@vo", exp=1_800_000_000) + "\n")
    (tmp_path / "two").write_text(token(sub="glidein@vo"))
    (tmp_path / "one").chmod(0o640)
    first, second = examine.tokens([tmp_path, tmp_path / "nowhere"])
    assert (first.subject, first.expires, first.mode) == ("router@vo", 1_800_000_000.0, 0o640)
    assert (second.subject, second.expires) == ("glidein@vo", None)


def test_what_is_no_token_is_left_out(tmp_path: Path) -> None:
    for name, text in {
        "a": "hello",
        "b": "x.y.z",
        "c": "x.W10.z",
        "d": "",
        "e": "a.\xff.c",
        ".hidden": token(),
    }.items():
        (tmp_path / name).write_text(text)
    assert examine.tokens([tmp_path]) == ()


def test_files_that_others_may_read_are_named(tmp_path: Path) -> None:
    for name, mode in {"own": 0o600, "group": 0o640, "all": 0o604}.items():
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    assert examine.exposed(sorted(tmp_path.iterdir())) == (str(tmp_path / "all"), str(tmp_path / "group"))


def test_daemons_that_do_not_answer_are_told_from_those_that_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "up").write_text(f"127.0.0.1:{server.getsockname()[1]}\n")
        (tmp_path / "odd").write_text("nonsense")
        with socket.create_server(("127.0.0.1", 0)) as gone:
            (tmp_path / "down").write_text(f"127.0.0.1:{gone.getsockname()[1]}")
        found = examine.answering({name: tmp_path / name for name in ("up", "down", "odd", "never")})
    assert found["up"] == ""
    assert "refused" in found["down"]
    assert found["odd"]
    assert "never" not in found


def test_space_is_told_for_folders_that_are_there(tmp_path: Path) -> None:
    assert list(examine.free_mb([tmp_path, tmp_path / "nowhere"])) == [str(tmp_path)]
