"""What HTTP servers say, as causes; the protocol itself is tried against a real server in tests/storage."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from router.model.transfer import TransferCause, TransferError
from router.transfer.webdav import WebDavEndpoint

LFN = "/user/alice/zmumu-1/hist.root"


class Refusing(BaseHTTPRequestHandler):
    """Says the same to everything."""

    status, words, location = 500, "", ""
    asked: list[str]

    def answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Length", str(len(self.words)))
        self.end_headers()
        self.wfile.write(self.words.encode())

    do_PUT = do_GET = do_HEAD = do_MKCOL = do_MOVE = do_DELETE = answer  # noqa: N815 - http.server's names

    def handle_expect_100(self) -> bool:
        self.answer()
        return False

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[type[Refusing]]:
    kind = type("Here", (Refusing,), {"asked": []})
    made = HTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    kind.prefix = f"http://127.0.0.1:{made.server_port}/store"
    yield kind
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        (401, "", TransferCause.PERMISSION),
        (403, "permission denied", TransferCause.PERMISSION),
        (413, "", TransferCause.QUOTA),
        (507, "", TransferCause.QUOTA),
        (500, "Unable to write: no space left on device", TransferCause.QUOTA),
        (500, "it broke", TransferCause.DOWN),
        (503, "", TransferCause.DOWN),
        (504, "", TransferCause.TIME_OUT),
        (418, "", TransferCause.OTHER),
    ],
)
def test_a_refused_file_is_told_by_its_cause(server, status, words, cause):
    server.status, server.words = status, words
    with pytest.raises(TransferError) as error:
        WebDavEndpoint(server.prefix, str, 5.0).write(LFN, "1", [b"abc"], 3)
    assert error.value.cause is cause
    assert words in str(error.value)


def test_no_redirect_is_followed(server):
    server.status, server.location = 307, "http://169.254.169.254/latest"
    with pytest.raises(TransferError, match="307"):
        list(WebDavEndpoint(server.prefix, str, 5.0).read(LFN))
    assert server.asked == [f"GET /store{LFN}"]


def test_a_server_that_says_nothing_is_told_as_a_time_out():
    silent = HTTPServer(("127.0.0.1", 0), Refusing)  # accepts and never answers
    try:
        with pytest.raises(TransferError) as error:
            WebDavEndpoint(f"http://127.0.0.1:{silent.server_port}", str, 0.05).facts(LFN)
        assert error.value.cause is TransferCause.TIME_OUT
    finally:
        silent.server_close()
