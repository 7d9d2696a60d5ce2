"""What the VO wants of brokerage: thresholds and limits, with their reasons."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrokerPolicy:
    """The broker's thresholds."""

    max_sites: int = 4
    """Sites in one set. Each distinct set is an autocluster to the negotiator, and a wide one spreads glideins thin."""
    keep_within: float = 0.7
    """Sites that score at least this share of the best join the set, 0..1."""
    failure_rate: float = 0.5
    """Over this share of failed jobs a site gets nothing new, 0..1."""
    failure_sample: int = 10
    """Fewer ended jobs than this say nothing about a site."""
    failure_window_s: int = 3600
    """Failures older than this are forgotten, in seconds."""
    validation_window_s: int = 1800
    """A refused node older than this no longer keeps jobs away, in seconds."""
    weight_locality: float = 4.0
    weight_free: float = 1.0
    weight_queue: float = 1.0
    weight_reliability: float = 2.0


@dataclass(frozen=True, slots=True)
class DemandPolicy:
    """How glideins are asked for; the numbers are GlideinWMS's frontend's where it has them."""

    per_pass: int = 10
    """New glideins of one entry in one pass."""
    failing_probes: int = 1
    """Glideins kept at an entry whose nodes fail validation, to see when it is well again."""
