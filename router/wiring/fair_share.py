"""What reads, reckons and rehearses fair share."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from router.decide.share_wait import Outlook, outlook
from router.embedded import whatif
from router.embedded.containment import AS_NOBODY
from router.embedded.pool import EmbeddedPool
from router.embedded.rehearsal import scratch_pool
from router.embedded.state import load as load_state
from router.embedded.whatif import Central, DryRun
from router.errors import PoolUnreachable, RouterError, UserError
from router.model.share_load import Submission
from router.model.shares import SubmitterSetting
from router.pool.channel import Channel
from router.pool.negotiator import Negotiator
from router.pool.recorded import load_of
from router.render.negotiator import SHARES_FILE, read_back
from router.resources import folder
from router.settings import Settings
from router.wiring.connections import condor_environment, embedded_pool, queue, user_name


def central(pool: EmbeddedPool) -> Central:
    """How to start a negotiator beside that of an embedded pool."""
    state = load_state(pool.home)
    if state is None:
        raise PoolUnreachable(f"There is no pool in {pool.home} yet. Start it: glideroute pool up")
    # Only the token makes it the pool's: with the signing key it would make itself one that the pool does not know.
    unsigned = {"SEC_TOKEN_POOL_SIGNING_KEY_FILE": "", "SEC_PASSWORD_DIRECTORY": str(pool.home / "config.d")}
    return Central(
        program=state.installation.release.sbin / "condor_negotiator",
        config=pool.home / "condor_config",
        config_dir=pool.home / "config.d",
        spool=pool.home / "spool",
        before=("unshare", *AS_NOBODY) if os.geteuid() == 0 else (),
        overrides=unsigned,
    )


@contextmanager
def negotiator(settings: Settings, identity: str = "admin") -> Iterator[Negotiator]:
    """The running negotiator: of the embedded pool where there is one, else as the environment."""
    channel = Channel(condor_environment(settings, identity), identity)
    made = Negotiator(channel, settings.calls.read_s, settings.calls.write_s)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def expression_parser() -> Iterator[Callable[[Sequence[str]], tuple[str, ...]]]:
    """What says what is wrong with ClassAd expressions; it needs no pool."""
    made = Negotiator(Channel({"CONDOR_CONFIG": os.devnull}))
    try:
        yield made.complaints
    finally:
        made.close()


def config_directory(settings: Settings) -> Path:
    """Where HTCondor reads its configuration: the embedded pool's directory, else the distribution's."""
    embedded = embedded_pool(settings)
    return embedded.home / "config.d" if embedded else Path("/etc/condor/config.d")


def dry_run(settings: Settings, shares: str) -> DryRun | None:
    """What the pool's negotiator would give each group; None where none can be started beside it."""
    embedded = embedded_pool(settings)
    return whatif.dry_run(central(embedded), SHARES_FILE, shares) if embedded else None


def outlooks(settings: Settings, submitters: Collection[str]) -> tuple[Outlook, ...]:
    """What submitters' waiting jobs can expect of fair share; nothing where the negotiator does not answer."""
    if not submitters:
        return ()
    try:
        with negotiator(settings, user_name(settings)) as running:
            policy, states, cores = read_back(running.settings()), running.states(), running.cores()
    except RouterError:  # an explanation without it is better than none
        return ()
    run_s = settings.broker.typical_run_s
    found = (outlook(policy, states, cores, each, run_s) for each in sorted(submitters))
    return tuple(each for each in found if each is not None)


def scratch_run(shares: str, submitters: Sequence[SubmitterSetting], seconds: float) -> dict[str, float]:
    """The slots that submitters with jobs without end get in a pool of its own; everything is gone afterwards."""
    with scratch_pool(folder("schedd_config"), shares, lambda _: None) as rehearsal:
        return rehearsal.run(submitters, seconds)


def recorded_load(settings: Settings, hours: float) -> tuple[Submission, ...]:
    """The jobs that ended in the last hours, as they were submitted. Raises UserError where there are none."""
    jobs = queue(settings, user_name(settings))
    now = time.time()
    try:
        found = load_of(jobs, now - hours * 3600)
    finally:
        jobs.close()
    if not found:
        raise UserError(
            f"The schedd's history has no job of the last {hours:g} h. Describe a load instead: --load FILE"
        )
    return found
