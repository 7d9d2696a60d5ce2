"""A data service that lies gets no name, path, size or host by us that it should not have."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from router.catalogues.asking import Deadline
from router.catalogues.checking import Checker
from router.catalogues.rest import Rest
from router.errors import PermissionRefused, RouterError, TemporaryError, UserError
from router.model.data_service import ServiceAnswer, ServiceFile, ServiceSettings
from router.model.rights import Members
from router.store.store import Store
from router.testing.build import a_file, a_storage
from router.testing.clock import FakeClock

SERVICE = ServiceSettings("books", "gamma", "/gamma", most_files=10)
ELEMENTS = {"SITE_A_DISK": a_storage("SITE_A")}


def checked(*told: Any) -> ServiceAnswer:
    return Checker(SERVICE, "/gamma/d", ELEMENTS).check(told)


def file(lfn: Any = "/gamma/f", size: Any = 1000, adler32: Any = "0badcafe", **changes: Any) -> ServiceFile:
    return ServiceFile(lfn, size, adler32, **{"storage": ("SITE_A_DISK",), **changes})


@pytest.mark.attack("A39", "A40")
@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "/gamma/../etc", "/gamma//f", "/gamma/a%2Fb", "/gammaray/f", "/gamma", "/gamma/\x00", None, 7],
)
def test_a_name_that_is_not_the_services_is_refused_with_the_whole_answer(name: Any) -> None:
    with pytest.raises(RouterError, match="nothing of it is used"):
        checked(file("/gamma/good"), file(name))


@pytest.mark.attack("A39", "A44")
@pytest.mark.parametrize("path", ["/../../etc/passwd", "relative", "/a;rm", "//host/x", "/a%2e%2e/b", "/-rf"])
def test_a_path_never_leaves_the_storage(path: str) -> None:
    with pytest.raises(RouterError):
        checked(file(path=path))


@pytest.mark.attack("A41")
def test_a_copy_is_where_a_site_declares_storage_and_nowhere_else() -> None:
    found = checked(file(storage=("SITE_A_DISK", "http://169.254.169.254/", "file:///etc", "root://u@evil//x")))
    [copy] = found.files[0].replicas
    assert copy.pfn == "file:///se/SITE_A/gamma/f"
    assert len(found.elsewhere) == 3


@pytest.mark.attack("A15", "A43")
@pytest.mark.parametrize(
    "changes",
    [
        {"size": -1}, {"size": 1.5}, {"size": True}, {"size": 1 << 60}, {"size": "1000"}, {"adler32": ""},
        {"adler32": "xyz"}, {"events": -1}, {"lumis": ((1, 5, 1),)}, {"lumis": ((1, 1, 1 << 40),)}, {"lumis": 7},
        {"storage": ("X",) * 2000}, {"storage": ("A\nB",)},
    ],
    ids=str,
)  # fmt: skip
def test_a_number_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RouterError):
        checked(file(**changes))


@pytest.mark.attack("A15")
def test_a_dataset_without_end_is_refused_at_its_bound() -> None:
    with pytest.raises(UserError, match="more than 10 files"):
        checked(*(file(f"/gamma/{number}") for number in range(11)))


@pytest.mark.attack("A43")
def test_a_file_never_gets_other_bytes() -> None:
    store = Store("sqlite://")
    store.mirror(checked(file()), 1.0)
    with pytest.raises(RouterError, match="never change"):
        store.mirror(checked(file(size=1001)), 2.0)
    assert [each.file.size for each in store.files(["/gamma/f"])] == [1000]
    store.close()


@pytest.mark.attack("A39", "A40")
def test_nobody_makes_names_where_a_service_answers() -> None:
    store = Store("sqlite://", Members(reserved=("/gamma",)))
    mallory = store.as_user("mallory", FakeClock())
    for asked in (
        lambda: mallory.register([a_file("/gamma/f", "SITE_A")]),
        lambda: mallory.make_directory("/gamma/mine", parents=True),
        lambda: mallory.link("/etc", "/gamma/l"),
    ):
        with pytest.raises(PermissionRefused):
            asked()
    store.mirror(checked(file("/gamma/sub/f")), 1.0)
    for asked in (
        lambda: mallory.remove(["/gamma/sub/f"]),
        lambda: mallory.move("/gamma/sub", "/mine"),
        lambda: mallory.add_dataset("/gamma/d", []),
    ):
        with pytest.raises(PermissionRefused):
            asked()
    assert mallory.stat("/gamma/sub/f").kind == "file"
    store.close()


@pytest.mark.attack("A15")
def test_a_service_that_hangs_is_given_up_and_asked_nothing_more() -> None:
    ends, asked = Event(), Deadline("The service", 0.05)
    begun = time.monotonic()
    with pytest.raises(TemporaryError, match="has not answered"):
        asked.ask(ends.wait)
    assert time.monotonic() < begun + 5
    with pytest.raises(TemporaryError, match="still owes"):
        asked.ask(ends.wait)
    ends.set()


class Hostile(BaseHTTPRequestHandler):
    """Redirects, answers without end, or answers nonsense."""

    def do_GET(self) -> None:
        kind = self.path[1:]
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/steal")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write({"line": b"x" * (5 << 20), "deep": b"[" * 100_000, "text": b"<html>\n"}[kind])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hostile() -> Iterator[Rest]:
    server = HTTPServer(("127.0.0.1", 0), Hostile)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Rest(f"http://127.0.0.1:{server.server_port}", 5.0)
    server.shutdown()
    server.server_close()


@pytest.mark.attack("A41", "A15")
@pytest.mark.parametrize("path", ["/redirect", "/line", "/deep", "/text"])
def test_a_redirect_is_not_followed_and_no_answer_is_read_without_bound(hostile: Rest, path: str) -> None:
    with pytest.raises(RouterError):
        list(hostile.objects("GET", path))


@pytest.mark.attack("A41")
@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x", "http://ok@evil", "http:///x", "ftp://host/"])
def test_a_service_has_an_address_of_http(url: str) -> None:
    with pytest.raises(UserError):
        Rest(url, 1.0)
