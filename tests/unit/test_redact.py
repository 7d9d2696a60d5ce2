"""No secret is written, wherever in a text it stands; and nothing else is lost."""

import base64
import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.redact import Formatter, redacted, show_exception

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
parts = st.text(LETTERS, min_size=20, max_size=60)
around = st.sampled_from(["", " ", "\n", '"', "'", "(", ")", "=", ": ", "token ", ", "])


def head(**claims: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


@given(parts, parts, around, around)
def test_a_token_is_hidden_wherever_it_stands(body: str, signature: str, before: str, after: str) -> None:
    token = f"{head(alg='HS256', kid='POOL')}.{body}.{signature}"
    said = redacted(f"x{before}{before and token}{before and after}y" if before else f"{token}{after}")
    assert body not in said
    assert signature not in said


@given(st.text(LETTERS, min_size=8, max_size=30))
def test_a_password_in_an_address_is_hidden_and_the_rest_stays(password: str) -> None:
    said = redacted(f"could not reach postgresql+psycopg://glide:{password}@db.vo.test/x of 5")
    assert said == "could not reach postgresql+psycopg://glide:[secret]@db.vo.test/x of 5"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC PRIVATE KEY-----\nCANARY\n-----END EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nCANARY cut short",
        "Authorization: Bearer CANARY.CANARY",
        'password = "CANARY"',
        "{'db_password': 'CANARY'}",
        "https://se.test/f?authz=CANARY&x=1",
        "https://s3.test/f?X-Amz-Signature=CANARY",
        "API_KEY=CANARY",
        "[default]\naws_secret_access_key = CANARY\naws_session_token=CANARY",
    ],
)
def test_what_is_called_a_secret_is_hidden(text: str) -> None:
    assert "CANARY" not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "applied, cluster 8: 2 job(s) moved from NORTH,SOUTH to NORTH: SOUTH is draining",
        "The token in /etc/glideroute/tokens.d expired 3 days ago",
        "file:///srv/a/x:y@z.root at root://se.test:1094//store/x",
        "2026-11-21 22:06:56,954 INFO router.loops.route: key=higgs.zz",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_a_record_is_cleaned_with_its_arguments_and_its_traceback() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Formatter())
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("postgresql://u:CANARY@db/x")
    except ValueError:
        log.exception("%s failed", "https://u:CANARY@se/x")
    assert "Traceback" in written.getvalue()
    assert "CANARY" not in written.getvalue()


def test_a_strangers_words_forge_no_record_and_lead_no_terminal() -> None:
    record = logging.LogRecord(
        "router", logging.WARNING, "", 1, "it says: %s", ("no\n2026 INFO all is well\x1b[2J",), None
    )
    assert Formatter("%(message)s").format(record) == "it says: no\n  2026 INFO all is well\N{REPLACEMENT CHARACTER}[2J"


def test_a_traceback_that_ends_the_program_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("postgresql://u:CANARY@db/x")
    except ValueError:
        show_exception(*sys.exc_info())  # type: ignore[arg-type]
    assert "ValueError: postgresql://u:[secret]@db/x" in capsys.readouterr().err
