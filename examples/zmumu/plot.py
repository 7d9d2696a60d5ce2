"""Fits the Z peak in a dimuon mass histogram and draws it.

The peak is the Z's own Breit-Wigner shape, its width fixed at the measured 2.4955 GeV (Particle Data Group), smeared by
a Gaussian resolution; below it lies an exponential background.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from iminuit import Minuit
from iminuit.cost import ExtendedBinnedNLL

Z_WIDTH_GEV = 2.4955
NOTE = "The sample lists most collisions several times (500 collisions); the errors do not allow for that."
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)


@dataclass(frozen=True)
class Fit:
    """The Z peak as fitted; masses, widths and errors in GeV."""

    peak: float
    peak_error: float
    width: float  # full width at half maximum, natural width and resolution together
    resolution: float
    resolution_error: float
    signal: float
    entries: int  # all muon pairs that were filled, also those outside of the plot
    chi2: float
    degrees_of_freedom: int


def signal_below(mass: np.ndarray, peak: float, resolution: float) -> np.ndarray:
    """The share of the peak that lies below each mass: a Breit-Wigner's arctangent, averaged over the smearing."""
    smeared = (mass[:, np.newaxis] - peak - resolution * NODES) * 2 / Z_WIDTH_GEV
    share: np.ndarray = (0.5 + np.arctan(smeared) / np.pi) @ (WEIGHTS / WEIGHTS.sum())
    return share


def background_below(mass: np.ndarray, low: float, high: float, slope: float) -> np.ndarray:
    """The share of the background in the window that lies below each mass."""
    share: np.ndarray = np.expm1(-slope * (mass - low)) / np.expm1(-slope * (high - low))
    return share


def fitted(counts: np.ndarray, edges: np.ndarray) -> Minuit:
    """The extended maximum-likelihood fit of signal and background, done; ValueError when there is no peak to fit."""
    if counts.sum() < 100:
        raise ValueError(f"{counts.sum():.0f} muon pairs are too few to fit a peak")
    low, high = edges[0], edges[-1]

    def expected_below(
        mass: np.ndarray, signal: float, peak: float, resolution: float, background: float, slope: float
    ) -> np.ndarray:
        return signal * signal_below(mass, peak, resolution) + background * background_below(mass, low, high, slope)

    start = {"signal": 0.8 * counts.sum(), "peak": edges[counts.argmax()], "resolution": 1.5}
    fit = Minuit(ExtendedBinnedNLL(counts, edges, expected_below), **start, background=0.2 * counts.sum(), slope=0.02)
    fit.limits["signal", "background"] = (0, None)
    fit.limits["peak"] = (low, high)
    fit.limits["resolution"] = (0.05, 10)
    fit.limits["slope"] = (1e-4, 1)
    fit.migrad()
    fit.hesse()
    if not fit.valid:
        raise ValueError(f"the fit of the Z peak to {counts.sum():.0f} muon pairs did not converge")
    return fit


def full_width(peak: float, resolution: float) -> float:
    """Full width at half maximum of the smeared peak, by looking where it falls to half."""
    mass = peak + np.linspace(-30, 30, 12001)
    density = np.gradient(signal_below(mass, peak, resolution), mass)
    above = mass[density >= density.max() / 2]
    return float(above[-1] - above[0])


def fit_and_plot(root_file: Path, png: Path) -> Fit:
    """Fit the histogram `mass` of a file and draw it; ValueError when there is no peak to fit."""
    with uproot.open(root_file) as source:
        histogram = source["mass"]
        counts, edges = histogram.to_numpy()
        entries = round(histogram.member("fEntries"))
    fit = fitted(counts, edges)
    peak, resolution = fit.values["peak"], fit.values["resolution"]
    low, high = signal_below(edges[[0, -1]], peak, resolution)
    result = Fit(
        peak=peak,
        peak_error=fit.errors["peak"],
        width=full_width(peak, resolution),
        resolution=resolution,
        resolution_error=fit.errors["resolution"],
        signal=float(fit.values["signal"] * (high - low)),
        entries=entries,
        chi2=fit.fval,
        degrees_of_freedom=int(fit.ndof),
    )
    draw(counts, edges, fit, result, png)
    return result


def draw(counts: np.ndarray, edges: np.ndarray, fit: Minuit, result: Fit, png: Path) -> None:
    """Data points with their errors, the fit and its background, and the numbers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    bin_width = edges[1] - edges[0]
    curve = np.linspace(edges[0], edges[-1], 1201)
    background = fit.values["background"] * background_below(curve, edges[0], edges[-1], fit.values["slope"])
    total = fit.values["signal"] * signal_below(curve, result.peak, result.resolution) + background
    axes.plot(curve, np.gradient(total, curve) * bin_width, color="#c2352b", lw=2, label="Breit-Wigner ⊗ Gauss + exp")
    axes.fill_between(curve, np.gradient(background, curve) * bin_width, color="#c9d3df", label="background")
    filled = counts > 0
    centres = (edges[:-1] + edges[1:]) / 2
    axes.errorbar(
        centres[filled],
        counts[filled],
        yerr=np.sqrt(counts[filled]),
        fmt="o",
        color="#1b1f24",
        ms=4,
        elinewidth=1,
        label="data",
    )
    axes.set_xlabel("dimuon mass [GeV]", fontsize=12)
    axes.set_ylabel(f"muon pairs / {bin_width:g} GeV", fontsize=12)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, counts.max() * 1.18)
    axes.set_title("Z → µµ, analysed by glideroute", loc="left", fontsize=14, weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.text(0.03, 0.95, words(result), transform=axes.transAxes, va="top", fontsize=11, linespacing=1.6)
    axes.legend(frameon=False, loc="upper right", fontsize=11)
    figure.supxlabel(NOTE, fontsize=8, color="#6b7280", x=0.99, ha="right")
    figure.savefig(png, dpi=150)


def words(fit: Fit) -> str:
    """What the plot says in numbers."""
    return "\n".join(
        [
            f"{fit.entries} muon pairs, {fit.signal:.0f} in the peak",
            f"peak  {fit.peak:.2f} ± {fit.peak_error:.2f} GeV",
            f"full width  {fit.width:.2f} GeV  (Z: {Z_WIDTH_GEV:.2f})",
            f"resolution  {fit.resolution:.2f} ± {fit.resolution_error:.2f} GeV",
            f"χ² / dof  {fit.chi2:.0f} / {fit.degrees_of_freedom}",
        ]
    )
