"""A tiny model of the namespace: names in a dictionary, and POSIX's rules in a few lines."""

from dataclasses import dataclass, replace

GROUPS = {"higgs": {"alice", "bob"}}
USERS = ("alice", "bob", "carol")


class Refused(Exception):
    """The model refuses a call."""


@dataclass(frozen=True)
class Node:
    """A directory, a file, or a link to somewhere."""

    kind: str
    owner: str
    group: str
    mode: int
    target: str = ""


@dataclass
class Model:
    """The tree as it should be, without homes and datasets."""

    nodes: dict[str, Node]

    def may(self, user: str, need: int, node: Node) -> bool:
        which = 6 if user == node.owner else 3 if user in GROUPS.get(node.group, ()) else 0
        return node.mode >> which & need == need

    def walk(self, user: str, name: str, follow: bool) -> str:
        """Where a name leads."""
        parts, at, hops = name.split("/")[1:], "", 0
        while parts:
            self.enter(user, at)
            here, parts = f"{at}/{parts[0]}", parts[1:]
            node = self.nodes.get(here)
            if node and node.kind == "link" and (parts or follow):
                hops += 1
                if hops > 8:
                    raise Refused
                parts, at = [*node.target.split("/")[1:], *parts], ""
            else:
                at = here
        return at

    def enter(self, user: str, name: str) -> None:
        node = self.nodes.get(name)
        if node and node.kind == "directory" and not self.may(user, 1, node):
            raise Refused

    def parent(self, user: str, name: str) -> str:
        """The name with its directory's true name, which is entered."""
        directory, _, last = name.rpartition("/")
        real = self.walk(user, directory, True)
        self.enter(user, real)
        return f"{real}/{last}"

    def get(self, name: str, kind: str = "") -> Node:
        node = self.nodes.get(name)
        if node is None or (kind and node.kind != kind):
            raise Refused
        return node

    def writable(self, user: str, name: str) -> Node:
        node = self.get(name, "directory")
        if not self.may(user, 3, node):
            raise Refused
        return node

    def takes(self, user: str, name: str) -> None:
        directory = self.writable(user, name.rpartition("/")[0])
        if directory.mode & 0o1000 and user not in (directory.owner, self.nodes[name].owner):
            raise Refused

    # Calls

    def read(self, user: str, name: str) -> str:
        real = self.walk(user, name, True)
        if not self.may(user, 4, self.get(real, "file")):
            raise Refused
        return real

    def listed(self, user: str, name: str) -> list[str]:
        real = self.walk(user, name, True)
        if self.get(real).kind != "directory":
            return [real]
        if not self.may(user, 5, self.nodes[real]):
            raise Refused
        return sorted(each for each in self.nodes if each and each.rpartition("/")[0] == real)

    def below(self, user: str) -> list[str]:
        """All files in directories that may be listed."""
        found = []
        for name, node in self.nodes.items():
            above = [name[:at] for at, sign in enumerate(name) if sign == "/"]
            if node.kind == "file" and all(self.may(user, 1, self.nodes[each]) for each in above):
                found += [name] if self.may(user, 4, self.nodes[above[-1]]) else []
        return sorted(found)

    def make(self, user: str, name: str, kind: str, target: str = "") -> None:
        real = self.parent(user, name)
        directory = self.writable(user, real.rpartition("/")[0])
        if real in self.nodes:
            raise Refused
        group = "" if kind == "link" else directory.group
        mode = {"directory": 0o755, "file": 0o644, "link": 0o777}[kind]
        self.nodes[real] = Node(kind, user, group, mode, target)

    def chmod(self, user: str, name: str, mode: int) -> None:
        real = self.walk(user, name, True)
        node = self.get(real)
        if node.owner != user or node.kind == "link":
            raise Refused
        self.nodes[real] = replace(node, mode=mode if node.kind == "directory" else mode & 0o777)

    def remove(self, user: str, name: str) -> None:
        real = self.parent(user, name)
        self.get(real)
        self.takes(user, real)
        if any(each.startswith(real + "/") for each in self.nodes):
            raise Refused
        del self.nodes[real]

    def move(self, user: str, old: str, new: str) -> None:
        source = self.parent(user, old)
        node = self.get(source)
        target = self.walk(user, new, True)
        last = source.rpartition("/")[2]
        inside = target in self.nodes and self.nodes[target].kind == "directory"
        target = f"{target}/{last}" if inside else self.parent(user, new)
        if node.kind == "directory" and f"{target}/".startswith(f"{source}/"):
            raise Refused
        self.takes(user, source)
        if target.rpartition("/")[0] != source.rpartition("/")[0]:
            self.writable(user, target.rpartition("/")[0])
            if node.kind == "directory" and not self.may(user, 2, node):
                raise Refused
        if target in self.nodes:
            raise Refused
        moved = {each: each for each in self.nodes if each == source or each.startswith(source + "/")}
        for each in sorted(moved):
            self.nodes[target + each[len(source) :]] = self.nodes.pop(each)
