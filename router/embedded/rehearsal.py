"""A policy in a pool of its own: the real negotiator, forty slots on this machine, and jobs that sleep.

Everybody has more jobs than there are slots, so what is seen are shares, not waits. It costs about a core of this
machine while it runs, and leaves nothing behind.
"""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from router.embedded.pool import SHORT_FOLDER, EmbeddedPool
from router.embedded.programs import call, complaint
from router.errors import RouterError
from router.model.shares import UNLIMITED, SubmitterSetting

SLOTS = 40
CYCLE_S = 2.0
LENGTHS_S = (5, 6, 7, 8, 9)
"""Jobs of one length would end together, again and again."""
JOB = ("executable = /bin/sleep", "should_transfer_files = NO", "request_memory = 1", "request_disk = 1", "hold = true")


def slot_settings(slots: int) -> str:
    """HTCondor's settings for a pool of so many slots of one core, with a negotiation cycle every CYCLE_S seconds."""
    return f"""
DAEMON_LIST = $(DAEMON_LIST) STARTD
NUM_CPUS = {slots}
MEMORY = {slots * 100}
NUM_SLOTS = {slots}
NUM_SLOTS_TYPE_1 = {slots}
SLOT_TYPE_1 = cpus=1,memory=100,disk={40 / slots:.2f}%
SLOT_TYPE_1_PARTITIONABLE = False
UPDATE_INTERVAL = 10
# A claim that outlives its job would serve its user again without the negotiator.
CLAIM_WORKLIFE = 0
MAX_CONCURRENT_UPLOADS_PER_USER = 0
NEGOTIATOR_INTERVAL = {CYCLE_S:g}
"""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A scratch pool, and its folder for submissions."""

    pool: EmbeddedPool
    work: Path

    def run(self, settings: Sequence[SubmitterSetting], seconds: float) -> dict[str, float]:
        """Give each submitter jobs without end; return the mean of the slots each had in the second half."""
        domain = self._tool("admin", "condor_status", "-negotiator", "-af", "Name").split("@")[0]
        for each in settings:
            self._prefer(each, f"{each.submitter}@{domain}")
            self._submit(each.submitter, round(SLOTS * (seconds / LENGTHS_S[0] + 2)))
        self._tool("router", "condor_release", "-all")
        began, rounds = time.monotonic(), 0
        sums = dict.fromkeys((each.submitter for each in settings), 0.0)
        while (at := time.monotonic() - began) < seconds:
            if at > seconds / 2:
                rounds += 1
                for name in self._claimed():
                    sums[name] = sums.get(name, 0.0) + 1
            time.sleep(CYCLE_S / 2)
        return {name: total / max(rounds, 1) for name, total in sums.items()}

    def _prefer(self, setting: SubmitterSetting, name: str) -> None:
        self._tool("admin", "condor_userprio", "-setfactor", name, f"{setting.factor:g}")
        if setting.ceiling != UNLIMITED:
            self._tool("admin", "condor_userprio", "-setceiling", name, str(setting.ceiling))
        if setting.floor:
            self._tool("admin", "condor_userprio", "-setfloor", name, str(setting.floor))

    def _submit(self, submitter: str, jobs: int) -> None:
        group, _, user = submitter.rpartition(".")
        chance = random.Random(submitter)  # noqa: S311 - no secret hangs on it
        booked = [f"accounting_group = {group}", f"accounting_group_user = {user}"] if group else []
        lengths = [str(chance.choice(LENGTHS_S)) for _ in range(jobs)]
        file = self.work / f"{submitter}.sub"
        file.write_text("\n".join([*JOB, *booked, "queue arguments from (", *lengths, ")", ""]))
        self._tool(user, "condor_submit", "-terse", str(file))

    def _claimed(self) -> list[str]:
        """The submitter of each claimed slot."""
        text = self._tool("admin", "condor_status", "-constraint", 'State == "Claimed"', "-af", "AccountingGroup")
        return [line.partition("@")[0] for line in text.split()]

    def _tool(self, user: str, *command: str) -> str:
        finished = call(command, self.pool.env(user), 60, self.work)
        if finished.returncode != 0:
            raise RouterError(f"{command[0]} failed in the scratch pool: {complaint(finished)}. Try again.")
        return finished.stdout


@contextmanager
def scratch_pool(schedd_config: Path, shares: str, progress: Callable[[str], None]) -> Iterator[Rehearsal]:
    """A pool that runs the configuration `shares`, with slots and without our routing rules; gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="gr-", dir=SHORT_FOLDER))
    bare = home / "settings"
    pool = EmbeddedPool(home / "pool", bare, progress=progress)
    try:
        for folder in (bare, home / "work", pool.home / "config.d"):
            folder.mkdir(parents=True)
        (bare / "embedded").symlink_to(schedd_config / "embedded")
        (pool.home / "config.d/10-slots.config").write_text(slot_settings(SLOTS))
        (pool.home / "config.d/60-shares.config").write_text(shares)
        pool.up()
        yield Rehearsal(pool, home / "work")
    finally:
        pool.down()
        shutil.rmtree(home, ignore_errors=True)
