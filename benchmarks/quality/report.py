"""The figures as a table for people."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

ROWS = (
    ("wait_mean_h", "mean wait [h]"),
    ("wait_p50_h", "  half wait less than [h]"),
    ("wait_p95_h", "  95 % [h]"),
    ("wait_p99_h", "  99 % [h]"),
    ("task_t95_h", "95 % of a task done after [h]"),
    ("task_t100_over_t90", "all of it / 90 % of it"),
    ("makespan_h", "last job ends after [h]"),
    ("makespan_over_bound", "  / T*"),
    ("moved_tb", "read from other sites [TB]"),
    ("moved_over_least", "  / least"),
    ("wasted_fraction", "slot time lost in failed runs"),
    ("staging_fraction", "slot time waiting for input"),
    ("edits_per_job", "edits per job"),
    ("share_error", "distance from fair shares"),
    ("cpu_us_per_job", "deciding, µs per job"),
)


NO_FLOW = "T* and the least bytes are missing: they need OR-tools, pip install 'glideroute[bench]'."


def table(document: Mapping[str, Any]) -> Table:
    """A column for each policy; the mean of each figure over seeds, with its 95 % interval where seeds differ."""
    bounds = document["bounds"]
    found = Table(
        title=f"{document['scenario']}: {document['title']}",
        title_justify="left",
        caption=f"{document['jobs']:,} jobs, {document['sites']} sites, {document['slots']:,} slots, "
        f"{document['seeds']} seeds, distributions: {document['source']}. "
        f"Mean wait in one pool of all slots and data: {bounds['pooled_wait_mean_h']:.2f} h; "
        f"for single copies of data at best: {bounds['data_wait_mean_h']:.2f} h."
        + ("" if bounds["makespan_by_flow"] else f" {NO_FLOW}"),
        caption_justify="left",
    )
    found.add_column("")
    for name in document["policies"]:
        found.add_column(escape(name), justify="right")
    for key, heading in ROWS:
        found.add_row(heading, *(_cell(figures, key) for figures in document["policies"].values()))
    return found


def _cell(figures: Mapping[str, Any], key: str) -> str:
    if figures[key] is None:
        return "-"
    low, high = figures[f"{key}_ci"]
    spread = f" ±{_number((high - low) / 2)}" if high > low else ""
    return _number(figures[key]) + spread


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
