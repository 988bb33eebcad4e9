"""The chart of a benchmark: who makes how many events per second."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_OURS, _PEERS = "#1f6f8b", "#b0b7bd"


def draw(contest: Mapping[str, Any], file: Path) -> None:
    """Draw bars of the medians, with marks from the least to the most."""
    names = list(contest["contestants"])[::-1]
    rates = [contest["contestants"][name]["rate"] for name in names]
    medians = [rate["median"] for rate in rates]
    below = [rate["median"] - rate["least"] for rate in rates]
    above = [rate["most"] - rate["median"] for rate in rates]
    figure = Figure(figsize=(9, 0.5 * len(names) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = [_OURS if name.startswith("streamfit") else _PEERS for name in names]
    axes.barh(names, medians, xerr=[below, above], color=colours, ecolor="#444444", capsize=3)
    for position, rate in enumerate(rates):
        axes.annotate(
            f"{rate['median']:,.0f}",
            (rate["most"], position),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_xlabel("events per second, read to acknowledged prediction")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.savefig(file, dpi=120)
