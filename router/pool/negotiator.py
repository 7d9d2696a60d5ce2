"""The running negotiator and its accountant behind the deadline child."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.errors import OutcomeUnknown, PoolUnreachable
from router.model.shares import ROOT, UNLIMITED, ShareState, SubmitterSetting
from router.pool import ads
from router.pool.channel import Channel

PATTERN = (
    r"GROUP_.*|[A-Za-z0-9_.]+_LIMIT|CONCURRENCY_LIMIT_DEFAULT|PRIORITY_HALFLIFE|DEFAULT_PRIO_FACTOR|SLOT_WEIGHT"
    r"|FORCE_NEGOTIATOR_SLOT_WEIGHT|PREEMPTION_(REQUIREMENTS|RANK)|DEFRAG_.*|UID_DOMAIN"
    r"|NEGOTIATOR_(CONSIDER_PREEMPTION|ALLOW_QUOTA_OVERSUBSCRIPTION|STRICT_ENFORCE_QUOTA|USE_SLOT_WEIGHTS|INTERVAL)"
)
SUBMITTER = ("Name", "WeightedIdleJobs", "IdleJobs")


class Negotiator:
    """Reads what the negotiator runs, and tells it anew."""

    def __init__(self, channel: Channel, read_s: float = 30.0, write_s: float = 60.0) -> None:
        """Speak over `channel`; reads and writes must end within these many seconds."""
        self._channel, self._read_s, self._write_s = channel, read_s, write_s

    def settings(self) -> Mapping[str, str]:
        """The settings of fair share as the running negotiator has read them."""
        found: dict[str, str] = self._read("negotiator_settings", pattern=PATTERN)
        return found

    def cores(self) -> float:
        """Cores of all slots that the collector knows."""
        slots = self._read("collector_ads", kind="Startd", constraint="true", attributes=["Cpus"])
        return sum(_real(each, "Cpus") for each in slots)

    def states(self) -> tuple[ShareState, ...]:
        """Every group and submitter the accountant knows, with what it uses and waits for."""
        rows = self._read("collector_ads", kind="Submitter", constraint="true", attributes=list(SUBMITTER))
        waiting: dict[str, float] = {}
        for row in rows:
            idle = _real(row, "WeightedIdleJobs") or _real(row, "IdleJobs")
            waiting[ads.text(row, "Name")] = waiting.get(ads.text(row, "Name"), 0.0) + idle
        return tuple(_state(row, waiting) for row in self._read("accounting"))

    def submitters(self) -> Mapping[str, SubmitterSetting]:
        """What the accountant holds for each submitter, by its whole name with the domain."""
        return {
            each.name: SubmitterSetting(each.name, each.factor, each.ceiling, each.floor)
            for each in self.states()
            if not each.is_group
        }

    def set_submitters(self, changes: Sequence[tuple[str, str, float]]) -> None:
        """Set `factor`, `ceiling` or `floor` of submitters. A refusal is silent: read back."""
        self._channel.call("set_submitters", deadline=self._write_s, changes=list(changes))

    def reconfigure(self, kinds: Iterable[str]) -> None:
        """Have the negotiator and the daemons of these kinds on its machine read their configuration again."""
        self._channel.call("reconfigure", deadline=self._write_s, kinds=list(kinds))

    def complaints(self, expressions: Sequence[str]) -> tuple[str, ...]:
        """What is wrong with each ClassAd expression; no pool is needed."""
        return tuple(self._channel.call("complaints", deadline=self._read_s, expressions=list(expressions)))

    def close(self) -> None:
        """End the child."""
        self._channel.close()

    def _read(self, operation: str, **arguments: Any) -> Any:
        try:
            return self._channel.call(operation, deadline=self._read_s, **arguments)
        except OutcomeUnknown as error:
            raise PoolUnreachable(str(error)) from None


def _state(row: Mapping[str, object], waiting: Mapping[str, float]) -> ShareState:
    name = ads.text(row, "Name")
    is_group = row.get("IsAccountingGroup") is True
    used = "HierWeightedResourcesUsed" if is_group and name != ROOT else "WeightedResourcesUsed"
    ceiling = row.get("Ceiling")
    return ShareState(
        name=name,
        group=ads.text(row, "AccountingGroup"),
        is_group=is_group,
        quota=_real(row, "EffectiveQuota" if name == ROOT else "SubtreeQuota"),
        used=_real(row, used),
        waiting=waiting.get(name, 0.0),
        priority=_real(row, "Priority"),
        factor=float(f"{_real(row, 'PriorityFactor'):.6g}"),  # 3000 comes back as 2999.999999
        ceiling=int(ceiling) if isinstance(ceiling, int | float) and ceiling >= 0 else UNLIMITED,
        floor=int(_real(row, "Floor")),
        limit=_real(row, "SubmitterLimit"),
    )


def _real(row: Mapping[str, object], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
