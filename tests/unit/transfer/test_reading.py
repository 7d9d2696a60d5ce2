"""Reading where the user is: from declared storage elements, with the user's own token."""

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from router.errors import RouterError, TemporaryError
from router.model.files import Replica, StorageElement
from router.transfer.reading import Reader, own_token

LFN = "/user/alice/t/a.root"


class Storage(BaseHTTPRequestHandler):
    """A storage element with one file, for alice."""

    def do_GET(self):
        if self.headers.get("Authorization") != "Bearer alices":
            self.send_error(403)
        elif self.path == f"/store{LFN}":
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"events")
        else:
            self.send_error(404)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def element():
    with HTTPServer(("127.0.0.1", 0), Storage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield StorageElement("A_DISK", "A", f"http://127.0.0.1:{server.server_port}/store")
        server.shutdown()
        thread.join()


def a_reader(*elements: StorageElement, shown: str = "alices") -> Reader:
    return Reader.of(elements, lambda: shown)


def test_a_copy_is_read_by_its_physical_name_with_the_users_token(element):
    assert b"".join(a_reader(element).blocks("/renamed", Replica("A_DISK", "A", element.pfn(LFN)))) == b"events"


def test_what_the_sites_jobs_name_as_a_file_is_read_at_the_storage_element_elsewhere(element):
    copy = Replica("A_DISK", "A", f"file:///mnt/users{LFN}")
    assert b"".join(a_reader(element).blocks(LFN, copy)) == b"events"
    assert a_reader(element).has(LFN, copy)


def test_a_storage_element_tells_whether_a_copy_is_there(element):
    assert not a_reader(element).has("/x", Replica("A_DISK", "A", element.pfn("/user/alice/none")))


def test_of_a_storage_that_refuses_or_does_not_answer_nothing_is_said(element):
    copy = Replica("A_DISK", "A", element.pfn(LFN))
    with pytest.raises(TemporaryError, match=r"cannot be said: .*403"):
        a_reader(element, shown="").has(LFN, copy)
    dead = StorageElement("A_DISK", "A", "http://127.0.0.1:9/store")
    with pytest.raises(TemporaryError, match="cannot be said"):
        a_reader(dead).has(LFN, Replica("A_DISK", "A", dead.pfn(LFN)))


def test_a_copy_at_a_storage_element_that_nobody_declares_is_no_matter_of_a_network():
    with pytest.raises(RouterError, match="declare no storage element A_DISK"):
        a_reader().blocks(LFN, Replica("A_DISK", "A", "root://se.example.org//x"))


def test_what_is_mounted_is_there_or_not(tmp_path):
    copy = Replica("A", "SITE_A", f"file://{tmp_path}/a%20b")
    assert not a_reader().has(LFN, copy)
    (tmp_path / "a b").touch()
    assert a_reader().has(LFN, copy)


def test_what_is_mounted_elsewhere_is_not_called_gone(tmp_path):
    element = StorageElement("A", "SITE_A", f"file://{tmp_path}/not/mounted")
    with pytest.raises(TemporaryError, match="is not mounted here"):
        a_reader(element).has(LFN, Replica("A", "SITE_A", element.pfn(LFN)))


def private(path: Path, text: str) -> str:
    path.write_text(text + "\n")
    return str(path)


def test_the_users_token_is_found_in_the_order_of_the_standard(tmp_path):
    uid = os.getuid()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "BEARER_TOKEN_FILE": private(tmp_path / "t", "second")}
    private(tmp_path / f"bt_u{uid}", "third")
    assert own_token({**environment, "BEARER_TOKEN": " first "}, uid) == "first"
    assert own_token(environment, uid) == "second"
    assert own_token({"XDG_RUNTIME_DIR": str(tmp_path)}, uid) == "third"


def test_a_token_that_somebody_else_has_put_there_is_not_used(tmp_path):
    mallory, alice = os.getuid() or 12345, os.getuid() + 1
    path = private(tmp_path / f"bt_u{alice}", "mallory's")
    os.chown(path, mallory, -1)  # root's own files are believed
    with pytest.raises(RouterError, match="somebody else's file"):
        own_token({"BEARER_TOKEN_FILE": path}, alice)


def test_a_named_token_file_that_is_missing_is_no_token_of_another_place(tmp_path):
    private(tmp_path / "bt_u7", "other")
    assert own_token({"BEARER_TOKEN_FILE": str(tmp_path / "none"), "XDG_RUNTIME_DIR": str(tmp_path)}, 7) == ""
