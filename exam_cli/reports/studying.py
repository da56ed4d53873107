"""Look at predictions beside labels: an interval by bootstrap, pictures, what was surely mistaken.

This file does not run on the host: `study.py` sends its text into a container of the workspace
image, without network and without the model, where numpy, matplotlib and the grader's own metrics
are. One frame comes in for each section: {"left", "metric", "unit", "draw", "reveal", "classes",
"tensors", "script"} and the tensors' bytes, then the bytes of the section's own metric. `left` says
how many more follow. Inputs are among the tensors only where hidden rows may be shown. One frame
goes out for each: {"kind", "interval", "confusions", "pictures", "examples"} and the pictures'
bytes.

The same bytes come out for the same bytes.
"""

from __future__ import annotations

import io
import sys
import time
import traceback
import types
from typing import Any

sys.path.insert(0, "/opt/exam/programs")

import matplotlib  # type: ignore[import-not-found]
import metrics  # type: ignore[import-not-found]
import noise  # type: ignore[import-not-found]
import numpy as np
import tensors  # type: ignore[import-not-found]
import wire  # type: ignore[import-not-found]

matplotlib.use("svg")
import matplotlib.pyplot as plt  # type: ignore[import-not-found]
from matplotlib.colors import LinearSegmentedColormap, LogNorm  # type: ignore[import-not-found]

MAX_BODY = 1 << 30
DRAWS = 400
SECONDS = 10.0  # for a metric that is not taken of all draws at once
INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval
MOST_PICTURES = 12
MOST_TEXTS = 8
LONGEST_TEXT = 400
MOST_NAMED = 26  # classes that a matrix has room for
LEAST_AVERAGED = 20  # windows, so that none of them can be made out
INK, FAINT, ACCENT, OTHER = "#22303c", "#8a96a3", "#1f5fa8", "#c8641e"
# A page has no fonts of its own; these are there, and none is wider than the one it was set in.
FONTS = b"system-ui, 'Segoe UI', 'Liberation Sans', Arial, 'DejaVu Sans'"
HEAT = LinearSegmentedColormap.from_list("heat", ["#f3f6fa", "#8fb4dc", "#1f5fa8", "#0b2545"])

plt.rcParams.update(
    {
        "svg.hashsalt": "exam",
        "svg.fonttype": "none",  # text stays text: small, and it can be searched
        "font.size": 10,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "xtick.color": "#56636f",
        "ytick.color": "#56636f",
        "text.color": INK,
        "figure.facecolor": "none",
        "legend.frameon": False,
    }
)


def interval(name: str, metric: Any, predictions: Any, labels: Any) -> Any:
    """Return [low, high] over draws of as many rows with replacement, None where there is none.

    Percentile interval: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    Windows of a series that overlap are not independent: there it is too narrow.
    """
    rows = len(labels)
    draws = np.random.Generator(np.random.PCG64(noise.SEED)).integers(0, rows, (DRAWS, rows))
    with np.errstate(all="ignore"):
        if metric is None and name in noise.PER_ROW:
            top, bottom, power = noise.PER_ROW[name](predictions, labels)
            values = top[draws].mean(axis=1)
            if bottom is not None:
                values = values / bottom[draws].mean(axis=1)
            values = values**power
        else:
            values = one_by_one(metric or metrics.METRICS[name], predictions, labels, draws)
    values = values[np.isfinite(values)]
    if len(values) < DRAWS // 2:
        return None
    return [float(end) for end in np.percentile(values, INTERVAL)]


def one_by_one(metric: Any, predictions: Any, labels: Any, draws: Any) -> Any:
    """Return the metric of each draw; NaN where it means nothing, or time is up."""
    values, started = np.full(len(draws), np.nan), time.monotonic()
    for number, draw in enumerate(draws):
        try:
            values[number] = metric(predictions[draw], labels[draw])
        except Exception:
            continue
        if time.monotonic() - started > SECONDS:
            break
    return values


# Pictures: each is (file, caption, alternative text).


def svg(figure: Any) -> bytes:
    """Return a figure, and forget it."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", dpi=110, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return out.getvalue().replace(b"'DejaVu Sans'", FONTS)


def picture(figure: Any, caption: str, alt: str, wide: bool = False) -> Any:
    """Return a drawn picture."""
    return {"type": "svg", "body": svg(figure), "caption": caption, "alt": alt, "wide": wide}


def short(value: float) -> str:
    """Return a number in three digits, without an exponent where people read none."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def density(predictions: Any, truth: Any, unit: str) -> Any:
    """Draw how often which prediction meets which truth."""
    guess, true = predictions.ravel().astype(float), truth.ravel().astype(float)
    low, high = float(true.min()), float(true.max())
    if low == high:
        low, high = low - 1, high + 1
    logs = low > 0 and high / low > 30
    edges = np.geomspace(low, high, 41) if logs else np.linspace(low, high, 41)
    counts, _, _ = np.histogram2d(true, np.clip(guess, low, high), bins=[edges, edges])
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    mesh = axes.pcolormesh(
        edges,
        edges,
        np.where(counts.T > 0, counts.T, np.nan),
        norm=LogNorm(1, max(2, counts.max())),
        cmap=HEAT,
        rasterized=True,
    )
    axes.plot([low, high], [low, high], color=OTHER, linewidth=1.2, label="as it should be")
    if logs:
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: short(value))
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    of = f" ({unit})" if unit else ""
    axes.set(xlabel=f"true{of}", ylabel=f"predicted{of}", title="Predicted against true")
    axes.legend(loc="upper left", fontsize=9)
    bar = figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.03)
    bar.set_label("predictions in a cell")
    bar.outline.set_visible(False)
    figure.tight_layout()
    ratio = float(np.corrcoef(guess, true)[0, 1]) if guess.std() and true.std() else 0.0
    return picture(
        figure,
        "The darker a cell, the more predictions lie there; on the line they are right.",
        f"Density of {len(true)} predictions against the truth, from {short(low)} to "
        f"{short(high)}{' ' + unit if unit else ''}; their correlation is {ratio:.3f}.",
    )


def residuals(predictions: Any, truth: Any, unit: str) -> Any:
    """Draw how far predictions are off, from small truths to large ones."""
    guess, true = predictions.ravel().astype(float), truth.ravel().astype(float)
    order = np.argsort(true, kind="stable")
    groups = [one for one in np.array_split(order, min(16, max(1, len(true) // 40))) if len(one)]
    middle = [float(np.median(true[one])) for one in groups]
    off = guess - true
    at = {q: [float(np.percentile(off[one], q)) for one in groups] for q in (5, 25, 50, 75, 95)}
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    axes.fill_between(middle, at[5], at[95], color="#d5e3f2", linewidth=0, label="9 of 10")
    axes.fill_between(middle, at[25], at[75], color="#8fb4dc", linewidth=0, label="half of them")
    axes.plot(middle, at[50], color=ACCENT, linewidth=1.8, label="median")
    axes.axhline(0, color=OTHER, linewidth=1.2)
    if true.min() > 0 and true.max() / true.min() > 30:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: short(value))
        axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    of = f" ({unit})" if unit else ""
    axes.set(xlabel=f"true{of}", ylabel=f"predicted less true{of}", title="How far off, and where")
    axes.legend(loc="best", fontsize=9)
    figure.tight_layout()
    return picture(
        figure,
        "Above the line the model predicts too much, below it too little.",
        f"Errors by the size of the truth: half of all lie between "
        f"{short(float(np.percentile(off, 25)))} and {short(float(np.percentile(off, 75)))}, "
        f"their median is {short(float(np.median(off)))}.",
    )


def confusion(counts: Any, names: Any) -> Any:
    """Draw which class is taken for which, in percent of the true one."""
    share = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    classes = len(counts)
    side = 2.2 + 0.31 * max(8, classes)
    figure, axes = plt.subplots(figsize=(side, side - 0.4))
    axes.imshow(share, cmap=HEAT, vmin=0, vmax=100, aspect="equal")
    size = 8.5 if classes <= 12 else 7
    for row in range(classes):
        for column in range(classes):
            if share[row, column] >= 0.5:
                colour = "white" if share[row, column] > 45 else INK
                words = f"{share[row, column]:.0f}"
                axes.text(column, row, words, ha="center", va="center", fontsize=size, color=colour)
    axes.set_xticks(range(classes), names, rotation=90, fontsize=size + 0.5)
    axes.set_yticks(range(classes), names, fontsize=size + 0.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(xlabel="the model's answer", ylabel="the truth", title="What is taken for what")
    figure.tight_layout()
    right = 100 * np.trace(counts) / max(1, counts.sum())
    return picture(
        figure,
        "Percent of each true class, line by line; right answers are on the diagonal.",
        f"Confusion matrix of {classes} classes; {right:.1f} percent lie on the diagonal.",
        wide=classes > 12,
    )


def sureness(probabilities: Any, right: Any) -> Any:
    """Draw how often the model is right when it is so sure."""
    sure = probabilities.max(axis=1)
    edges = np.linspace(0, 1, 11)
    place = np.clip(np.digitize(sure, edges) - 1, 0, 9)
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    axes.plot([0, 100], [0, 100], color=OTHER, linewidth=1.2, label="as sure as right")
    for one in range(10):
        inside = place == one
        if inside.sum() >= 5:
            height = 100 * right[inside].mean()
            axes.bar(10 * one + 5, height, width=8.6, color="#8fb4dc", linewidth=0)
            words = f"{100 * inside.mean():.0f}" if inside.mean() >= 0.005 else "<1"
            axes.text(10 * one + 5, 2, words, ha="center", fontsize=8, color=INK)
    axes.set(xlim=(0, 100), ylim=(0, 103), xlabel="how sure the model is (%)")
    axes.set(ylabel="how often it is right (%)", title="How sure, and how right")
    axes.legend(loc="upper left", fontsize=9)
    figure.tight_layout()
    return picture(
        figure,
        "Bars below the line: more sure than right. At the foot of each, the percent of answers.",
        f"How often answers are right by how sure they are: on average {100 * sure.mean():.0f} "
        f"percent sure and {100 * right.mean():.0f} percent right.",
    )


def horizon(forecast: Any, truth: Any, naive: Any) -> Any:
    """Draw the mean error of each step ahead, beside the naive forecast's."""
    steps = np.arange(1, truth.shape[1] + 1)
    ours, theirs = (np.abs(one - truth).mean(axis=0) for one in (forecast, naive))
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    axes.plot(steps, theirs, color=FAINT, linewidth=1.6, linestyle="--", label="naive forecast")
    axes.plot(steps, ours, color=ACCENT, linewidth=2.2, label="this model")
    axes.fill_between(steps, ours, theirs, color="#d5e3f2", linewidth=0, zorder=0)
    axes.set(xlim=(1, len(steps)), ylim=(0, None), xlabel="steps ahead", ylabel="mean error")
    axes.set_title("How the error grows")
    axes.legend(loc="best", fontsize=9)
    figure.tight_layout()
    return picture(
        figure,
        "The mean absolute error of each step ahead; the space between the lines is what was won.",
        f"Mean error from {short(float(ours[0]))} at the first step to {short(float(ours[-1]))} at "
        f"the last; the naive forecast's is {short(float(theirs.mean()))} on average.",
    )


def averaged(forecast: Any, truth: Any, naive: Any) -> Any:
    """Draw the mean of all windows that peak at the same step: no single one can be made out."""
    peaks = np.argmax(truth, axis=1)
    step = int(np.argmax(np.bincount(peaks, minlength=truth.shape[1])))
    chosen = peaks == step
    if chosen.sum() < LEAST_AVERAGED:
        chosen = np.ones(len(truth), dtype=bool)
    steps = np.arange(1, truth.shape[1] + 1)
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    curves(axes, steps, truth[chosen].mean(0), naive[chosen].mean(0), forecast[chosen].mean(0))
    axes.set(xlabel="steps ahead", title="Forecast and truth, averaged")
    axes.legend(loc="best", fontsize=9)
    figure.tight_layout()
    which = f"whose truth peaks {step + 1} steps ahead" if not chosen.all() else "of the set"
    return picture(
        figure,
        f"The mean of the {int(chosen.sum())} windows {which}.",
        f"Mean truth, forecast and naive forecast of {int(chosen.sum())} windows {which}.",
    )


def windows(forecast: Any, truth: Any, naive: Any) -> Any:
    """Draw three windows: one forecast well, one as usual, one badly."""
    errors = np.abs(forecast - truth).mean(axis=1)
    order = np.argsort(errors, kind="stable")
    steps = np.arange(1, truth.shape[1] + 1)
    figure, all_axes = plt.subplots(3, 1, figsize=(4.6, 6.2), sharex=True)
    titles = ("Forecast well (the best tenth)", "As usual (the median)", "Badly (the worst tenth)")
    for axes, share, title in zip(all_axes, (0.1, 0.5, 0.9), titles):  # noqa: B905
        row = order[int(share * (len(order) - 1))]
        curves(axes, steps, truth[row], naive[row], forecast[row])
        axes.set_title(f"{title}: mean error {short(float(errors[row]))}", fontsize=10)
    all_axes[0].legend(loc="best", fontsize=8.5)
    all_axes[2].set_xlabel("steps ahead")
    figure.tight_layout()
    return picture(
        figure,
        "Three hidden windows, step by step.",
        "Forecast, truth and naive forecast of three windows: one forecast well, one as usual, one "
        "badly.",
    )


def curves(axes: Any, steps: Any, truth: Any, naive: Any, forecast: Any) -> None:
    """Draw three lines into axes."""
    axes.plot(steps, naive, color=FAINT, linewidth=1.3, linestyle="--", label="naive forecast")
    axes.plot(steps, truth, color=INK, linewidth=1.8, label="truth")
    axes.plot(steps, forecast, color=OTHER, linewidth=1.8, label="forecast")
    axes.set_xlim(1, len(steps))


# Rows that were surely mistaken; only where inputs were sent.


def as_png(image: Any) -> bytes:
    """Return one picture, grey or RGB; values 0 to 255, or 0 to 1."""
    from PIL import Image

    pixels = np.asarray(image, dtype=float)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.max() <= 1:
        pixels = pixels * 255
    out = io.BytesIO()
    Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(out, "png")
    return out.getvalue()


def is_picture(array: Any) -> bool:
    """Say whether rows are pictures of a size that fits a page."""
    shape = array.shape[1:]
    flat = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    return flat and array.dtype.kind != "O" and all(8 <= side <= 160 for side in shape[:2])


def examples(inputs: Any, rows: Any, told: Any) -> Any:
    """Return rows as texts or pictures, with what `told` says of each; nothing of other inputs."""
    texts = next((one for one in inputs.values() if one.dtype.kind == "O"), None)
    if texts is not None:
        found = [{**told(row), "text": texts[row][:LONGEST_TEXT]} for row in rows[:MOST_TEXTS]]
        return found, []
    images = next((one for one in inputs.values() if is_picture(one)), None)
    if images is None:
        return [], []
    chosen = rows[:MOST_PICTURES]
    return [told(row) for row in chosen], [as_png(images[row]) for row in chosen]


# The kinds of sections.


def numbers(header: Any, predictions: Any, labels: Any, inputs: Any) -> Any:
    """Study a section that asks for numbers."""
    told: Any = {"kind": "numbers", "pictures": [], "examples": [], "bodies": []}
    if header["draw"]:
        told["pictures"] = [
            density(predictions, labels, header["unit"]),
            residuals(predictions, labels, header["unit"]),
        ]
    if inputs:
        off = np.abs(predictions - labels).reshape(len(labels), -1).mean(axis=1)

        def of(row: Any) -> Any:
            return {
                "truth": short(float(labels[row].ravel()[0])),
                "answer": short(float(predictions[row].ravel()[0])),
            }

        worst = np.argsort(-off, kind="stable")
        told["examples"], told["bodies"] = examples(inputs, worst, of)
    return told


def classes(header: Any, predictions: Any, labels: Any, inputs: Any) -> Any:
    """Study a section that asks for classes."""
    given = probabilities_of(predictions)
    count = given.shape[1]
    known = header["classes"]
    names = known if len(known) == count else [str(one) for one in range(count)]
    answer = np.argmax(given if predictions.shape[-1] == 1 else predictions, axis=1)
    right = answer == labels
    counts = np.zeros((count, count), dtype=int)
    np.add.at(counts, (labels, answer), 1)
    told: Any = {"kind": "classes", "pictures": [], "examples": [], "bodies": [], "confusions": []}
    if header["draw"]:
        if count <= MOST_NAMED:
            told["pictures"].append(confusion(counts, names))
        told["pictures"].append(sureness(given, right))
        wrong = counts - np.diag(np.diag(counts))
        for place in np.argsort(-wrong, axis=None, kind="stable")[:3]:
            row, column = divmod(int(place), count)
            if wrong[row, column]:
                told["confusions"].append(
                    {
                        "truth": names[row],
                        "answer": names[column],
                        "count": int(wrong[row, column]),
                        "of": int(counts[row].sum()),
                    }
                )
    if inputs:
        sure = given.max(axis=1)
        mistaken = [row for row in np.argsort(-sure, kind="stable") if not right[row]]

        def of(row: Any) -> Any:
            percent = f"{100 * min(float(sure[row]), 0.999):.1f}"
            return {"truth": names[labels[row]], "answer": names[answer[row]], "sure": percent}

        told["examples"], told["bodies"] = examples(inputs, mistaken, of)
    return told


def probabilities_of(predictions: Any) -> Any:
    """Return probabilities, (rows, classes): as they are, or of logits or a single column."""
    given = predictions.reshape(len(predictions), -1).astype(float)
    inside = given.min() >= -1e-6 and given.max() <= 1.01
    if given.shape[1] == 1:
        one = np.clip(given, 0, 1) if inside else 1 / (1 + np.exp(-np.clip(given, -60, 60)))
        return np.concatenate([1 - one, one], axis=1)
    if inside and np.abs(given.sum(axis=1) - 1).max() < 0.02:
        return given
    powers = np.exp(given - given.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def series(header: Any, predictions: Any, labels: Any, inputs: Any) -> Any:
    """Study a section that asks for a forecast."""
    rows = len(labels)
    truth, naive = labels[:, 0].reshape(rows, -1), labels[:, 1].reshape(rows, -1)
    forecast = predictions.reshape(rows, -1)
    told: Any = {"kind": "series", "pictures": [], "examples": [], "bodies": []}
    if header["draw"]:
        told["pictures"] = [
            (windows if header["reveal"] else averaged)(forecast, truth, naive),
            horizon(forecast, truth, naive),
        ]
        if not header["reveal"]:
            told["pictures"].append(density(forecast, truth, header["unit"]))
    return told


def study(header: Any, body: bytes) -> Any:
    """Return what one section's answer is."""
    own = bytes(body[len(body) - header["script"] :]) if header["script"] else b""
    metric = None
    if own:
        module = types.ModuleType("metric")
        exec(compile(own.decode("utf-8"), "metric.py", "exec"), module.__dict__)
        metric = module.metric
    arrays = tensors.decode_all(header["tensors"], body)
    predictions, labels = arrays.pop("predictions"), arrays.pop("labels")
    found = interval(header["metric"], metric, predictions, labels)
    if labels.dtype.kind in "iu" and labels.ndim == 1:
        kind = classes
    elif labels.ndim >= 3 and labels.shape[1] == 2:
        kind = series
    else:
        kind = numbers
    try:
        told = kind(header, predictions, labels, arrays)
    except Exception:  # the interval is worth having without pictures, too
        traceback.print_exc()
        told = {"kind": kind.__name__, "pictures": [], "examples": [], "bodies": []}
    return {"interval": found, "rows": len(labels), "confusions": [], **told}


def main() -> None:
    """Answer every section's frame."""
    left = 1
    while left:
        frame = wire.read_frame(sys.stdin.buffer, MAX_BODY)
        left = frame.header["left"]
        told = study(frame.header, frame.body)
        bodies = [one.pop("body") for one in told["pictures"]] + told.pop("bodies")
        told["bytes"] = [len(one) for one in bodies]
        sys.stdout.buffer.write(wire.frame_bytes(told, b"".join(bodies)))
        sys.stdout.buffer.flush()


main()
