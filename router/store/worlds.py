"""The last worlds in which the router decided something, as files: for `router replay`, and for bug reports."""

import gzip
import logging
from pathlib import Path

from router.errors import UserError
from router.model import snapshot
from router.model.policy import BrokerPolicy
from router.model.world import World

log = logging.getLogger(__name__)


class Worlds:
    """A folder of compressed snapshots; the oldest make room."""

    def __init__(self, folder: Path, keep: int, policy: BrokerPolicy) -> None:
        """Keep the last `keep` worlds in `folder`, with the policy that decides in them."""
        self._folder, self._keep, self._policy = folder, keep, policy

    def save(self, world: World) -> None:
        """Write a world, whole or not at all; without space for it the router does its work all the same."""
        try:
            self._save(world)
        except OSError as error:
            log.warning("a world is not kept: %s", error)

    def _save(self, world: World) -> None:
        if self._keep <= 0:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{int(world.now * 1000):015d}.json.gz"
        part = path.with_suffix(".part")
        part.write_bytes(gzip.compress(snapshot.dump(world, self._policy).encode(), compresslevel=1))
        part.rename(path)
        for old in sorted(self._folder.glob("*.json.gz"))[: -self._keep]:
            old.unlink(missing_ok=True)


def read(path: Path) -> snapshot.Saved:
    """The world in a file, compressed or not, and its policy. Raises UserError where it holds none."""
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        return snapshot.load(text.decode(), str(path))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
