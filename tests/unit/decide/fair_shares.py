"""Policies and loads as tests want them."""

from router.model import share_document
from router.model.share_load import Submission
from router.model.shares import Group, Quota, SharePolicy


def a_group(name: str, percent: float = 0.0, cores: float = 0.0, **given: object) -> Group:
    """A group with a part of its parent, or a number of cores."""
    quota = Quota(cores, False) if cores else Quota(percent / 100, True)
    return Group(name, quota, **given)  # type: ignore[arg-type]


def groups(*found: Group, **given: object) -> SharePolicy:
    """A policy of these groups."""
    return SharePolicy(groups=found, **given)  # type: ignore[arg-type]


def endless(*submitters: str, run_s: float = 600, jobs: int = 100_000) -> list[Submission]:
    """More jobs than anyone can run, of each submitter, from the start."""
    return [Submission(name, 0, jobs, run_s) for name in submitters]


def the_policy(text: str) -> share_document.ReadPolicy:
    """What a document says."""
    return share_document.read(text, "policy.yaml")
