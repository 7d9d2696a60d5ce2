"""What the settings say of bringing outputs to their destinations."""

from dataclasses import dataclass

from router.model import document, names
from router.model.policy import StageOutPolicy

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class FtsSettings:
    """The transfer service FTS, and what is shown to it."""

    url: str = ""
    """Such as `https://fts3.example.org:8446`; empty: there is none."""
    token_file: str = ""
    """File with a bearer token, read anew each time."""
    proxy_file: str = ""
    """File with a proxy certificate and its key, read anew each time."""


def policy(section: document.Section | None, default: StageOutPolicy) -> StageOutPolicy:
    """The section `transfers`."""
    if section is None:
        return default
    return StageOutPolicy(
        parallel=section.integer("parallel", default.parallel, at_least=1, at_most=1000),
        per_pass=section.integer("per_pass", default.per_pass, at_least=1, at_most=100_000),
        tries=section.integer("tries", default.tries, at_most=1000),
        few_tries=section.integer("few_tries", default.few_tries, at_most=1000),
        delay_s=section.seconds("delay", int(default.delay_s)),
        most_delay_s=section.seconds("most_delay", int(default.most_delay_s)),
        bad_streak=section.integer("bad_streak", default.bad_streak, at_least=1),
        probes=section.integer("probes", default.probes, at_least=1),
        probe_s=section.seconds("probe_every", int(default.probe_s)),
        timeout_s=section.seconds("timeout", int(default.timeout_s)),
        test_s=section.seconds("test_every", int(default.test_s)),
        purge_s=_purge(section, default.purge_s),
        bulk=section.integer("bulk", default.bulk, at_least=1, at_most=1000),
        most_sent=section.integer("most_sent", default.most_sent, at_least=1, at_most=1_000_000),
        sent_s=section.seconds("sent_at_most", int(default.sent_s)),
    )


def _purge(section: document.Section, default: float) -> float:
    """After how long; a slip of the pen must not take what somebody wants back today."""
    found = section.seconds("purge_removed_after", int(default))
    if section.has("purge_removed_after") and found < DAY_S:
        section.fault("purge_removed_after", "must be a day or more; without the key copies stay for ever")
    return found


def fts(section: document.Section | None) -> FtsSettings:
    """The section `fts`."""
    if section is None:
        return FtsSettings()
    found = FtsSettings(
        section.text("url", check=names.plain),
        section.text("token", "", names.plain),
        section.text("proxy", "", names.plain),
    )
    if not found.url.startswith("https://"):
        section.fault("url", "must begin with https://, since what is shown to it is a secret")
    if bool(found.token_file) == bool(found.proxy_file):
        section.fault("url", "needs either a token or a proxy beside it")
    return found
