"""The pilot loop: observe what jobs ask for, decide how many glideins each entry needs, start them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from router.decide.demand import demand
from router.errors import RouterError, TemporaryError
from router.loops.lease import Alone, Leader
from router.loops.observe import Declared, assemble, said
from router.model.action import PilotAction, StartGlideins, StopGlideins
from router.model.policy import DemandPolicy
from router.model.world import World
from router.ports import Clock, Memory, PilotBackend, Pool

log = logging.getLogger(__name__)


@dataclass
class Pilots:
    """One factory: its sources, its policy, and the last world it saw."""

    pool: Pool
    memory: Memory
    backend: PilotBackend
    sites: Sequence[Declared]
    policy: DemandPolicy
    clock: Clock
    leader: Leader = field(default_factory=Alone)
    world: World | None = None
    started: dict[str, int] = field(default_factory=dict)
    """Glideins submitted since the start, by entry."""

    def step(self) -> list[PilotAction]:
        """Do one pass; returns what was done."""
        if not self.leader.lead():
            return []
        entries = [entry for site in self.sites for entry in site.entries]
        jobs, slots = self.pool.jobs(), self.pool.slots()
        sites = assemble(self.sites, jobs, slots, said(self.memory, self.clock.now()), {}, self.pool.failures())
        world = World(self.clock.now(), sites, jobs)
        self.world = replace(world, entries=self.backend.states(entries))
        return [action for action in demand(self.world, self.policy) if self._apply(action)]

    def _apply(self, action: PilotAction) -> bool:
        known = {entry.name: entry for site in self.sites for entry in site.entries}
        try:
            match action:
                case StartGlideins():
                    self.backend.start(known[action.entry], action.count)
                    self.started[action.entry] = self.started.get(action.entry, 0) + action.count
                case StopGlideins():
                    self.backend.stop(action.ids, action.words)
        except TemporaryError:
            raise
        except RouterError as error:  # one entry that cannot be described must not stop the others
            log.error("entry %s: %s", action.entry, error)
            return False
        log.info("entry %s: %s", action.entry, action.words)
        return True
