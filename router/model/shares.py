"""Who may use how much: the fair-share tree, its users, limits, preemption and draining, as values.

Cores stand for whatever a slot weighs; they are the unit of the negotiator's quotas and of its users' usage.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

UNLIMITED = -1
"""A ceiling that is none."""
RESERVED_LIMITS = frozenset({"ARC_GAHP_COMMAND", "DETECTED_CPUS", "CONCURRENCY"})
"""No names of concurrency limits: HTCondor has settings of its own that are called so, with `_LIMIT` behind."""
EVERYBODY = "*"
ROOT = "<none>"
"""HTCondor's name of the group of those who named none."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a group is entitled to: a part of what its parent has, from 0 to 1, or a number of cores."""

    amount: float
    dynamic: bool

    def __str__(self) -> str:
        """As it is written in a policy."""
        return f"{self.amount * 100:g} %" if self.dynamic else f"{self.amount:g} cores"


@dataclass(frozen=True, slots=True)
class Group:
    """A node of the tree; `name` is the whole one, such as `higgs.zz`."""

    name: str
    quota: Quota
    surplus: bool = False
    """Whether it may use what others leave; without it, its quota is a ceiling as well."""
    factor: float = 0.0
    """Priority factor of its users, at least 1; 0: the policy's."""
    members: tuple[str, ...] = ()
    """Users who may name it; `*` is everybody."""

    @property
    def parent(self) -> str:
        """The name of the group above; empty at the top."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Person:
    """What is set for one user, in each of the groups the user is in."""

    name: str
    group: str = ""
    """The group of jobs that name none; empty: the first the user is a member of."""
    factor: float = 0.0
    """Priority factor, at least 1; 0: that of the group."""
    ceiling: int = UNLIMITED
    """Cores the user never exceeds; -1: no ceiling."""
    floor: int = 0
    """Cores the user gets before anyone else's share is counted."""


@dataclass(frozen=True, slots=True)
class Preemption:
    """Whether a running job may be ended for one with a better claim."""

    allowed: bool = False
    requirements: str = ""
    """ClassAd expression that must hold; empty: never."""
    rank: str = ""
    """ClassAd expression: of the jobs that may be ended, the highest first."""


@dataclass(frozen=True, slots=True)
class Draining:
    """How many machines are emptied for jobs that need whole ones."""

    per_hour: float = 0.0
    """Machines an hour; 0: none, condor_defrag does not run."""
    at_once: int = 10
    whole: int = 20
    """Whole machines after which no more are drained."""
    requirements: str = ""
    whole_machine: str = ""
    """ClassAd expression of a machine that is whole; empty: HTCondor's."""


@dataclass(frozen=True, slots=True)
class SharePolicy:
    """Everything the negotiator is told of who is next."""

    groups: tuple[Group, ...] = ()
    """Parents before their children, in the order written."""
    people: tuple[Person, ...] = ()
    half_life_s: int = 86_400
    default_factor: float = 1000.0
    slot_weight: str = "Cpus"
    order: str = ""
    """ClassAd expression: groups are served from the smallest value on; empty: HTCondor's, the neediest first."""
    limits: tuple[tuple[str, float], ...] = ()
    """Concurrency limits: how many jobs that name one may run at once."""
    default_limit: float = -1.0
    """For limits that are not listed; -1: none."""
    preemption: Preemption = field(default_factory=Preemption)
    draining: Draining = field(default_factory=Draining)

    def group(self, name: str) -> Group | None:
        """The group of that name."""
        return next((each for each in self.groups if each.name == name), None)

    def children(self, name: str) -> tuple[Group, ...]:
        """The groups directly below one; of the empty name, those at the top."""
        return tuple(each for each in self.groups if each.parent == name)

    def person(self, name: str) -> Person:
        """What is set for a user."""
        return next((each for each in self.people if each.name == name), Person(name))

    def groups_of(self, user: str) -> tuple[str, ...]:
        """The groups a user may name, that of jobs that name none first."""
        found = [each.name for each in self.groups if {user, EVERYBODY} & set(each.members)]
        first = self.person(user).group
        return tuple(sorted(found, key=lambda name: name != first))

    def users(self) -> tuple[str, ...]:
        """Everyone the policy names, sorted."""
        named = {name for each in self.groups for name in each.members} | {each.name for each in self.people}
        return tuple(sorted(named - {EVERYBODY} - set(self.token_groups())))

    def token_groups(self) -> tuple[str, ...]:
        """The groups of a virtual organisation that are members, as tokens name them, sorted."""
        return tuple(sorted({name for each in self.groups for name in each.members if name.startswith("/")}))

    def booked(self, submitter: str) -> tuple[str, str]:
        """The group and the user to whom HTCondor books a submitter: the deepest group its name begins with."""
        levels, group = submitter.split("."), ""
        known = {each.name.lower(): each.name for each in self.groups}
        for count in range(1, len(levels)):
            if (found := known.get(".".join(levels[:count]).lower())) is None:
                break
            group = found
        return group, submitter[len(group) :].lstrip(".") if group else submitter

    def setting(self, submitter: str) -> "SubmitterSetting":
        """What the accountant should hold for a submitter, whether the policy names it or not."""
        name, user = self.booked(submitter)
        person, group = self.person(user), self.group(name)
        factor = person.factor or (group.factor if group else 0.0) or self.default_factor
        return SubmitterSetting(submitter, factor, person.ceiling, person.floor)

    def settings(self) -> Iterator["SubmitterSetting"]:
        """What the accountant must hold for each submitter the policy names."""
        for user in self.users():
            for group in self.groups_of(user) or ("",):
                yield self.setting(f"{group}.{user}".lstrip("."))


@dataclass(frozen=True, slots=True, order=True)
class SubmitterSetting:
    """What the accountant holds for a submitter, such as `higgs.zz.alice`; without the domain."""

    submitter: str
    factor: float
    ceiling: int = UNLIMITED
    floor: int = 0


@dataclass(frozen=True, slots=True)
class ShareState:
    """What the running negotiator says of a group or a submitter; cores, and priority as it compares them."""

    name: str
    group: str
    is_group: bool
    quota: float = 0.0
    used: float = 0.0
    waiting: float = 0.0
    priority: float = 0.0
    factor: float = 0.0
    ceiling: int = UNLIMITED
    floor: int = 0
    limit: float = 0.0
    """Cores its share of the last cycle came to; 0 where it did not take part."""
