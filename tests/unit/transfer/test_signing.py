"""Requests to S3 are signed as its documentation shows, and keys stay where they are."""

import hashlib
import time

import pytest

from router.model.transfer import TransferCause, TransferError
from router.transfer.signing import Keys, query_of, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = {"host": "examplebucket.s3.amazonaws.com"}
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture(autouse=True)
def example_day(monkeypatch):
    day = time.struct_time((2013, 5, 24, 0, 0, 0, 4, 144, 0))
    monkeypatch.setattr("router.transfer.signing.time.gmtime", lambda: day)


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "signature"),
    [
        (
            *("GET", "/test.txt", "", {"range": "bytes=0-9"}, b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", "/test%24file.text", ""),
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            *("GET", "/", query_of({"lifecycle": ""}), {}, b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            *("GET", "/", query_of({"prefix": "J", "max-keys": "2"}), {}, b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["an object", "a new object", "a bucket's lifecycle", "a listing"],
)
def test_the_examples_of_the_documentation_have_their_signatures(method, path, query, headers, body, signature):
    told = signed(KEYS, method, path, query, {**headers, **HOST}, hashlib.sha256(body).hexdigest())
    assert told["authorization"].endswith(f"Signature={signature}")


def test_a_session_is_shown_and_signed():
    told = signed(Keys("a", "b", "of the hour"), "GET", "/x", "", HOST, EMPTY)
    assert told["x-amz-security-token"] == "of the hour"
    assert "x-amz-security-token" in told["authorization"]


def test_keys_are_read_as_awss_clients_write_them():
    text = "[default]\naws_access_key_id = A%A\naws_secret_access_key=s/e+c=ret\nregion = eu-west-1\n"
    assert Keys.of(text) == Keys("A%A", "s/e+c=ret", region="eu-west-1")


@pytest.mark.parametrize(
    "text", ["", "no section", "[other]\naws_access_key_id = A", "[default]\nA = canary\nA = canary"]
)
def test_a_file_without_keys_is_told_without_its_text(text):
    with pytest.raises(TransferError, match="no section \\[default\\]") as error:
        Keys.of(text)
    assert error.value.cause is TransferCause.PERMISSION
    assert "canary" not in str(error.value)


def test_keys_do_not_show_in_what_is_printed():
    assert "wJalr" not in repr(KEYS)
