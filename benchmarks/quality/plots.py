"""The figures as plots: the distribution of waits, waits by policy with intervals, bytes against waits."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.quality.compare import Comparison

SIZE = (7.0, 4.5)


def draw(found: Comparison, folder: Path) -> None:
    """Write wait_cdf.png, wait_by_policy.png and bytes_vs_wait.png into a directory, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, fill in (("wait_cdf", _cdf), ("wait_by_policy", _by_policy), ("bytes_vs_wait", _bytes)):
        figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
        fill(axes, found)
        axes.set_title(f"{found.document['scenario']}: {found.document['title']}")
        figure.savefig(folder / f"{name}.png", dpi=120)
        plt.close(figure)


def _cdf(axes: Axes, found: Comparison) -> None:
    levels = np.linspace(0.0, 1.0, 400)
    for name, samples in {**found.waits, "pooled FIFO (bound)": found.pooled}.items():
        style = "k--" if name.startswith("pooled") else "-"
        hours = np.quantile(np.concatenate(samples), levels)
        axes.plot(np.maximum(hours, 1 / 60), levels, style, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("wait until the input is there [h]")
    axes.set_ylabel("part of the jobs")
    axes.grid(alpha=0.3)
    axes.legend()


def _by_policy(axes: Axes, found: Comparison) -> None:
    policies = found.document["policies"]
    mean = np.array([each["wait_mean_h"] for each in policies.values()])
    ends = np.array([each["wait_mean_h_ci"] for each in policies.values()])
    errors = np.abs(ends.T - mean)
    axes.barh(range(len(mean)), mean, xerr=errors, capsize=4, color="tab:blue", alpha=0.8)
    axes.axvline(found.document["bounds"]["pooled_wait_mean_h"], color="k", linestyle="--", label="pooled FIFO (bound)")
    axes.set_yticks(range(len(mean)), list(policies))
    axes.invert_yaxis()
    axes.set_xlabel("mean wait with 95 % interval [h]")
    axes.legend()


def _bytes(axes: Axes, found: Comparison) -> None:
    for name, runs in found.runs.items():
        moved = [run["moved_tb"] or 0.0 for run in runs]
        axes.plot(moved, [run["wait_mean_h"] or 0.0 for run in runs], "o", label=name)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_yscale("log")
    axes.set_xlabel("read from other sites [TB]")
    axes.set_ylabel("mean wait [h]")
    axes.grid(alpha=0.3)
    axes.legend()
