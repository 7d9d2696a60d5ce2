"""Makes the negotiator run a fair-share policy, and makes sure that it does; otherwise everything is as it was.

The order: files in one step, reconfig, read back from the running daemons until they say the same, then the
accountant's records. A daemon that does not come to run the policy gets its old files back.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from router.decide import share_diff
from router.errors import RouterError, TemporaryError
from router.model.shares import SharePolicy, SubmitterSetting
from router.render import negotiator as rendering

BESIDE = ("Schedd", "Master")
ASK_EVERY_S = 0.5
SETTLE_S = 2.0


class RunningNegotiator(Protocol):
    """The negotiator and its accountant."""

    def settings(self) -> Mapping[str, str]:
        """The settings it runs."""
        ...

    def submitters(self) -> Mapping[str, SubmitterSetting]:
        """The accountant's records of submitters, by whole name."""
        ...

    def set_submitters(self, changes: Sequence[tuple[str, str, float]]) -> None:
        """Set factor, ceiling or floor of submitters; a refusal is silent."""
        ...

    def reconfigure(self, kinds: Sequence[str]) -> None:
        """Have the negotiator and the daemons of these kinds beside it read their configuration again."""
        ...


class ConfigFiles(Protocol):
    """The files of a configuration directory that are ours."""

    def replace(self, files: Mapping[str, str]) -> Mapping[str, str]:
        """Write these and take our others away. Returns what was there before."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """What a policy would change: in words, and what the accountant must be told."""

    words: tuple[str, ...]
    submitters: tuple[tuple[str, str, float], ...]


def compare(policy: SharePolicy, running: RunningNegotiator) -> Difference:
    """What would change if the policy were applied."""
    settings = running.settings()
    submitters = share_diff.submitter_changes(policy, running.submitters(), settings.get("UID_DOMAIN", ""))
    words = share_diff.differences(rendering.read_back(settings), policy)
    return Difference((*words, *map(share_diff.told, submitters)), submitters)


def apply(
    policy: SharePolicy,
    files: Mapping[str, str],
    running: RunningNegotiator,
    place: ConfigFiles,
    seconds: float,
) -> Difference:
    """Make the pool run the policy. Returns what was changed.

    Raises RouterError when the negotiator does not come to run it within `seconds`; the old files are back then, and
    the accountant's records as they were.
    """
    difference = compare(policy, running)
    before, records = place.replace(files), running.submitters()
    try:
        running.reconfigure(BESIDE)
        _until(lambda: _unlike(files, running), seconds)
        _set(difference.submitters, running)
    except BaseException as error:
        place.replace(before)
        _undo(running, records, difference.submitters)
        if isinstance(error, RouterError):
            raise RouterError(f"The policy was not applied, and the old one is back: {error}") from error
        raise
    return difference


def _unlike(files: Mapping[str, str], running: RunningNegotiator) -> str:
    """The first setting that the negotiator does not run as wanted, in words; empty when it runs them all."""
    wanted = rendering.parse(files[rendering.SHARES_FILE])  # the others are the schedd's
    runs = {name.lower(): value for name, value in running.settings().items()}
    for name, value in wanted.items():
        found = runs.get(name.lower(), "")
        if name != "DAEMON_LIST" and not rendering.same(found, value):
            return f"{name} is {found or 'unset'}, not {value}"
    return ""


def _until(complaint: Callable[[], str], seconds: float) -> None:
    """Wait until there is no complaint, twice with some time between: a daemon that ends does so a little later."""
    end, quiet_since, last = time.monotonic() + seconds, 0.0, ""
    while True:
        try:
            last = complaint()
        except TemporaryError as error:
            last = f"the negotiator does not answer: {error}"
        now = time.monotonic()
        quiet_since = (quiet_since or now) if not last else 0.0
        if quiet_since and now - quiet_since >= SETTLE_S:
            return
        if now > end:
            raise RouterError(
                f"after {seconds:g} s, {last or 'the negotiator had not settled'}. Another file of the configuration "
                "directory may set it later (`condor_config_val -verbose NAME` tells), or NegotiatorLog says why the "
                "negotiator did not read it."
            )
        time.sleep(ASK_EVERY_S)


def _set(changes: Sequence[tuple[str, str, float]], running: RunningNegotiator) -> None:
    if not changes:
        return
    running.set_submitters(changes)
    holds = running.submitters()
    for name, kind, value in changes:
        found = getattr(holds.get(name), kind, None)
        if found != value:
            raise RouterError(
                f"the {kind} of {name} is {found or 'unset'}, not {value:g}: the negotiator takes it from "
                "administrators alone, and refuses others in silence. Apply the policy as one (ALLOW_ADMINISTRATOR)."
            )


def _undo(
    running: RunningNegotiator, records: Mapping[str, SubmitterSetting], changes: Sequence[tuple[str, str, float]]
) -> None:
    """Have everything as it was; a daemon that is down reads its files when it comes back."""
    back = [(name, kind, float(getattr(records[name], kind))) for name, kind, _ in changes if name in records]
    try:
        running.reconfigure(BESIDE)
        running.set_submitters(back)
    except RouterError:
        return


class ConfigDirectory:
    """Our files in a configuration directory of HTCondor's."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Files of these names in `folder` are ours."""
        self.folder, self._names = folder, tuple(names)

    def path(self, name: str) -> Path:
        """Where a file of ours lies. HTCondor reads whatever is in the directory as configuration, so maps do not."""
        return (self.folder if name.endswith(".config") else self.folder.parent) / name

    def replace(self, files: Mapping[str, str]) -> Mapping[str, str]:
        """Write these and take our others away, each whole or not at all. Returns what was there before."""
        try:
            before = {name: text for name in self._names if (text := self._text(name)) is not None}
            for name, text in files.items():
                place = self.path(name)
                part = place.with_name(f".{name}.part")
                part.write_text(text)
                part.replace(place)
            for name in self._names:
                if name not in files:
                    self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise RouterError(
                f"The configuration in {self.folder} cannot be written: {error}. Apply the policy as someone who may "
                "write there, or name another directory with --config-dir."
            ) from None
        return before

    def _text(self, name: str) -> str | None:
        try:
            return self.path(name).read_text()
        except FileNotFoundError:
            return None
