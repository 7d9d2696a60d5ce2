"""Outputs of a task at one storage that are to go to another, over storage that fails now and then; on real disks."""

import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from router.loops.stageout import StageOut
from router.model.files import File, Located, Replica, StorageElement
from router.model.policy import StageOutPolicy
from router.model.transfer import Transfer, TransferCause, TransferError
from router.store.schema import sqlite_url
from router.store.store import Store
from router.testing.clock import NOON, FakeClock
from router.transfer.copying import Copier
from router.transfer.endpoint import Endpoint, Facts
from router.transfer.local import LocalEndpoint

TASK = "/user/alice/zmumu-1"
CLASSES = (
    TransferCause.QUOTA,
    TransferCause.PERMISSION,
    TransferCause.DOWN,
    TransferCause.TIME_OUT,
    TransferCause.CHECKSUM,
)


@dataclass
class Failing:
    """Storage of which each copy meets each fault with a probability."""

    inner: Endpoint
    share: float
    chance: random.Random

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write, or fail: before the first byte, after some of them, or by writing others."""
        drawn = self.chance.random()
        number = int(drawn / self.share) if self.share else len(CLASSES)
        if number >= len(CLASSES):
            self.inner.write(lfn, part, blocks, size)
        elif CLASSES[number] is TransferCause.CHECKSUM:
            self.inner.write(lfn, part, (block[:-1] + b"\0" for block in blocks), size)
        else:
            self.inner.write(lfn, part, (block[:10] for block in blocks), size)
            raise TransferError(CLASSES[number], f"{lfn}: injected")

    def read(self, lfn: str) -> Iterator[bytes]:
        """As it is."""
        return self.inner.read(lfn)

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """As it is."""
        return self.inner.facts(lfn, part)

    def publish(self, lfn: str, part: str) -> None:
        """As it is, or done without saying so."""
        self.inner.publish(lfn, part)
        if self.chance.random() < self.share:
            raise TransferError(TransferCause.TIME_OUT, f"{lfn}: the answer did not come")

    def remove(self, lfn: str, part: str = "") -> None:
        """As it is, or not at all."""
        if self.chance.random() < self.share:
            raise TransferError(TransferCause.DOWN, f"{lfn}: injected")
        self.inner.remove(lfn, part)


class Outputs:
    """Outputs in a folder, which a second process may open too."""

    def __init__(self, folder: Path, *, faults: float = 0.0, seed: int = 0, size: int = 64) -> None:
        """Outputs of `size` bytes below `folder`; each copy meets each fault with the probability `faults`."""
        self.folder, self.size = folder, size
        self.store = Store(sqlite_url(folder / "store.db"))
        self.clock = FakeClock()
        self.elements = {
            f"{site}_DISK": StorageElement(f"{site}_DISK", site, f"file://{folder / site}") for site in "AB"
        }
        for site in "AB":
            (folder / site).mkdir(exist_ok=True)
        chance = random.Random(seed)  # noqa: S311 - no secret
        self.endpoints: dict[str, Endpoint] = {
            f"{site}_DISK": Failing(LocalEndpoint(folder / site), faults, chance) for site in "AB"
        }

    def content(self, number: int) -> bytes:
        """What output `number` holds."""
        return (f"output {number} ".encode() * self.size)[: self.size]

    def made(self, count: int) -> "Outputs":
        """Let jobs have left `count` outputs."""
        wanted = []
        for number in range(count):
            content = self.content(number)
            lfn = f"{TASK}/{number // 1000:03d}/out_{number:05d}"
            path = self.folder / "A" / lfn[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            file = File(lfn, len(content), f"{zlib.adler32(content):08x}")
            wanted.append(Transfer(file, "alice", "zmumu-1", f"{number:04d}", "A_DISK", "B_DISK"))
        self.store.hand_over(wanted, NOON)
        there = [Located(each.file, (Replica("A_DISK", "A", f"file://A{each.file.lfn}"),)) for each in wanted]
        self.store.register(there, "alice", NOON)
        self.wanted = wanted
        return self

    def agent(self, policy: StageOutPolicy | None = None) -> StageOut:
        """An agent, new as after a restart."""
        chosen = policy or StageOutPolicy()
        mover = Copier(self.elements, self.endpoints, chosen.parallel)
        return StageOut(self.store, mover, frozenset(self.elements), chosen, self.clock)

    def run(self, policy: StageOutPolicy) -> dict[str, int]:
        """Let an agent work until nothing is left to do; returns its failed copies by cause."""
        agent = self.agent(policy)
        while {str(each.state) for each in self.store.transfer_counts()} != {"moved"}:
            agent.step()
            self.clock.pass_time(600)
        return {cause: count for (_, cause), count in agent.outcomes.items() if cause}

    def faults_found(self) -> tuple[int, int]:
        """How many outputs are lost, and how many are somewhere twice; anything else that is left raises."""
        known = {each.file.lfn: each for each in self.store.files(self.store.listing(TASK))}
        lost = twice = 0
        for number, each in enumerate(self.wanted):
            rows = [replica.se for replica in known[each.file.lfn].replicas] if each.file.lfn in known else []
            path = self.folder / "B" / each.file.lfn[1:]
            whole = path.is_file() and path.read_bytes() == self.content(number)
            lost += rows.count("B_DISK") != 1 or not whole
            twice += len(rows) > 1 or (self.folder / "A" / each.file.lfn[1:]).exists()
        files = sum(path.is_file() for site in "AB" for path in (self.folder / site).rglob("*"))
        if len(known) != len(self.wanted) or files != len(self.wanted):
            raise AssertionError(f"{len(self.wanted)} outputs, {len(known)} in the catalogue, {files} files")
        return lost, twice

    def close(self) -> None:
        """Give the database back."""
        self.store.close()
