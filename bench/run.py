"""Measure what people wait for, side by side with the naive way; write bench/results/latest.md.

    make bench

A session of its own is brought up in a temporary directory with section 1's starter as the model.
Runs are interleaved, so that a machine that slows down slows both sides.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from exam_cli.config.edition import load_edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.docker_client import client
from exam_cli.images.build import architecture_of, references

ROUNDS = 7
WARMING = 10.0  # seconds that a warm grader gets to import TensorFlow
ROOT = Path(__file__).resolve().parent.parent
EXAM = str(Path(sys.executable).with_name("exam"))
NAIVE = """
import sys, numpy, keras
model = keras.models.load_model("/data/model.keras")
inputs = numpy.fromfile("/data/inputs", dtype="<f4").reshape(-1, 9)
labels = numpy.fromfile("/data/labels", dtype="<f4").reshape(-1, 1)
print(numpy.mean(numpy.abs(model.predict(inputs, verbose=0) - labels)))
"""


def timed(command: list[str]) -> float:
    """Return the seconds that a command takes from start to exit."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr or done.stdout}")
    return time.perf_counter() - started


def row(name: str, seconds: list[float], limit: str) -> str:
    """Return one line of the table."""
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    return f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} | {limit} |"


def machine() -> str:
    """Describe the machine in a line."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {platform.platform()}"


def prepare(scratch: Path) -> tuple[Path, Path]:
    """Bring a session up with a trained starter; return workspace and the naive grader's data."""
    workspace, naive = scratch / "workspace", scratch / "naive"
    timed([EXAM, "up", "--workspace", str(workspace), "--port", "0"])
    script = workspace / "1-regression" / "starter.py"
    timed([EXAM, "run", "--workspace", str(workspace), str(script)])
    naive.mkdir(mode=0o755)
    scratch.chmod(0o755)
    shutil.copy(workspace / "1-regression" / "model.keras", naive / "model.keras")
    (vault,) = (scratch / "home" / "sessions").glob("*/vault/1-regression")
    for part in json.loads((vault / "manifest.json").read_text())["parts"]:
        if part.get("set") == "probe":
            name = "labels" if part["kind"] == "labels" else "inputs"
            shutil.copyfile(vault / part["file"], naive / name)
    (naive / "grade.py").write_text(NAIVE)
    return workspace, naive


def main() -> None:
    """Measure and write."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        os.environ["EXAM_HOME"] = str(scratch / "home")
        workspace, naive = prepare(scratch)
        try:
            report(workspace, naive)
        finally:
            timed([EXAM, "down", "--workspace", str(workspace), "--purge", "--yes"])


def report(workspace: Path, naive: Path) -> None:
    """Run everything in turn and write the table."""
    engine = DockerEngine()
    images = references(load_edition("tf2.21"), architecture_of(engine))
    docker, _ = client()
    inside = ["/opt/exam/bin/python", "/data/grade.py"]
    plain = [docker, "run", "--rm", "-v", f"{naive}:/data:ro", "--tmpfs", "/tmp", images.grader]
    at = ["--workspace", str(workspace)]

    def grade(*, warm: bool) -> float:
        timed([EXAM, "up" if warm else "down", *at])
        if warm:
            time.sleep(WARMING)
        return timed([EXAM, "grade", "1", *at])

    commands: dict[str, Callable[[], float]] = {
        "exam --help": lambda: timed([EXAM, "--help"]),
        "exam status": lambda: timed([EXAM, "status", *at]),
        "exam up": lambda: timed([EXAM, "up", *at]),
        "make up": lambda: (
            timed(["make", "-s", "-C", str(ROOT), "install", "engine"]) + timed([EXAM, "up", *at])
        ),
        "warm grade": lambda: grade(warm=True),
        "cold grade": lambda: grade(warm=False),
        "naive grade": lambda: timed([*plain, *inside]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, run in commands.items():
            seconds[name].append(run())
    ratios = {
        kind: [a / b for a, b in zip(seconds[kind], seconds["naive grade"], strict=True)]
        for kind in ("warm grade", "cold grade")
    }
    grader, work = engine.image(images.grader), engine.image(images.workspace)
    assert grader is not None and work is not None
    shared = [x for x, y in zip(grader.layers, work.layers, strict=False) if x == y]
    lines = [
        f"# Measured on {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"`make bench`; {machine()}; Docker {engine.info().version}; {ROUNDS} interleaved rounds.",
        "",
        "| seconds, process start to exit | median | spread | must be |",
        "| --- | --- | --- | --- |",
        row("`exam --help`", seconds["exam --help"], "0.25"),
        row("`exam status`", seconds["exam status"], "-"),
        row("`exam up`, nothing missing", seconds["exam up"], "-"),
        row("`make up`, nothing missing", seconds["make up"], "10"),
        row("warm `exam grade 1`", seconds["warm grade"], "-"),
        row("cold `exam grade 1`: two isolated containers", seconds["cold grade"], "8"),
        row("naive grade: `docker run`, load, predict", seconds["naive grade"], "-"),
        "",
        "Over the naive grade of the same round, in the same image: "
        + "; ".join(
            f"{kind} {statistics.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})"
            for kind, ratio in ratios.items()
        )
        + ".",
        "",
        "| image | size | must be |",
        "| --- | --- | --- |",
        f"| grader, CPU | {grader.size / 1e9:.2f} GB | 1.6 GB |",
        f"| workspace, CPU | {work.size / 1e9:.2f} GB, of which {len(shared)} layers are the "
        "grader's | - |",
        "",
    ]
    target = ROOT / "bench" / "results" / "latest.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
