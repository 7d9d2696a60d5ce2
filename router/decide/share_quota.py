"""How many cores each group is given in a negotiation cycle: HTCondor's hierarchical group quotas, restated.

Source: GroupEntry.cpp of HTCondor 25 (hgq_assign_quotas, hgq_fairshare, hgq_allocate_surplus, strict_enforce_quota),
with weighted slots and NEGOTIATOR_ALLOW_QUOTA_OVERSUBSCRIPTION = False, which is how policies are rendered: what its
children leave is a parent's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from router.model.shares import ROOT, Quota, SharePolicy

TINY = 1e-9


@dataclass(slots=True)
class Node:
    """A group while cores are being handed out."""

    name: str
    configured: Quota
    surplus: bool
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    quota: float = 0.0
    subtree_quota: float = 0.0
    requested: float = 0.0
    subtree_requested: float = 0.0
    allocated: float = 0.0
    used: float = 0.0


def tree(policy: SharePolicy) -> dict[str, Node]:
    """The groups of a policy by name, the root first and parents before children; HTCondor sorts them by name."""
    root = Node(ROOT, Quota(1.0, True), True)
    nodes = {ROOT: root}
    for group in sorted(policy.groups, key=lambda each: each.name.lower()):
        above = nodes[group.parent or ROOT]
        node = Node(group.name, group.quota, group.surplus, above)
        above.children.append(node)
        nodes[group.name] = node
    return nodes


def entitlements(policy: SharePolicy, cores: float) -> dict[str, float]:
    """The quota of each group's whole subtree in a pool of so many cores; of the root, what no group has."""
    nodes = tree(policy)
    _assign(nodes[ROOT], cores)
    return {name: node.quota if name == ROOT else node.subtree_quota for name, node in nodes.items()}


def allocate(
    nodes: Mapping[str, Node], cores: float, requested: Mapping[str, float], used: Mapping[str, float]
) -> None:
    """Give each group its cores of a cycle, by what its own users run and wait for."""
    for node in nodes.values():
        node.quota = node.subtree_quota = node.allocated = node.subtree_requested = 0.0
        node.requested, node.used = requested.get(node.name, 0.0), used.get(node.name, 0.0)
    _assign(nodes[ROOT], cores)
    _fair_share(nodes[ROOT])


def limit(node: Node) -> float:
    """Cores that a group's own users may hold after this cycle, with the ceilings of the groups above."""
    target = max(node.allocated, node.quota)
    new = target - node.used
    above: Node | None = node
    while above is not None:
        if not above.surplus:
            ceiling = above.subtree_quota if above.configured.dynamic else above.configured.amount
            new = min(new, max(0.0, ceiling - subtree_used(above)))
        above = above.parent
    return new + node.used


def subtree_used(node: Node) -> float:
    """Cores in use in a group and all below it."""
    return node.used + sum(subtree_used(child) for child in node.children)


def _assign(node: Node, quota: float) -> None:
    if quota <= 0:
        return
    node.subtree_quota = quota
    static = sum(child.configured.amount for child in node.children if not child.configured.dynamic)
    dynamic = sum(child.configured.amount for child in node.children if child.configured.dynamic)
    for_static = min(static, quota)
    for_dynamic = max(0.0, quota - for_static)
    given = 0.0
    for child in node.children:
        if child.configured.dynamic:
            part = child.configured.amount * for_dynamic / max(dynamic, 1.0)
        else:
            part = child.configured.amount * for_static / (static or 1.0)
        _assign(child, part)
        given += part
    node.quota = max(0.0, quota - given)


def _fair_share(node: Node) -> float:
    """Satisfy requests within quotas, then hand out what is left below this node. Returns what is left still."""
    node.allocated = min(node.requested, node.quota)
    node.requested -= node.allocated
    node.subtree_requested = node.requested
    left = node.quota - node.allocated
    if not node.children:
        return left
    for child in node.children:
        left += _fair_share(child)
        if child.surplus:
            node.subtree_requested += child.subtree_requested
    return _hand_out(node, left)


def _hand_out(node: Node, surplus: float) -> float:
    """Share a surplus among a group's own users and its children that accept it."""
    if surplus <= 0 or node.subtree_requested <= 0:
        return surplus
    if not node.children:
        took = min(surplus, node.requested)
        node.allocated += took
        node.requested -= took
        node.subtree_requested = node.requested
        return surplus - took
    # A group competes with its children as one of them, with the quota it keeps for itself.
    wanted = {id(child): child.subtree_requested for child in node.children if child.surplus}
    wanted[id(node)] = node.requested
    weights = {**{id(child): child.subtree_quota for child in node.children}, id(node): node.quota}
    given, left = _divide(surplus, wanted, weights)
    for child in node.children:
        if given.get(id(child), 0.0) > 0:
            _hand_out(child, given[id(child)])
    node.allocated += given.get(id(node), 0.0)
    node.requested -= given.get(id(node), 0.0)
    node.subtree_requested -= sum(given.values())
    return left


def _divide(
    surplus: float, wanted: Mapping[int, float], weights: Mapping[int, float]
) -> tuple[dict[int, float], float]:
    """Divide by weight, never more than wanted; what the weighted leave goes to those without weight, evenly."""
    given = dict.fromkeys(wanted, 0.0)
    for weigh in (weights.__getitem__, lambda _: 1.0):
        while surplus > TINY:
            takers = [each for each in wanted if wanted[each] - given[each] > TINY]
            total = sum(weigh(each) for each in takers)
            if total <= 0:
                break
            parts = {each: min(wanted[each] - given[each], surplus * weigh(each) / total) for each in takers}
            for each, part in parts.items():
                given[each] += part
            surplus -= sum(parts.values())
    return given, surplus


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """Groups as the negotiator serves them by default: the least used part of its quota first, the root last."""

    def key(node: Node) -> float:
        if node.name == ROOT:
            return 3.4e38
        return node.used / node.quota if node.quota > 0 else 3.3e38

    return sorted(nodes, key=key)
