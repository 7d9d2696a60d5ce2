"""Rucio over its REST interface (rucio.github.io/documentation, "REST API"): datasets, replicas, and outputs added.

Rucio names data by scope and name; here a name is `PREFIX/SCOPE/NAME`, or, where all data is in one scope and names are
paths as in CMS, `PREFIX` followed by the name.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from router.catalogues.rest import Refused, Rest, part, secret
from router.errors import PermissionRefused, RouterError, UserError
from router.model.data_service import ServiceFile, ServiceSettings
from router.model.files import Located

TOKEN = "X-Rucio-Auth-Token"  # noqa: S105 - a header's name
PAGE = 500
"""Files that are added together."""
THERE = frozenset(
    {"DataIdentifierAlreadyExists", "Duplicate", "DuplicateContent", "DuplicateRule", "FileAlreadyExists"}
)
"""Refusals that say that what is asked for is so already."""


class Did(NamedTuple):
    """Rucio's data identifier."""

    scope: str
    name: str

    @property
    def path(self) -> str:
        """As a part of an address."""
        return f"/dids/{part(self.scope)}/{part(self.name)}"


class Rucio:
    """One Rucio, as one of its accounts."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Ask as the options of `settings` say. Raises UserError where they are not enough."""
        self._settings = settings
        self._scope = settings.options.get("scope", "")
        self._paths = _paths(settings)
        self._entrance = Entrance(settings)
        self._rest = Rest(settings.option("url"), settings.deadline_s, self._entrance.headers)

    def files(self, dataset: str) -> Iterator[ServiceFile]:
        """The files of a dataset or container, with their available replicas."""
        did = self._did(dataset)
        known: dict[Did, Mapping[str, Any]] = {}
        for each in self._objects("GET", f"{did.path}/files"):
            known[_did_of(each)] = each
            if len(known) > self._settings.most_files:
                break  # one more than may be: whoever asked says so
        wanted = {"dids": [did._asdict()], "all_states": False, "ignore_availability": False}
        for each in self._objects("POST", "/replicas/list", wanted):
            if (found := known.pop(_did_of(each), None)) is not None:
                yield self._file(_did_of(each), found, _available(each))
        for lost, found in known.items():
            yield self._file(lost, found, ())

    def _file(self, did: Did, told: Mapping[str, Any], storage: tuple[str, ...]) -> ServiceFile:
        return ServiceFile(
            lfn=self._lfn(did),
            size=told["bytes"],
            adler32=told.get("adler32") or "",
            storage=storage,
            events=told.get("events") or 0,
            path=self._paths(did, self._lfn(did)),
        )

    def _objects(self, method: str, path: str, body: object = None) -> Iterator[dict[str, Any]]:
        """A stream; where it begins with a refusal, once more with a new token: tokens end after an hour."""
        found = self._rest.objects(method, path, body)
        try:
            first = next(found, None)
        except PermissionRefused:
            self._entrance.forget()
            found = self._rest.objects(method, path, body)
            first = next(found, None)
        if first is not None:
            yield first
            yield from found

    # Names

    def _did(self, lfn: str) -> Did:
        rest = lfn.removeprefix(self._settings.prefix)
        if self._scope:
            return Did(self._scope, rest)
        scope, _, name = rest[1:].partition("/")
        if not name:
            raise UserError(f"{lfn} has no scope: names in Rucio are written {self._settings.prefix}/SCOPE/NAME here.")
        return Did(scope, name)

    def _lfn(self, did: Did) -> str:
        if self._scope:
            return self._settings.prefix + did.name
        return f"{self._settings.prefix}/{did.scope}/{did.name}"

    # Outputs

    def register(self, dataset: str, files: Sequence[Located]) -> None:
        """Add replicas of files, attach them to a dataset, and make the rule that the options name."""
        did = self._did(dataset)
        dids = {each.file.lfn: Did(did.scope, self._output(each.file.lfn)) for each in files}
        self._add(did.path, {"type": "DATASET", "statuses": {}, "meta": {}})
        theirs = {ours: rse for rse, ours in self._settings.elements.items()}
        by_rse: dict[str, list[dict[str, Any]]] = {}
        for each in files:
            for copy in each.replicas:
                told = {**dids[each.file.lfn]._asdict(), "bytes": each.file.size, "adler32": each.file.adler32}
                told |= {"pfn": copy.pfn, "meta": {"events": each.file.events}}
                by_rse.setdefault(theirs.get(copy.se, copy.se), []).append(told)
        for rse, told_of in sorted(by_rse.items()):
            self._add_each("/replicas", told_of, lambda some, rse=rse: {"rse": rse, "files": some})  # type: ignore[misc]
        attached = [each._asdict() for each in dids.values()]
        self._add_each(f"{did.path}/dids", attached, lambda some: {"dids": some})
        if expression := self._settings.options.get("rule"):
            self._add("/rules/", self._rule(did, expression))

    def _output(self, lfn: str) -> str:
        """How Rucio calls an output: its task and its name, or its whole name where names are paths."""
        return lfn if self._scope else ".".join(lfn.split("/")[-2:])

    def _add_each(self, path: str, told: Sequence[dict[str, Any]], body: Callable[[list[Any]], object]) -> None:
        """Add things together, or one by one where some of them are there already."""
        for start in range(0, len(told), PAGE):
            some = list(told[start : start + PAGE])
            if not self._add(path, body(some)):
                for each in some:
                    self._add(path, body([each]))

    def _add(self, path: str, body: object) -> bool:
        """Add something; False where it, or some of it, is there already."""
        try:
            self._told(path, body)
        except Refused as error:
            if error.kind not in THERE:
                raise
            return False
        return True

    def _told(self, path: str, body: object) -> None:
        try:
            self._rest.send("POST", path, body)
        except PermissionRefused:
            if not self._entrance.forget():
                raise
            self._rest.send("POST", path, body)

    def _rule(self, did: Did, expression: str) -> dict[str, Any]:
        told = {"dids": [did._asdict()], "copies": 1, "rse_expression": expression, "grouping": "DATASET"}
        return {**told, "account": self._settings.option("account"), "locked": False}


class Entrance:
    """How an account shows itself: with a token that somebody renews, or with a password for a token."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Read the options of `settings`. Raises UserError where they name neither, or a password without https."""
        self._settings, self._token = settings, ""
        options = settings.options
        if "token" in options:
            return
        if "password" not in options or "user" not in options:
            raise UserError(
                f"data_services.{settings.name}.options: name a file with a token (token), or a user and a file with a "
                "password (user, password)."
            )
        self._auth = Rest(options.get("auth_url", settings.option("url")), settings.deadline_s)

    def headers(self) -> Mapping[str, str]:
        """What shows who asks."""
        options = self._settings.options
        if "token" in options:
            return {TOKEN: secret(options["token"], "token")}
        if not self._token:
            self._token = self._entered()
        return {TOKEN: self._token}

    def forget(self) -> bool:
        """Get a new token for the next question; False where the token is renewed by somebody else."""
        self._token = ""
        return "token" not in self._settings.options

    def _entered(self) -> str:
        options = self._settings.options
        shown = {
            "X-Rucio-Account": self._settings.option("account"),
            "X-Rucio-Username": options["user"],
            "X-Rucio-Password": secret(options["password"], "password"),
        }
        if token := self._auth.told("GET", "/auth/userpass", shown).get(TOKEN):
            return token
        raise RouterError(f"The data service {self._settings.name} gives no token to {options['user']}.")


def _did_of(told: Mapping[str, Any]) -> Did:
    return Did(str(told["scope"]), str(told["name"]))


def _available(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The RSEs with an available replica."""
    states = told.get("states") or {}
    return tuple(sorted(rse for rse in told["rses"] if states.get(rse, "AVAILABLE") == "AVAILABLE"))


def hashed(did: Did, _: str) -> str:
    """Rucio's algorithm `hash`: scope and name below two directories of the name's MD5 sum."""
    found = hashlib.md5(f"{did.scope}:{did.name}".encode(), usedforsecurity=False).hexdigest()
    personal = did.scope.startswith(("user", "group"))
    scope = did.scope.replace(".", "/") if personal else did.scope
    return f"/{scope}/{found[:2]}/{found[2:4]}/{did.name}"


def identical(did: Did, _: str) -> str:
    """Rucio's algorithm `identity`."""
    personal = did.scope.startswith(("user", "group"))
    scope = did.scope.replace(".", "/") if personal else did.scope
    return f"/{scope}/{did.name}"


PATHS: Mapping[str, Callable[[Did, str], str]] = {
    "hash": hashed,
    "identity": identical,
    "name": lambda did, _: did.name,
    "lfn": lambda _, lfn: lfn,
}
"""How RSEs name files below their prefix."""


def _paths(settings: ServiceSettings) -> Callable[[Did, str], str]:
    name = settings.options.get("paths", "hash")
    if name not in PATHS:
        raise UserError(
            f"data_services.{settings.name}.options.paths: must be one of {', '.join(PATHS)}, as the RSEs' algorithm "
            "for physical names is."
        )
    return PATHS[name]


def connect(settings: ServiceSettings) -> Rucio:
    """What the entry point names."""
    return Rucio(settings)
