"""A real object store that speaks S3: OpenStack's Swift from the Python package index, in an environment of its own."""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from router.embedded.prefix import cache_folder
from router.errors import RouterError
from router.transfer.s3 import S3Endpoint

WANTED = Path(__file__).parents[2] / "requirements" / "swift.txt"
ACCESS, SECRET = "test:agent", "open-sesame"
KEYS = f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n"


@dataclass
class ObjectStore:
    """A running object store with an empty bucket."""

    folder: Path
    port: int

    @property
    def prefix(self) -> str:
        """How its files are named."""
        return f"s3://127.0.0.1:{self.port}/bucket/users"

    def keys(self, text: str = KEYS, mode: int = 0o600) -> Path:
        """A file with keys."""
        path = self.folder / f"keys-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{mode:o}"
        path.write_text(text)
        path.chmod(mode)
        return path


def installed() -> Path:
    """The python of an environment with Swift; made where it is missing. Raises RouterError where that cannot be."""
    cache = cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"swift-{hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    with (cache / "swift.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--require-hashes"]
            for command in ([sys.executable, "-m", "venv", "--without-pip", str(place)], [*pip, "-r", str(WANTED)]):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RouterError(f"Swift cannot be installed: {done.stderr.strip()[-500:]}")
            (place / "complete").touch()
    return python


@contextmanager
def running(folder: Path) -> Iterator[ObjectStore]:
    """A store of its own; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(__file__).parent / "swift_server.py"
    command = [str(installed()), "-W", "ignore", str(program), str(folder / "swift"), str(port), ACCESS, SECRET]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert server.stdin
    assert server.stdout
    try:
        if server.stdout.readline() != b"ready\n":
            raise RouterError(f"Swift did not start: {(folder / 'log').read_text()[-2000:]}")
        found = ObjectStore(folder, port)
        _make_bucket(found)
        yield found
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait(20)


def _make_bucket(store: ObjectStore) -> None:
    reached = S3Endpoint(store.prefix, lambda: KEYS, 20.0)
    with reached._answer("PUT", "the bucket", "/bucket") as found:
        assert found.status == 200, found.read()
