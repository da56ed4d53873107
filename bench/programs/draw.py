"""Draw curves as SVG: `python draw.py FILE`, see `bench/picture.py` for what the file holds."""

import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

mpl.rcParams["svg.hashsalt"] = "exam"
mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, and it can be searched
mpl.rcParams["font.family"] = "sans-serif"
mpl.rcParams["font.size"] = 10

COLOURS = {
    "naive": "#b35900",
    "nbgrader": "#7a3b8f",
    "in-process": "#777777",
    "anonymous": "#b35900",
}
OURS = "#1f4e79"


def colour(name):
    """Return the colour of a curve: ours is blue in every picture."""
    return next((value for key, value in COLOURS.items() if key in name), OURS)


def main():
    """Read, draw, print."""
    told = json.loads(Path(sys.argv[1]).read_text())
    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    axes.set_xscale("log")
    if told["logarithmic"]:
        axes.set_yscale("log")
    for one in told["series"]:
        xs = [x for x, _ in one["points"]]
        middles = [statistics.median(values) for _, values in one["points"]]
        axes.plot(xs, middles, "o-", color=colour(one["name"]), markersize=4, linewidth=1.4)
        for x, values in one["points"]:
            ends = [min(values), max(values)]
            axes.plot([x, x], ends, color=colour(one["name"]), linewidth=1)
        axes.annotate(
            one["name"],
            (xs[-1], middles[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour(one["name"]),
        )
    plain = FuncFormatter(lambda value, _: f"{value:,g}")
    ticks = sorted({x for one in told["series"] for x, _ in one["points"]})
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    if told["logarithmic"]:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
    axes.set_xlabel(told["x"])
    axes.set_ylabel(told["y"])
    axes.set_title(told["title"], loc="left", fontsize=11)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(
        sys.stdout.buffer,
        format="svg",
        metadata={"Date": None, "Creator": None},
        bbox_inches="tight",
    )


if __name__ == "__main__":
    main()
