"""A lineage as the metadata of an RO-Crate (https://w3id.org/ro/crate/1.1) in the profile Process Run Crate 0.5.

It is the file `ro-crate-metadata.json`. Files stay where they are: they have their logical name as identifier, and the
crate need not hold them.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from router.model.provenance import Execution, Lineage, Standing, TaskFacts
from router.render.lineage_text import moment

CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "urn:glideroute:terms:"
CONTEXT = [
    f"{CRATE}/context",
    "https://w3id.org/ro/terms/workflow-run/context",
    {"adler32": f"{TERMS}adler32", "events": f"{TERMS}events"},
]
UNSTATED = "No license is stated: ask the owners of the files before you use them."
STANDINGS = {
    Standing.REMOVED: "It was removed from the catalogue since.",
    Standing.CHANGED: "Another file has this name by now.",
    Standing.UNSEEN: "It is gone, or may not be read by whoever made this crate.",
}

Entity = dict[str, Any]


def text(lineage: Lineage, version: str, now: float, license_: str = "") -> str:
    """The metadata file, published at `now` (seconds since the epoch) by glideroute `version`."""
    return json.dumps(document(lineage, version, now, license_), indent=1) + "\n"


def document(lineage: Lineage, version: str, now: float, license_: str = "") -> Entity:
    """The metadata as what JSON has; `license_` is a URL, or says in words how the files may be used."""
    people = sorted({each.owner for each in lineage.tasks.values()} | _owners(lineage) - {""})
    graph = [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "conformsTo": _ref(CRATE), "about": _ref("./")},
        _root(lineage, now, license_),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *_license(license_),
        *({"@id": _person(name), "@type": "Person", "name": name} for name in people if name),
        *_places(lineage),
        *_files(lineage, now),
        *_documents(lineage),
        *_programs(lineage),
        *_actions(lineage),
        *_made_here(version, now),
    ]
    return {"@context": CONTEXT, "@graph": [_known(each) for each in graph]}


def _known(entity: Entity) -> Entity:
    return {name: value for name, value in entity.items() if value not in ("", [], None)}


def _ref(identifier: str) -> dict[str, str]:
    return {"@id": identifier}


def _refs(identifiers: Iterable[str]) -> list[dict[str, str]]:
    return [_ref(each) for each in dict.fromkeys(identifiers)]


def _local(*words: str) -> str:
    """An identifier within the crate."""
    return "#" + "-".join(quote(each, safe="") for each in words)


def _person(name: str) -> str:
    return _local("user", name)


def _file(lfn: str) -> str:
    return f"lfn://{quote(lfn, safe='/+=@')}"


def _job(execution: Execution) -> str:
    return _local("job", execution.maker.task, execution.maker.job)


def _owners(lineage: Lineage) -> set[str]:
    return {each.owner for each in lineage.artifacts.values()}


def _is_url(words: str) -> bool:
    return words.startswith(("https://", "http://")) and " " not in words


def _root(lineage: Lineage, now: float, license_: str) -> Entity:
    named = ", ".join(lineage.roots)
    return {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": _ref(PROFILE),
        "name": f"Provenance of {named}",
        "description": f"How {named} was made: the jobs, their code, and what they read, back to what was registered.",
        "datePublished": moment(now),
        "license": _ref(license_) if _is_url(license_) else license_ or UNSTATED,
        "mainEntity": _refs(_file(each) for each in lineage.roots),
        "hasPart": _refs(_file(lfn) for lfn in sorted(lineage.artifacts)),
        "mentions": _refs([*(_job(each) for _, each in sorted(lineage.executions.items())), "#crate"]),
    }


def _license(license_: str) -> list[Entity]:
    if not _is_url(license_):
        return []
    return [{"@id": license_, "@type": "CreativeWork", "name": license_, "description": "How the files may be used."}]


def _places(lineage: Lineage) -> list[Entity]:
    sites = sorted({each.site for each in lineage.executions.values()} - {""})
    return [{"@id": _local("site", site), "@type": "Place", "name": site} for site in sites]


def _files(lineage: Lineage, now: float) -> Iterator[Entity]:
    for lfn, each in sorted(lineage.artifacts.items()):
        yield {
            "@id": _file(lfn),
            "@type": "File",
            "name": lfn,
            "identifier": f"urn:uuid:{each.guid}" if each.guid else "",
            "contentSize": str(each.size) if each.size >= 0 else "",
            "adler32": each.adler32,
            "events": each.events or None,
            "dateCreated": moment(each.created),
            "author": _ref(_person(each.owner)) if each.owner else None,
            "description": STANDINGS.get(each.standing, ""),
            "sdDatePublished": moment(now),
        }


def _documents(lineage: Lineage) -> Iterator[Entity]:
    for _, each in sorted(lineage.tasks.items()):
        yield {
            "@id": _local("document", each.id),
            "@type": ["CreativeWork", "SoftwareSourceCode"],
            "name": f"Payload document of {each.id}",
            "description": _plan(each),
            "encodingFormat": "application/yaml",
            "text": each.document,
            "sha256": each.document_digest,
            "dateCreated": moment(each.created),
            "author": _ref(_person(each.owner)),
        }


def _plan(facts: TaskFacts) -> str:
    told = (("input", facts.reads), ("split", facts.split), ("container", facts.container))
    return "; ".join(f"{name}: {words}" for name, words in told if words)


def _program(execution: Execution) -> str:
    digest = dict(execution.code).get(execution.program, "")
    return _local("code", digest) if digest else _local("program", execution.maker.task, execution.program)


def _code_of(execution: Execution) -> dict[str, tuple[str, str]]:
    """The names and digests of a job's code, by identifier."""
    found = {_local("code", digest): (name, digest) for name, digest in execution.code}
    return {_program(execution): (execution.program or "unknown program", ""), **found}


def _modules(execution: Execution) -> dict[str, tuple[str, str]]:
    """The names and versions of the software that the node says it has, by identifier."""
    node = dict(execution.node)
    told = [each.rpartition("-") for each in node.get("ROUTER_MODULE_VERSIONS", "").split(",") if "-" in each]
    found = {_local("software", name, version): (name, version) for name, _, version in told}
    if python := node.get("ROUTER_PYTHON_VERSION"):
        found[_local("software", "python", python)] = ("python", python)
    return found


def _programs(lineage: Lineage) -> Iterator[Entity]:
    code: dict[str, tuple[str, str]] = {}
    modules: dict[str, tuple[str, str]] = {}
    needs: dict[str, set[str]] = {}
    for _, each in sorted(lineage.executions.items()):
        code |= _code_of(each)
        modules |= _modules(each)
        needs.setdefault(_program(each), set()).update(_modules(each))
    for identifier, (name, digest) in code.items():
        requirements = _refs(sorted(needs.get(identifier, ())))
        entity = {"@id": identifier, "@type": "SoftwareSourceCode", "name": name, "sha256": digest}
        yield {**entity, "version": f"sha256:{digest}" if digest else "", "softwareRequirements": requirements}
    for identifier, (name, version) in modules.items():
        yield {"@id": identifier, "@type": "SoftwareApplication", "name": name, "softwareVersion": version}


def _actions(lineage: Lineage) -> Iterator[Entity]:
    made = lineage.made()
    for key, each in sorted(lineage.executions.items()):
        facts = lineage.tasks.get(each.maker.task)
        read = [_file(use.lfn) for use in each.uses]
        yield {
            "@id": _job(each),
            "@type": "CreateAction",
            "name": f"Job {each.maker.job} of {each.maker.task}",
            "description": _ran(each),
            "instrument": _ref(_program(each)),
            "agent": _ref(_person(facts.owner)) if facts else None,
            "object": _refs([*read, *([_local("document", facts.id)] if facts else []), *_others(each)]),
            "result": _refs(_file(lfn) for lfn in made.get(key, ())),
            "startTime": moment(each.started),
            "endTime": moment(each.ended),
            "location": _ref(_local("site", each.site)) if each.site else None,
            "actionStatus": _ref("http://schema.org/CompletedActionStatus"),
        }


def _others(execution: Execution) -> list[str]:
    """The code that came with a job beside its program."""
    return [identifier for identifier in _code_of(execution) if identifier != _program(execution)]


def _ran(execution: Execution) -> str:
    told = [" ".join((execution.program, *execution.arguments))]
    told += [f"{name}={value}" for name, value in execution.parameters]
    told += [f"HTCondor job {execution.maker.id}"]
    told += [f"{name} {value}" for name, value in execution.node]
    return "; ".join(each for each in told if each)


def _made_here(version: str, now: float) -> list[Entity]:
    """The crate's own making."""
    action = {"@id": "#crate", "@type": "CreateAction", "name": "This crate was written", "endTime": moment(now)}
    tool = {"@id": "#glideroute", "@type": "SoftwareApplication", "name": "glideroute", "softwareVersion": version}
    return [{**action, "instrument": _ref("#glideroute"), "result": _ref("./")}, tool]
