"""Measure how the images are built, beside the way one would write first; write results/images.md.

    python bench/images.py [ROUNDS]

Both build from the same base, wheels and Debian packages, which are fetched before
the clock starts, on the same engine, without cache, in turn. What is built here, cache included,
is removed again; images that were there stay.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from exam_cli.config.edition import DEFAULT_EDITION, Edition, load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.docker_client import client
from exam_cli.images.base import ensure_base
from exam_cli.images.build import architecture_of
from exam_cli.images.context import lay_out_context
from exam_cli.progress import SILENT

RESULTS = Path(__file__).resolve().parent / "results" / "images.md"
PIP = "pip==25.3"
NAIVE = """\
FROM {base}
COPY debian /debian
RUN apt-get install -y /debian/*.deb
COPY wheels /wheels
COPY requirements.txt /
RUN python3 /wheels/{pip}/pip install --break-system-packages --no-index --no-deps \\
    --find-links /wheels -r /requirements.txt
COPY programs /opt/exam/programs
"""
# The layers of the workspace in order, and their MB while nothing was left out (2026-11-22). The
# grader is the first three, and the programs.
LAYERS = {
    "Debian": 116.0,
    "Python": 44.5,
    "TensorFlow, Keras": 1210.0,
    "workspace: Debian packages": 128.0,
    "workspace: wheels (TensorBoard is new)": 545.0,
    "programs": 0.1,
}
# Measured once by hand, with `time` around each step of a build; it explains the ratio.
WHERE = """\
Of processor time, which does not depend on who else works, pip takes 42 s for the wheels. Ours
takes as much for uv, trimming and compiling together (17 s of it bytecode), dpkg 9 s on either
side, and exporting the layers 6 s; it gains by using both cores and by not exporting a gigabyte
and a half. A quarter of the naive time is out of reach as long as bytecode is made for all that
can be imported, which is what makes imports, and grades, quick."""
LEFT_OUT = re.compile(r"trim: +(\d+) bytes: (.*)")


@dataclass
class Side:
    """One way to build: its name, and what was measured of it."""

    name: str
    seconds: list[float] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    layers: list[list[str]] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    log: str = ""


def docker(*arguments: str, buildkit: bool = True) -> str:
    """Run the engine's client; return what it printed, both streams."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"}
    line = [client()[0], *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"docker {arguments[0]}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout + done.stderr


def cache_ids() -> set[str]:
    """Return the records of the engine's build cache."""
    printed = docker("system", "df", "-v", "--format", "{{json .BuildCache}}")
    return {record["ID"] for record in json.loads(printed.splitlines()[0]) or []}


def inspect(tag: str) -> tuple[int, list[str]]:
    """Return an image's bytes and the digests of its layers."""
    (image,) = json.loads(docker("image", "inspect", tag))
    return image["Size"], image["RootFS"]["Layers"]


def layer_sizes(tag: str) -> list[float]:
    """Return the MB of an image's layers, lowest first, without those that hold no file."""
    units = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
    found = []
    for line in docker("history", "--format", "{{.Size}}", tag).split():
        number, unit = re.fullmatch(r"([\d.]+)([a-zA-Z]+)", line).groups()  # type: ignore[union-attr]
        found.append(float(number) * units[unit])
    return [size for size in reversed(found) if size]


def lay_out_naive(context: Path, ours: Path, base: str) -> None:
    """Fill a directory with what the Dockerfile above wants: the very files of our own context."""
    context.mkdir()
    (context / "wheels").mkdir()
    (context / "debian").mkdir()
    for kind, target in (("*.whl", "wheels"), ("*.deb", "debian")):
        for path in ours.glob(f"*/{kind}"):
            os.link(path, context / target / path.name)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", PIP]
    subprocess.run([*pip, "-d", str(context / "wheels")], check=True, stderr=subprocess.DEVNULL)
    wheel = next((context / "wheels").glob("pip-*.whl")).name
    locks = "".join(
        (ours / part / "lock").read_text() for part in ("tensorflow", "workspace-wheels")
    )
    (context / "requirements.txt").write_text(re.sub(r" --hash=\S+", "", locks))
    shutil.copytree(ours / "programs", context / "programs")
    (context / "Dockerfile").write_text(NAIVE.format(base=base, pip=wheel))


def build_ours(side: Side, context: Path, base: str, epoch: int, tag: str) -> None:
    """Build both images; the grader is all cache, but for the programs on top."""
    arguments = ["--progress=plain", "--network=none", f"--build-arg=BASE={base}"]
    arguments += [f"--build-arg=EPOCH={epoch}"]
    started = time.perf_counter()
    side.log = docker(
        "build", "--no-cache", *arguments, "--target=workspace", f"--tag={tag}-w", str(context)
    )
    docker("build", *arguments, "--target=grader", f"--tag={tag}-g", str(context))
    side.seconds.append(time.perf_counter() - started)
    side.sizes["grader"], grader = inspect(f"{tag}-g")
    side.sizes["workspace"], workspace = inspect(f"{tag}-w")
    side.layers.append([*workspace, *grader])
    side.parts = layer_sizes(f"{tag}-w")


def build_naive(side: Side, context: Path, tag: str, *, buildkit: bool) -> None:
    """Build the one image of the other way."""
    started = time.perf_counter()
    docker("build", "--no-cache", "--network=none", f"--tag={tag}", str(context), buildkit=buildkit)
    side.seconds.append(time.perf_counter() - started)
    side.sizes["image"], layers = inspect(tag)
    side.layers.append(layers)


def measure(rounds: int = 2) -> str:
    """Build everything `rounds` times, in turn; write the tables and return them, in Markdown."""
    engine, edition = DockerEngine(), load_edition(DEFAULT_EDITION)
    architecture = architecture_of(engine)
    base = ensure_base(engine, edition, architecture, SILENT)
    tags = [f"exam-bench-images:{os.getpid()}-{name}" for name in ("ours", "naive", "classic")]
    ours = Side("ours: two images, BuildKit")
    naive, classic = Side("naive, BuildKit"), Side("naive, classic builder")
    known = cache_ids()
    with tempfile.TemporaryDirectory(prefix="exam-bench-", dir=Path.home()) as scratch:
        context, other = Path(scratch, "ours"), Path(scratch, "naive")
        context.mkdir()
        lay_out_context(context, engine, edition, architecture, base, SILENT)
        lay_out_naive(other, context, base)
        try:
            for _ in range(rounds):
                build_ours(ours, context, base, edition.epoch, tags[0])
                build_naive(naive, other, tags[1], buildkit=True)
                build_naive(classic, other, tags[2], buildkit=False)
                clean([f"{tags[0]}-g", f"{tags[0]}-w", *tags[1:]], known)
        finally:
            clean([f"{tags[0]}-g", f"{tags[0]}-w", *tags[1:]], known)
    report = tables(edition, ours, [naive, classic])
    RESULTS.write_text(report, encoding="utf-8")
    return report


def clean(tags: list[str], known: set[str]) -> None:
    """Remove the images of these names, and all of the build cache that was not there before."""
    for tag in tags:
        found = docker("images", "-q", tag).strip()
        if found:
            docker("rmi", "-f", tag)
    while found_now := cache_ids() - known:
        for one in found_now:
            docker("builder", "prune", "-a", "-f", "--filter", f"id={one}")
        if cache_ids() - known == found_now:  # in use by somebody else
            break


def tables(edition: Edition, ours: Side, others: list[Side]) -> str:
    """Return what was measured as Markdown."""
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    lines = [
        f"# Images of {edition.edition}: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "",
        f"{os.cpu_count()} cores, engine {version}, {len(ours.seconds)} rounds in turn, no cache, "
        "base, wheels and packages at hand. Repeat with `python bench/images.py`.",
        "",
        "| build | seconds: median | all | ours takes, of it |",
        "| --- | --- | --- | --- |",
    ]
    middle = statistics.median(ours.seconds)
    for side in (ours, *others):
        mine = statistics.median(side.seconds)
        every = ", ".join(f"{one:.1f}" for one in side.seconds)
        lines.append(f"| {side.name} | {mine:.1f} | {every} | {middle / mine:.2f} |")
    lines += ["", WHERE, "", "The layers of ours were "]
    lines[-1] += "the same in every round." if same(ours.layers) else "NOT the same in every round."
    lines += ["", "| image | MB |", "| --- | --- |"]
    grader, workspace = ours.sizes["grader"], ours.sizes["workspace"]
    lines += [
        f"| grader | {grader / 1e6:.0f} |",
        f"| workspace, on top of the grader | {(workspace - grader) / 1e6:.0f} |",
        *(f"| {side.name} | {side.sizes['image'] / 1e6:.0f} |" for side in others),
        "",
        "| part of ours | MB | before |",
        "| --- | --- | --- |",
        *(
            f"| {part} | {now:.1f} | {before:.1f} |"
            for (part, before), now in zip(LAYERS.items(), ours.parts, strict=True)
        ),
        "",
        "| left out of the wheels | MB |",
        "| --- | --- |",
    ]
    taken: dict[str, int] = {}
    for size, rule in LEFT_OUT.findall(ours.log):
        taken[rule] = taken.get(rule, 0) + int(size)
    for rule, size in sorted(taken.items(), key=lambda item: -item[1]):
        lines.append(f"| {rule} | {size / 1e6:.1f} |")
    lines += ["", "The naive Dockerfile:", "", *(f"    {line}" for line in NAIVE.splitlines()), ""]
    return "\n".join(lines)


def same(builds: list[list[str]]) -> bool:
    """Say whether all builds gave the same layers."""
    return all(build == builds[0] for build in builds)


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if sys.argv[1:] else 2))
