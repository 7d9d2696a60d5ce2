"""A lineage in PROV-JSON: W3C PROV as https://www.w3.org/submissions/2013/SUBM-prov-json-20130424/ writes it.

Files, documents and code are entities; jobs are activities; owners, sites, glideins and glideroute are agents.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from router.model.provenance import Artifact, Execution, Lineage, TaskFacts, Use
from router.render.lineage_text import moment

PREFIXES = {
    "gr": "urn:glideroute:terms:",
    "lfn": "lfn://",
    "uuid": "urn:uuid:",
    "sha256": "urn:glideroute:sha256:",
    "job": "urn:glideroute:job:",
    "user": "urn:glideroute:user:",
    "site": "urn:glideroute:site:",
    "glidein": "urn:glideroute:glidein:",
}
"""The namespaces of what is told; `prov` and `xsd` need no declaration."""
GLIDEROUTE = "gr:glideroute"

Record = dict[str, Any]
Records = dict[str, Record]


def text(lineage: Lineage, version: str) -> str:
    """The document; `version` is that of the glideroute which tells it."""
    return json.dumps(document(lineage, version), indent=1) + "\n"


def document(lineage: Lineage, version: str) -> dict[str, Records | Mapping[str, str]]:
    """The document as what JSON has."""
    found: dict[str, Records | Mapping[str, str]] = {
        "prefix": PREFIXES,
        "entity": _entities(lineage),
        "activity": {_job(each): _activity(each) for each in _jobs(lineage)},
        "agent": _agents(lineage, version),
        "used": _numbered("u", _used(lineage)),
        "wasGeneratedBy": _numbered("g", _generated(lineage)),
        "wasDerivedFrom": _numbered("d", _derived(lineage)),
        "wasAssociatedWith": _numbered("w", _associated(lineage)),
        "wasAttributedTo": _numbered("t", _attributed(lineage)),
        "actedOnBehalfOf": _numbered("b", _delegated(lineage)),
    }
    return {name: records for name, records in found.items() if records}


def _jobs(lineage: Lineage) -> list[Execution]:
    return [each for _, each in sorted(lineage.executions.items())]


def _local(words: str) -> str:
    """The local part of a qualified name; what PROV-N would have to escape is encoded."""
    return quote(words, safe="/+@")


def _type(name: str) -> Record:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _told(**values: object) -> Record:
    """What is known of values; a name `gr_size` is `gr:size`."""
    return {name.replace("_", ":", 1): value for name, value in values.items() if value not in ("", None)}


def _numbered(letter: str, records: Iterable[Record]) -> Records:
    """Relations, which nobody else needs to name."""
    return {f"_:{letter}{number}": record for number, record in enumerate(records)}


# Entities


def _file(artifact: Artifact) -> str:
    return f"uuid:{artifact.guid}" if artifact.guid else f"lfn:{_local(artifact.lfn)}"


def _entities(lineage: Lineage) -> Records:
    files = {_file(each): _described(each) for _, each in sorted(lineage.artifacts.items())}
    plans = {f"sha256:{each.document_digest}": _plan(each) for _, each in sorted(lineage.tasks.items())}
    code = {
        f"sha256:{digest}": {"prov:type": _type("gr:Code"), "prov:label": name}
        for each in _jobs(lineage)
        for name, digest in each.code
    }
    return {**files, **code, **plans}


def _described(artifact: Artifact) -> Record:
    return {"prov:type": _type("gr:File")} | _told(
        prov_label=artifact.lfn,
        gr_lfn=artifact.lfn,
        gr_size=artifact.size if artifact.size >= 0 else None,
        gr_adler32=artifact.adler32,
        gr_events=artifact.events or None,
        gr_standing=str(artifact.standing),
    )


def _plan(facts: TaskFacts) -> Record:
    return {"prov:type": _type("prov:Plan")} | _told(
        prov_label=f"payload document of {facts.id}",
        prov_value=facts.document,
        gr_task=facts.id,
        gr_submitted=moment(facts.created),
        gr_submissionDigest=facts.submission_digest,
        gr_program=facts.program,
        gr_programDigest=facts.program_digest,
        gr_input=facts.reads,
        gr_split=facts.split,
        gr_container=facts.container,
        gr_software=", ".join(facts.software),
    )


# Activities


def _job(execution: Execution) -> str:
    maker = execution.maker
    return f"job:{_local(f'{maker.task}/{maker.job}/{maker.id}')}"


def _activity(execution: Execution) -> Record:
    node = {f"gr:{name}": value for name, value in execution.node}
    return (
        {"prov:type": _type("gr:Merge" if execution.merge else "gr:Job")}
        | node
        | _told(
            prov_startTime=moment(execution.started),
            prov_endTime=moment(execution.ended),
            prov_label=f"job {execution.maker.job} of {execution.maker.task}",
            prov_location=execution.site,
            gr_task=execution.maker.task,
            gr_job=execution.maker.job,
            gr_cluster=execution.maker.id,
            gr_batch=execution.batch,
            gr_program=execution.program,
            gr_arguments=json.dumps(execution.arguments) if execution.arguments else "",
            gr_parameters=json.dumps(dict(execution.parameters)) if execution.parameters else "",
            gr_host=execution.host,
            gr_exitCode=execution.exit_code,
            gr_inputsToldBy=str(execution.told_by),
        )
    )


def _used(lineage: Lineage) -> Iterator[Record]:
    for each in _jobs(lineage):
        for use in each.uses:
            yield {"prov:activity": _job(each), "prov:entity": _used_file(lineage, use)} | _how(use)
        for name, digest in each.code:
            used = {"prov:activity": _job(each), "prov:entity": f"sha256:{digest}"}
            yield {**used, "prov:role": "program" if name == each.program else "code"}


def _used_file(lineage: Lineage, use: Use) -> str:
    known = lineage.artifacts.get(use.lfn)
    return _file(known) if known else f"lfn:{_local(use.lfn)}"


def _how(use: Use) -> Record:
    some = use.events or None
    return _told(
        prov_role="input",
        gr_firstEvent=use.first_event if some else None,
        gr_events=some,
        gr_lumis=json.dumps(use.lumis.document()) if use.lumis else "",
        gr_se=use.se,
    )


def _generated(lineage: Lineage) -> Iterator[Record]:
    for key, lfns in lineage.made().items():
        job = lineage.executions[key]
        for lfn in lfns:
            made = {"prov:entity": _file(lineage.artifacts[lfn]), "prov:activity": _job(job)}
            yield made | _told(prov_time=moment(job.ended))


def _derived(lineage: Lineage) -> Iterator[Record]:
    for key, lfns in lineage.made().items():
        job = lineage.executions[key]
        read = dict.fromkeys(_used_file(lineage, use) for use in job.uses)
        for lfn in lfns:
            made = _file(lineage.artifacts[lfn])
            yield from (
                {"prov:generatedEntity": made, "prov:usedEntity": each, "prov:activity": _job(job)} for each in read
            )


# Agents


def _user(name: str) -> str:
    return f"user:{_local(name)}"


def _site(name: str) -> str:
    return f"site:{_local(name)}"


def _glidein(execution: Execution) -> str:
    slot = dict(execution.node).get("Name") or execution.host
    return f"glidein:{_local(slot)}" if slot else ""


def _agents(lineage: Lineage, version: str) -> Records:
    owners = {each.owner for each in lineage.tasks.values()} | {each.owner for each in lineage.artifacts.values()}
    sites = {each.site for each in lineage.executions.values()}
    glideins = {agent: each for each in _jobs(lineage) if (agent := _glidein(each))}
    people = {_user(each): {"prov:type": _type("prov:Person"), "prov:label": each} for each in sorted(owners - {""})}
    places = {_site(s): {"prov:type": _type("prov:Organization"), "prov:label": s} for s in sorted(sites - {""})}
    nodes = {
        agent: {"prov:type": _type("prov:SoftwareAgent")} | _told(prov_label=dict(each.node).get("Name") or each.host)
        for agent, each in sorted(glideins.items())
    }
    software = {"prov:type": _type("prov:SoftwareAgent"), "prov:label": "glideroute", "gr:version": version}
    return {**people, **places, **nodes, GLIDEROUTE: software}


def _associated(lineage: Lineage) -> Iterator[Record]:
    for each in _jobs(lineage):
        job = {"prov:activity": _job(each)}
        if facts := lineage.tasks.get(each.maker.task):
            plan = f"sha256:{facts.document_digest}"
            yield {**job, "prov:agent": _user(facts.owner), "prov:plan": plan, "prov:role": "owner"}
        yield {**job, "prov:agent": GLIDEROUTE, "prov:role": "router"}
        if glidein := _glidein(each):
            yield {**job, "prov:agent": glidein, "prov:role": "glidein"}
        elif each.site:
            yield {**job, "prov:agent": _site(each.site), "prov:role": "site"}


def _attributed(lineage: Lineage) -> Iterator[Record]:
    owned = (each for _, each in sorted(lineage.artifacts.items()) if each.owner)
    return ({"prov:entity": _file(each), "prov:agent": _user(each.owner)} for each in owned)


def _delegated(lineage: Lineage) -> Iterator[Record]:
    pairs: Sequence[tuple[str, str]] = sorted(
        {(glidein, _site(each.site)) for each in _jobs(lineage) if each.site and (glidein := _glidein(each))}
    )
    return ({"prov:delegate": glidein, "prov:responsible": site} for glidein, site in pairs)
