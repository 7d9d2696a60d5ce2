"""What is wrong with an installation, and how to mend it: facts in, findings out."""

from collections.abc import Callable, Iterator, Mapping

from router.decide.advisories import SUPPORTED, known, version
from router.model.checkup import Facts, Finding, Health, TokenFact

DAY_S = 86_400
SOON_S = 7 * DAY_S
AHEAD_S = 60
"""A schedd's clock this far ahead of ours makes tokens that are not valid yet, and jobs of a negative age."""
SILENT_S = 1200
"""HTCondor's daemons tell the collector of themselves every 300 s, some every 900 s."""
LOW_MB, EMPTY_MB = 1000, 100
RIGHTS = {"READ": True, "WRITE": True, "ADMINISTRATOR": False, "DAEMON": False, "ADVERTISE_STARTD": False}
"""What the router needs, and what it must not have."""
WEAK = ("FS", "FS_REMOTE", "CLAIMTOBE", "ANONYMOUS")
HOLDS = {
    "PROTECTED_JOB_ATTRS": ("DESIRED_Sites", "RouterDecision", "RouterTask", "JobStatus", "QDate"),
    "IMMUTABLE_JOB_ATTRS": ("AccountingGroup", "AcctGroup", "Cmd", "Arguments", "Environment", "Iwd"),
    "JOB_TRANSFORM_NAMES": ("GlideroutePrepare", "GlideroutePayer"),
    "SUBMIT_REQUIREMENT_NAMES": ("GlideroutePerson",),
}
"""Words that these settings of the schedd hold."""
IS = {
    "MAX_CONCURRENT_UPLOADS_PER_USER": "0",
    "QUERY_TIMEOUT": "2",
    "SEC_DEFAULT_AUTHENTICATION": "REQUIRED",
}
"""What these are set to."""
SETTINGS = (*HOLDS, *IS, "QUEUE_ALL_USERS_TRUSTED", "SEC_DEFAULT_AUTHENTICATION_METHODS", "START_VANILLA_UNIVERSE")
FRAGMENTS = "Copy schedd_config/*.config to the schedd's config.d and run condor_reconfig."

Check = Callable[[Facts], Iterator[Finding]]


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every check's findings, in the order in which they are best mended; each check has at least one."""
    return tuple(finding for name, check in CHECKS.items() for finding in _answers(name, check, facts))


def _answers(name: str, check: Check, facts: Facts) -> tuple[Finding, ...]:
    if facts.unreachable and name in ASKED:
        return (Finding(name, Health.UNKNOWN, "not known: the schedd does not answer"),)
    return tuple(check(facts)) or (Finding(name, Health.GOOD, GOOD[name]),)


def _schedd(facts: Facts) -> Iterator[Finding]:
    if facts.unreachable:
        yield Finding(
            "schedd", Health.BAD, facts.unreachable, "Start the pool: glideroute pool up, or condor_on on the schedd."
        )


def _versions(facts: Facts) -> Iterator[Finding]:
    for what, text in (("the schedd", facts.schedd_version), ("the bindings", facts.bindings_version)):
        found = version(text)
        if found is None:
            continue
        said = ".".join(map(str, found))
        for advisory in known(found):
            words = f"{what}, HTCondor {said}: {advisory.name}: {advisory.harm}"
            yield Finding("versions", Health.BAD, words, f"Upgrade HTCondor; see {advisory.address}")
        if found[0] < SUPPORTED:
            words = f"{what}, HTCondor {said}: this series gets no fixes any more"
            yield Finding("versions", Health.DOUBTFUL, words, f"Upgrade to HTCondor {SUPPORTED}.0 or newer.")


def _tokens(facts: Facts) -> Iterator[Finding]:
    for path in facts.exposed:
        yield Finding(
            "tokens", Health.BAD, f"others may read {path}", f"chmod go= {path}; if others did, make it anew."
        )
    for token in facts.tokens:
        yield from _token(token, facts)


def _token(token: TokenFact, facts: Facts) -> Iterator[Finding]:
    anew = f"condor_token_create -identity {token.subject} -lifetime SECONDS, into {token.path}; nothing is restarted."
    if token.expires is None:
        if not facts.one_persons:
            words = f"the token of {token.subject} in {token.path} never expires"
            yield Finding("tokens", Health.DOUBTFUL, words, anew)
    elif (left := token.expires - facts.now) <= 0:
        yield Finding("tokens", Health.BAD, f"the token of {token.subject} expired {_days(-left)} ago", anew)
    elif left < SOON_S:
        yield Finding("tokens", Health.DOUBTFUL, f"the token of {token.subject} expires in {_days(left)}", anew)


def _rights(facts: Facts) -> Iterator[Finding]:
    if facts.rights is None:
        yield Finding("rights", Health.UNKNOWN, "not known: you cannot act as the router here")
        return
    for right, needed in RIGHTS.items():
        if facts.rights.get(right, False) == needed:
            continue
        if needed:
            fix = f"Give its token this right (-authz {right}), and see that ALLOW_{right} of the schedd has it."
            yield Finding("rights", Health.BAD, f"the router lacks {right} at the schedd", fix)
        else:
            fix = f"Take it out of ALLOW_{right}, and give it a token with -authz READ -authz WRITE."
            yield Finding("rights", Health.DOUBTFUL, f"the router has {right} at the schedd and does not need it", fix)


def _clock(facts: Facts) -> Iterator[Finding]:
    if not facts.schedd_time:
        return
    ahead = facts.schedd_time - facts.now
    if ahead > AHEAD_S:
        words = f"the schedd's clock is {ahead:.0f} s ahead of this machine's"
        yield Finding("clock", Health.BAD, words, "Let both follow NTP: timedatectl set-ntp true.")
    elif ahead < -SILENT_S:
        words = f"the schedd last spoke {-ahead:.0f} s ago by its clock: it hangs, or its clock is behind"
        yield Finding("clock", Health.DOUBTFUL, words, "Look at its SchedLog, and let both machines follow NTP.")


def _ports(facts: Facts) -> Iterator[Finding]:
    for daemon, why in sorted((facts.ports or {}).items()):
        if why:
            fix = f"Start the {daemon}; its log says why it ended."
            yield Finding("ports", Health.DOUBTFUL, f"the {daemon}'s metrics do not answer: {why}", fix)


def _disk(facts: Facts) -> Iterator[Finding]:
    for folder, free in sorted((facts.free_mb or {}).items()):
        if free < LOW_MB:
            health = Health.BAD if free < EMPTY_MB else Health.DOUBTFUL
            yield Finding(
                "disk", health, f"{free} MB are left for {folder}", "Remove old tasks, or make the disk larger."
            )


def _settings(facts: Facts) -> Iterator[Finding]:
    told = {name.upper(): value for name, value in (facts.settings or {}).items()}
    for name, words in HOLDS.items():
        if lacking := _lacking(told, name, words):
            yield Finding("settings", Health.BAD, f"the schedd's {name} lacks {', '.join(lacking)}", FRAGMENTS)
    for name, value in IS.items():
        if told.get(name, "").strip().upper() != value:
            now = told.get(name) or "not set"
            yield Finding("settings", Health.BAD, f"the schedd's {name} is {now}, not {value}", FRAGMENTS)
    if "DESIRED_SITES" not in told.get("START_VANILLA_UNIVERSE", "").upper():
        yield Finding("settings", Health.BAD, "START_VANILLA_UNIVERSE does not ask for DESIRED_Sites", FRAGMENTS)
    if told.get("QUEUE_ALL_USERS_TRUSTED", "").strip().lower() in ("true", "t", "yes", "1"):
        fix = "Set QUEUE_ALL_USERS_TRUSTED = False: whoever connects is believed to be any user."
        yield Finding("settings", Health.BAD, "the schedd believes everybody to be whom they say", fix)
    methods = told.get("SEC_DEFAULT_AUTHENTICATION_METHODS", "").replace(",", " ").upper().split()
    if weak := [each for each in methods if each in WEAK]:
        fix = "Leave IDTOKENS and SCITOKENS only, as schedd_config/access-point/70-tokens.config does."
        yield Finding("settings", Health.DOUBTFUL, f"the schedd takes {', '.join(weak)} for a proof of identity", fix)


def _lacking(told: Mapping[str, str], name: str, words: tuple[str, ...]) -> list[str]:
    held = {each.lower() for each in told.get(name, "").replace(",", " ").split()}
    return [word for word in words if word.lower() not in held]


def _days(seconds: float) -> str:
    return f"{seconds / DAY_S:.0f} days" if seconds > 2 * DAY_S else f"{seconds / 3600:.0f} hours"


CHECKS: Mapping[str, Check] = {
    "schedd": _schedd,
    "versions": _versions,
    "settings": _settings,
    "tokens": _tokens,
    "rights": _rights,
    "clock": _clock,
    "disk": _disk,
    "ports": _ports,
}
ASKED = ("versions", "settings", "rights", "clock")
"""Checks of what the schedd says."""
GOOD = {
    "schedd": "it answers",
    "versions": "none of the known weaknesses",
    "settings": "nothing that keeps users and the router apart is missing",
    "tokens": "private, and valid for more than a week",
    "rights": "the router has what it needs at the schedd, and no more",
    "clock": "it agrees with the schedd's",
    "disk": "there is room",
    "ports": "every daemon that says so serves its metrics",
}
