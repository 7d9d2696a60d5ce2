"""What the child process can do with the bindings. Arguments and answers are plain data."""

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import classad2
import htcondor2
from htcondor2.htcondor2_impl import _schedd_edit_job_ids

from router.pool import location

MAX_DEPTH = 4
DECISIONS = ("RouterDecision", "DESIRED_Sites")
REMEDIES = ("RouterRemedy", "RequestMemory", "MaxWallTimeMins", "AllowedExecuteDuration")
WRITABLE = frozenset({*DECISIONS, *REMEDIES})
"""Attributes of jobs that this program ever writes. As a queue super user it could write any; nothing here does."""

MOST_TRIES, MOST_TEXT = 100, 1_100
"""Tries at copies that one start of a job may tell of, and characters of each text."""

USED = ("MemoryUsage", "ImageSize", "DiskUsage")
"""What a request may be made of that its submitter left open."""

COMMON = "transfer_common_input"
"""The submit command for files that all jobs of a cluster read; older schedds know nothing of it."""
COMMON_SINCE = (25, 14)
"""The oldest version of which it was seen to work; the schedd itself sends older glideins the files job by job."""

Row = dict[str, Any]
Run = tuple[int, int, int]
"""Jobs of a cluster: its id, the first proc and the last; proc -1 is the ad that all its jobs inherit from."""


@cache
def _schedd() -> Any:
    """The schedd, looked up once: `forget` after a failure, since a restarted one has another address."""
    return location.schedd()


def missing_token() -> str:
    """The directories that hold no token where only tokens can prove who we are; empty when that is not so."""
    methods = htcondor2.param.get("SEC_CLIENT_AUTHENTICATION_METHODS", "").upper()
    if {part.strip() for part in methods.split(",")} - {"IDTOKENS", "TOKEN", "TOKENS", "IDTOKEN"}:
        return ""
    own = htcondor2.param.get("SEC_TOKEN_DIRECTORY", "") or str(Path.home() / ".condor" / "tokens.d")
    places = [Path(place) for place in (own, htcondor2.param.get("SEC_TOKEN_SYSTEM_DIRECTORY", "")) if place]
    if any(place.is_dir() and any(place.iterdir()) for place in places):
        return ""
    return " or ".join(map(str, places))


def forget() -> None:
    """Look the schedd up again at the next operation."""
    _schedd.cache_clear()


def _plain(value: Any, depth: int = 0) -> Any:
    """A ClassAd value as JSON has it; what JSON lacks (undefined, error, NaN, expressions) becomes None."""
    match value:
        case classad2.Value():  # undefined and error are numbers to Python
            return None
        case bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case classad2.ClassAd() if depth < MAX_DEPTH:
            return {key: _plain(value.eval(key), depth + 1) for key in value}
        case list() | tuple() if depth < MAX_DEPTH:
            return [_plain(each, depth + 1) for each in value]
    return None


def _row(ad: Any, attributes: list[str]) -> Row:
    return {name: _plain(ad.eval(name)) for name in attributes if name in ad}


def count_jobs(constraint: str, attributes: list[str]) -> list[Row]:
    """Jobs by equal values of `attributes`, with their JobCount: aggregated by the schedd."""
    # The schedd applies a constraint to the aggregated ads, so it can only use what is projected.
    ads = _schedd().query(constraint, attributes, opts=htcondor2.QueryOpt.GroupBy)
    return [_row(ad, [*attributes, "JobCount"]) for ad in ads]


def query_jobs(constraint: str, attributes: list[str], limit: int) -> list[Row]:
    """Jobs one by one."""
    return [_row(ad, attributes) for ad in _schedd().query(constraint, attributes, limit=limit)]


def history(constraint: str, attributes: list[str], since: str, limit: int) -> list[Row]:
    """Jobs that left the queue, newest first, back to where `since` is true."""
    ads = _schedd().history(constraint, attributes, match=limit, since=classad2.ExprTree(since) if since else None)
    return [_row(ad, attributes) for ad in ads]


def epochs(constraint: str, attributes: list[str], since: str, limit: int) -> list[Row]:
    """Runs of jobs, newest first, back to where `since` is true."""
    ads = _schedd().jobEpochHistory(constraint, attributes, match=limit, since=classad2.ExprTree(since))
    return [_row(ad, attributes) for ad in ads]


def input_epochs(constraint: str, since: str, limit: int) -> list[Row]:
    """What was told of the copies that starts of jobs tried to fetch, newest first, back to where `since` is true.

    `Fetches` is a list of lists: the URL, then the storage element, the cause and the words of one try.
    """
    wanted = ["ClusterId", "ProcId", "NumShadowStarts", "EpochWriteDate", "Owner"]
    ads = _schedd().jobEpochHistory(
        constraint, [*wanted, "InputPluginResultList"], match=limit, since=classad2.ExprTree(since), ad_type=["INPUT"]
    )
    return [{**_row(ad, wanted), "Fetches": _fetches(ad)} for ad in ads]


def _fetches(ad: Any) -> list[list[str]]:
    """The tries in an ad, a bounded number of them: a job's own program has written it."""
    found = []
    for result in _ads_in(ad, "InputPluginResultList"):
        data = result.eval("DeveloperData") if "DeveloperData" in result else None
        for each in _ads_in(data, "Replicas"):
            told = (result.get("TransferUrl"), each.get("Se"), each.get("Cause"), each.get("Words"))
            found.append([text[:MOST_TEXT] if isinstance(text, str) else "" for text in told])
    return found[:MOST_TRIES]


def _ads_in(ad: Any, name: str) -> list[Any]:
    found = ad.eval(name) if isinstance(ad, classad2.ClassAd) and name in ad else None
    listed = found if isinstance(found, list) else []
    return [each for each in listed[:MOST_TRIES] if isinstance(each, classad2.ClassAd)]


def collector_ads(kind: str, constraint: str, attributes: list[str]) -> list[Row]:
    """Ads of a kind (`Startd`, `Schedd`, `Negotiator`) from the collector."""
    collector = htcondor2.Collector()
    ads = collector.query(getattr(htcondor2.AdType, kind), constraint=constraint, projection=attributes)
    return [_row(ad, attributes) for ad in ads]


def parse_ads(text: str, attributes: list[str]) -> list[Row]:
    """The ads that ClassAd text holds, in the old or the new form."""
    return [_row(ad, attributes) for ad in classad2.parseAds(text)]


def edit_jobs(edits: list[tuple[list[Run], str, str]]) -> list[bool]:
    """Set one attribute of the jobs of each edit to ClassAd text of one line. Returns which edits were made.

    An edit is made whole or not at all: one job that has left the queue is enough, or one that may not be changed.
    Raises PermissionError for an attribute that is not ours to write, before the schedd hears of any.
    """
    if strange := {attribute for _, attribute, _ in edits} - WRITABLE:
        raise PermissionError(f"glideroute writes no {', '.join(sorted(strange))}")
    for _, _, value in edits:
        classad2.ExprTree(value)
    return [_edit_listed(runs, attribute, value) for runs, attribute, value in edits]


def _edit_listed(runs: list[Run], attribute: str, value: str) -> bool:
    # Schedd.edit takes a cluster ad, proc -1, for a constraint; the function below it knows it as condor_qedit does.
    ids = ",".join(f"{cluster}.{proc}" for cluster, first, last in runs for proc in range(first, last + 1))
    try:
        _schedd_edit_job_ids(_schedd()._addr, ids, attribute, value, 0)
    except htcondor2.HTCondorException as error:
        if "Unable to commit transaction" in str(error):
            return False
        raise
    return True


def idle_jobs(clusters: list[int], attributes: list[str]) -> list[tuple[Row, Run]]:
    """The idle jobs of `clusters` as runs of neighbours with equal `attributes`."""
    wanted = set(clusters)
    where = f"ClusterId >= {min(wanted)} && ClusterId <= {max(wanted)} && JobStatus == 1"
    ads = _schedd().query(where, ["ClusterId", "ProcId", *attributes, *USED])
    found = ((ad["ClusterId"], ad["ProcId"], _row(ad, attributes)) for ad in ads if ad["ClusterId"] in wanted)
    runs: list[tuple[Row, Run]] = []
    for cluster, proc, row in sorted(found, key=lambda each: each[:2]):
        if runs and runs[-1][0] == row and runs[-1][1][::2] == (cluster, proc - 1):
            runs[-1] = (row, (cluster, runs[-1][1][1], proc))
        else:
            runs.append((row, (cluster, proc, proc)))
    return runs


def act(action: str, constraint: str, reason: str, code: int) -> int:
    """`Remove`, `Hold`, `Release` or `Vacate` every job that matches. Returns how many were changed.

    A hold has `code` as its subcode.
    """
    # The reason is kept only with a code beside it.
    answer = _schedd().act(getattr(htcondor2.JobAction, action), constraint, reason=(reason, code))
    return int(answer.get("TotalSuccess", 0))


def sends_common_files(version: str) -> bool:
    """Whether a schedd of this version sends a glidein once what all jobs of a cluster read."""
    found = re.search(r"CondorVersion: (\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= COMMON_SINCE


def submit(text: str, items: list[dict[str, str]]) -> int:
    """Submit one cluster, a job for each of `items`; without any, what `text` says to queue. Returns its id."""
    description = htcondor2.Submit(text)
    if COMMON in description and not sends_common_files(str(_own_ad().get("CondorVersion", ""))):
        description["transfer_input_files"] += f", {description[COMMON]}"
        description[COMMON] = ""  # is as if it were not there
    result = _schedd().submit(description, itemdata=iter(items)) if items else _schedd().submit(description)
    return int(result.cluster())


def examine_schedd(settings: list[str]) -> Row:
    """The schedd's version, its clock when it last spoke, these of its settings, and the bindings' version."""
    own = _own_ad()
    remote = htcondor2.RemoteParam(own)
    told = {each: str(remote[each]) for each in settings if each in remote}
    return {
        "version": own.get("CondorVersion", ""),
        "time": own.get("MyCurrentTime", 0),
        "settings": {each: "" if value == "Not defined" else value for each, value in told.items()},
        "bindings": htcondor2.version(),
    }


def granted(levels: list[str]) -> dict[str, bool]:
    """Which authorisation levels the schedd grants us."""
    own = _own_ad()
    return {level: _grants(own, level) for level in levels}


def identity() -> str:
    """As whom the schedd authenticates us, with the token's subject where that is another."""
    known = htcondor2.ping(_own_ad(), "READ")
    user, subject = str(known.get("MyRemoteUserName", "")), str(known.get("AuthTokenSubject", ""))
    return f"{user} by the token of {subject}" if subject not in ("", user) else user


def _own_ad() -> Any:
    """What the schedd tells the collector of itself."""
    where = f"MyAddress == {classad2.quote(_schedd()._addr)}"
    return htcondor2.Collector().query(htcondor2.AdType.Schedd, constraint=where)[0]


def _grants(own: Any, level: str) -> bool:
    try:
        return bool(htcondor2.ping(own, level).get("AuthorizationSucceeded"))
    except htcondor2.HTCondorException:
        return False


def address() -> str:
    """The schedd's name; fails when it cannot be found."""
    return str(_schedd()._addr)


OPERATIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        count_jobs,
        query_jobs,
        history,
        epochs,
        input_epochs,
        parse_ads,
        collector_ads,
        edit_jobs,
        idle_jobs,
        act,
        submit,
        examine_schedd,
        granted,
        identity,
        address,
    )
}
