"""Physical names that would have somebody ask a server for the attacker (SSRF)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from router.errors import RouterError
from router.model import report
from router.model.files import Replica, StorageElement
from router.model.transfer import TransferError
from router.settings import load
from router.site_storage import misplaced
from router.transfer import address
from router.transfer.endpoints import endpoint
from router.transfer.reading import Reader
from router.worker import lfn_plugin
from router.worker.wrapper import description, reading

LFN = "/user/mallory/t/a.root"
ELEMENT = StorageElement("SE", "SITE", "https://se.example.org:8443/store")
NAMES = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:9618/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://ok@evil.example.org/",
    "https://se.example.org:8443@evil.example.org/store/x",
    "https://se.example.org:8443.evil.example.org/store/x",
    "https://se.example.org:8443/storehouse/x",
    "https://se.example.org:8443/store/../admin",
    "https://se.example.org:8443/store/%2e%2e/admin",
    "https://se.example.org:8443/store/x?authz=other",
    "https://se.example.org:8443/store/x#y",
    "https://se.example.org/store/x",
    "http://se.example.org:8443/store/x",
    "root://se.example.org//store/x?xrd.wantprot=unix",
    "gopher://se.example.org/x",
    "ftp://se.example.org/x",
    "simplecache::https://se.example.org:8443/store/x",
    "",
)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that somebody would have connected to."""
    asked: list[object] = []

    def refuse(_: socket.socket, place: object) -> None:
        asked.append(place)
        raise ConnectionRefusedError("only noted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.mark.attack("A41")
@pytest.mark.parametrize("pfn", NAMES)
def test_a_copys_name_asks_no_server_but_the_declared_one_below_its_prefix(pfn: str, connected: list[object]) -> None:
    reader = Reader.of([ELEMENT], lambda: "token")
    for se in ("SE", "OTHER"):
        with pytest.raises((RouterError, OSError)):
            list(reader.blocks(LFN, Replica(se, "SITE", pfn)))
    assert connected == []


@pytest.mark.attack("A41")
@pytest.mark.parametrize("pfn", NAMES)
def test_a_jobs_report_names_no_server_but_the_declared_one_and_nothing_there_but_its_output(
    pfn: str, tmp_path: Path
) -> None:
    (tmp_path / "glideroute.yaml").write_text(f"sites: {{SITE: {{storage: {{name: SE, prefix: '{ELEMENT.prefix}'}}}}}}")
    fault = misplaced(load(tmp_path).sites)

    def believed(name: str) -> bool:
        output = {"lfn": LFN, "size": 1, "adler32": "00000001", "se": "SE", "site": "SITE", "pfn": name}
        try:
            [found] = report.parse(json.dumps({"version": 1, "outputs": [output]})).outputs
        except ValueError:
            return False
        return not fault(found)

    assert believed(ELEMENT.prefix + LFN)
    assert not believed(pfn)


def resolving(*answers: str) -> Callable[..., list[object]]:
    """A name server that answers each question with the next address."""
    left = iter(answers)

    def found(_: str, port: int, **__: object) -> list[object]:
        each = next(left)
        family = socket.AF_INET6 if ":" in each else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (each, port))]

    return found


@pytest.mark.attack("A41")
@pytest.mark.parametrize("where", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "0.0.0.0"])  # noqa: S104
def test_a_name_that_leads_to_this_machine_is_not_followed(
    where: str, connected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving(where))
    with pytest.raises(TransferError, match="leads to"):
        endpoint(ELEMENT).facts(LFN)
    assert connected == []


@pytest.mark.attack("A41")
def test_a_name_is_looked_up_once_so_that_it_cannot_lead_elsewhere_the_second_time(
    connected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving("192.0.2.7", "127.0.0.1"))
    with pytest.raises(OSError, match="only noted"):
        address.connect("se.example.org", 443, 1.0)
    assert connected == [("192.0.2.7", 443)]


@pytest.mark.attack("A41")
@pytest.mark.parametrize("pfn", ["http://ok@evil.example.org/x", "root://se.example.org//x?authz=y", "root://-r/x"])
def test_a_job_reads_no_copy_whose_name_has_a_user_or_options(pfn: str) -> None:
    with pytest.raises(ValueError, match="not readable here"):
        description.physical_name(pfn)
    with pytest.raises(ValueError, match="can be read here"):
        lfn_plugin.opened(pfn)


@pytest.mark.attack("A41")
@pytest.mark.parametrize("module", [reading, lfn_plugin])
@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("se.example.org", "se.example.org", True),
        ("door.example.org", "pool7.example.org", True),
        ("door.example.org", "pool7.disks.example.org", True),
        ("door.example.org", "127.0.0.1", False),
        ("door.example.org", "localhost", False),
        ("door.example.org", "example.org.evil.net", False),
        ("door.example.org", "evilexample.org", False),
        ("127.0.0.1", "10.0.0.1", False),
        ("example.org", "evil.org", False),
        ("localhost", "evil.org", False),
        ("::1", "evil.org", False),
    ],
)
def test_a_job_follows_a_redirect_within_a_storage_only(module: object, host: str, other: str, same: bool) -> None:
    assert module.same_storage(host, other) is same  # type: ignore[attr-defined]


@pytest.fixture
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """A storage that sends its readers to a service of another name, and the requests that came."""
    asked: list[str] = []

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/secret")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Storage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.attack("A41")
def test_nobody_is_sent_on_to_another_server(redirecting: tuple[str, list[str]]) -> None:
    base, asked = redirecting
    for opened in (reading.open_replica, lfn_plugin.opened):
        with pytest.raises(OSError, match="not of 127"):
            opened(f"{base}/store/x")
    element = StorageElement("SE", "SITE", f"{base}/store")
    with pytest.raises(TransferError, match="302"):
        list(Reader.of([element], lambda: "token").blocks("/x", Replica("SE", "SITE", element.pfn("/x"))))
    assert asked == ["/store/x"] * 3
