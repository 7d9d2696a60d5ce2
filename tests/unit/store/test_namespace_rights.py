"""Over random trees, users and calls the catalogue does what a tiny model of POSIX does, and nothing else."""

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from namespaces import GROUPS, USERS, Model, Node, Refused

from examples import examples
from router.errors import NotFound, RouterError
from router.model.query import Place, Search
from router.model.rights import Members, directory_of
from router.store.namespace import Namespace
from router.store.namespace_schema import directories, links, removed_files, removed_replicas
from router.store.schema import files, replicas
from router.store.store import Store
from router.testing.build import a_file
from router.testing.clock import FakeClock

NUMBERS = itertools.count(1)
"""No two files are alike: registering one again would be allowed."""
PARTS = ("a", "ab", "c")
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map(lambda parts: "".join(f"/{p}" for p in parts))
MODES = st.sampled_from([0o755, 0o700, 0o750, 0o770, 0o777, 0o1777, 0o711, 0o644, 0o600, 0o000, 0o007, 0o070])
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), NAMES),
        st.tuples(st.just("list"), NAMES),
        st.tuples(st.just("mkdir"), NAMES),
        st.tuples(st.just("register"), NAMES),
        st.tuples(st.just("link"), NAMES, NAMES),
        st.tuples(st.just("chmod"), NAMES, MODES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("move"), NAMES, NAMES),
    ),
    min_size=1,
    max_size=12,
)
TREES = st.dictionaries(
    NAMES,
    st.tuples(
        st.sampled_from(["directory", "directory", "file", "link"]),
        st.sampled_from(USERS),
        st.sampled_from(["", "higgs"]),
        MODES,
        NAMES,
    ),
    max_size=9,
)


def planted(store: Store, told: dict[str, Any]) -> Model:
    """The tree in the catalogue and as a model; what would lie in something else than a directory is left out."""
    model = Model({"": Node("directory", "alice", "", 0o1777)})
    for name, (kind, owner, group, mode, target) in sorted(told.items()):
        if (above := model.nodes.get(directory_of(name))) and above.kind == "directory":
            link = kind == "link"
            kept = mode if kind == "directory" else mode & 0o777
            model.nodes[name] = Node(
                kind, owner, "" if link else group, 0o777 if link else kept, target if link else ""
            )
    with store.database.write() as connection:
        for table in (replicas, removed_replicas, removed_files, files, links, directories):
            connection.execute(table.delete())
        for name, node in model.nodes.items():
            row = {"lfn": name, "directory": directory_of(name), "owner": node.owner, "created": 0.0}
            rights = {"team": node.group, "mode": node.mode}
            if node.kind == "directory":
                connection.execute(directories.insert().values(**row, **rights))
            elif node.kind == "link":
                connection.execute(links.insert().values(**row, target=node.target))
            else:
                told_ = {"size": 1000, "adler32": "0" * 8, "events": 0, "guid": name}
                connection.execute(files.insert().values(**row, **rights, **told_))
                connection.execute(replicas.insert().values(lfn=name, se="SE", site="SITE_A", pfn="file:///x"))
    return model


def tree_of(store: Store) -> dict[str, Node]:
    """What the catalogue holds."""
    found = {}
    with store.database.read() as connection:
        for kind, table in (("directory", directories), ("file", files)):
            for row in connection.execute(table.select()):
                found[row.lfn] = Node(kind, row.owner, row.team, row.mode)
        for row in connection.execute(links.select()):
            found[row.lfn] = Node("link", row.owner, "", 0o777, row.target)
    return found


MODEL: dict[str, Callable[..., object]] = {
    "read": Model.read,
    "list": Model.listed,
    "mkdir": lambda model, user, name: model.make(user, name, "directory"),
    "register": lambda model, user, name: model.make(user, name, "file"),
    "link": lambda model, user, target, name: model.make(user, name, "link", target),
    "chmod": Model.chmod,
    "remove": Model.remove,
    "move": Model.move,
}


def read(catalogue: Namespace, name: str) -> str:
    found = catalogue.files([name])
    if not found:
        raise NotFound(name)
    return found[0].file.lfn


def register(catalogue: Namespace, name: str) -> None:
    catalogue.stat(directory_of(name) or "/")  # what is missing above would be made, which the model does not
    catalogue.register([a_file(name, "SITE_A", adler32=f"{next(NUMBERS):08x}")])


CATALOGUE: dict[str, Callable[..., object]] = {
    "read": read,
    "list": lambda catalogue, name: [each.name for each in catalogue.entries(name)],
    "mkdir": Namespace.make_directory,
    "register": register,
    "link": Namespace.link,
    "chmod": lambda catalogue, name, mode: catalogue.set_mode([name], mode) and None,
    "remove": lambda catalogue, name: catalogue.remove([name]) and None,
    "move": lambda catalogue, old, new: catalogue.move(old, new) and None,
}


def outcome(call: Callable[..., object], *given: object) -> object:
    """What a call answers, or that it is refused."""
    try:
        return ("done", call(*given))
    except (Refused, RouterError):
        return "refused"


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=TREES, calls=st.lists(st.tuples(st.sampled_from(USERS), CALLS), max_size=3))
def test_no_call_does_more_or_less_than_the_rights_give(store, monkeypatch, told, calls):
    members = Members(groups={group: frozenset(users) for group, users in GROUPS.items()})
    monkeypatch.setattr(store, "members", members)
    model = planted(store, told)
    for user, several in calls:
        catalogue = store.as_user(user, FakeClock())
        for call in several:
            what, *given_ = call
            expected = outcome(MODEL[what], model, user, *given_)
            assert outcome(CATALOGUE[what], catalogue, *given_) == expected, call
            assert tree_of(store) == model.nodes, call
        assert catalogue.find(Search(Place(""))) == model.below(user)
