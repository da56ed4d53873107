"""Draw a check's picture: metric against bands, one point with its interval a rung and seed.

This file does not run on the host: `picture.py` sends its text into a container of the workspace
image, where matplotlib is. JSON comes in on standard input, SVG goes out on standard output, the
same bytes for the same JSON.
"""

import io
import json
import sys

import matplotlib  # type: ignore[import-not-found]

matplotlib.use("svg")
import matplotlib.pyplot as plt  # type: ignore[import-not-found]

matplotlib.rcParams["svg.hashsalt"] = "exam"
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: small, and it can be searched
matplotlib.rcParams["font.family"] = "sans-serif"
matplotlib.rcParams["font.size"] = 10

SHADES = ("#f4c7c3", "#f8dcc4", "#fbf0c9", "#e6f0cd", "#cfe6d1", "#b4d8c8")
COLOURS = {"probe": "#1f4e79", "final": "#b35900"}


def main() -> None:
    """Read, draw, write."""
    told = json.load(sys.stdin)
    names = [rung["name"] for rung in told["rungs"]]
    figure, axes = plt.subplots(figsize=(1.6 + 1.35 * len(names), 5.2))
    least, most = limits(told)
    shade(axes, told, least, most)
    for column, rung in enumerate(told["rungs"]):
        count = len(rung["points"])
        for place, (which, value, low, high) in enumerate(rung["points"]):
            x = column + 0.7 * ((place + 0.5) / count - 0.5)
            if not least <= value <= most:  # far off: an arrow at the edge says where
                mark, edge = ("^", most) if value > most else ("v", least)
                axes.plot([x], [edge], mark, color=COLOURS[which], markersize=5, clip_on=False)
                continue
            low, high = max(low, least), min(high, most)
            axes.plot([x, x], [low, high], color=COLOURS[which], linewidth=1.1, zorder=3)
            axes.plot([x], [value], "o", color=COLOURS[which], markersize=3.2, zorder=4)
    for which, colour in COLOURS.items():
        axes.plot([], [], "o-", color=colour, markersize=4, label=f"{which} set")
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(least, most)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel(told["metric"])
    axes.set_title(told["title"], loc="left", fontsize=11)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    sys.stdout.buffer.write(out.getvalue())


def limits(told) -> "tuple[float, float]":  # type: ignore[no-untyped-def]
    """Return the ends of the axis: the bands, what is better, and a little of what scores 0.

    A baseline far below band 1 would press all bands into a few millimetres.
    """
    bands = told["bands"]
    span = abs(bands[0] - bands[-1])
    values = [end for rung in told["rungs"] for point in rung["points"] for end in point[1:]]
    ends = [*values, *bands]
    if told["better"] == "lower":
        return min(ends) - 0.06 * span, min(max(ends), bands[0] + 0.5 * span) + 0.03 * span
    return max(min(ends), bands[0] - 0.5 * span) - 0.03 * span, max(ends) + 0.06 * span


def shade(axes, told, least, most) -> None:  # type: ignore[no-untyped-def]
    """Fill the band of each score and name it at the right edge."""
    worst, best = (most, least) if told["better"] == "lower" else (least, most)
    edges = [worst, *told["bands"], best]
    for score, (one, other) in enumerate(zip(edges, edges[1:])):  # noqa: B905, RUF007
        axes.axhspan(min(one, other), max(one, other), color=SHADES[score], zorder=0, linewidth=0)
        if abs(one - other) > 0.03 * (most - least):
            axes.annotate(
                f"score {score}",
                (1.01, (one + other) / 2),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
            )


main()
