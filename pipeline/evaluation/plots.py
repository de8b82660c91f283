"""Plots of an evaluation as SVG, by matplotlib, which the extra ``plots`` installs."""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.evaluation.summary import bins_of, curve_of
from laketag.pipeline.evaluation.tables import same_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_INCHES = (7.0, 4.5)
MOST_CURVES = 8
"""Methods in a plot of curves: more cannot be told apart by colour."""


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_plots(
    results: pl.DataFrame, summary: pl.DataFrame, pairs: pl.DataFrame, against: str
) -> dict[str, bytes]:
    """File name → SVG: accuracy and labels equal to one method's against compute, risk against coverage, and reliability."""
    titles = dict(summary.filter(pl.col("top1").is_not_null()).select("method", "title").iter_rows())
    shown = list(titles)[:MOST_CURVES]
    return {
        "accuracy.svg": _accuracy(summary),
        "agreement.svg": _agreement(summary, pairs, against),
        "risk-coverage.svg": _risk_coverage(results, titles, shown),
        "reliability.svg": _reliability(results, titles, shown),
    }


def _accuracy(summary: pl.DataFrame) -> bytes:
    figure, axes = _axes("computed for one image, in GFLOP", "top-1 accuracy in %")
    for row in summary.filter(pl.col("top1").is_not_null()).iter_rows(named=True):
        x, y = 1000 * row["tflop"], 100 * row["top1"]
        below, above = y - 100 * row["top1_low"], 100 * row["top1_high"] - y
        axes.errorbar([x], [y], [[below], [above]], fmt="o", capsize=2, elinewidth=0.6)
        axes.annotate(row["method"], (x, y), xytext=(5, 3), textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    return _svg(figure)


def _agreement(summary: pl.DataFrame, pairs: pl.DataFrame, against: str) -> bytes:
    figure, axes = _axes("passes of the image tower for one image", f"same label as {against}, in %")
    for row in summary.filter(pl.col("top1").is_not_null()).iter_rows(named=True):
        same = same_label(pairs, row["method"], against)
        if same is not None:
            axes.plot([row["tower_passes"]], [100 * same], "o", markersize=4)
            axes.annotate(
                row["method"],
                (row["tower_passes"], 100 * same),
                xytext=(5, 3),
                textcoords="offset points",
                fontsize=7,
            )
    return _svg(figure)


def _risk_coverage(results: pl.DataFrame, titles: dict[str, str], shown: Sequence[str]) -> bytes:
    figure, axes = _axes("coverage: labels that do not abstain, in %", "risk: wrong ones among them, in %")
    for method in shown:
        coverage, risk = curve_of(results, method)
        axes.plot(100 * coverage, 100 * risk, label=titles[method], linewidth=1.2)
    axes.legend(fontsize=7)
    return _svg(figure)


def _reliability(results: pl.DataFrame, titles: dict[str, str], shown: Sequence[str]) -> bytes:
    figure, axes = _axes("stated probability", "fraction that is right")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    for method in shown:
        bins = bins_of(results, method)
        axes.plot(
            bins["probability"],
            bins["accuracy"],
            marker="o",
            markersize=3,
            label=titles[method],
            linewidth=1.2,
        )
    axes.legend(fontsize=7)
    return _svg(figure)


def _axes(x: str, y: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # without pyplot: no window, no global state

    figure = Figure(SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(linewidth=0.3)
    return figure, axes


def _svg(figure: "Figure") -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="svg", metadata={"Date": None})
    return sink.getvalue()
