"""An edition to a room without a network: one archive, against what one types with Docker alone."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import timing
from bench.other_engine import OtherEngine
from bench.rows import Part, row
from bench.stage import EXAM, Stage
from bench.timing import ratios

_ROUNDS = 2  # each takes minutes, and a few GB while it runs
_LAPTOPS = 30
_PORT = 8790
# Takes a file from a server so many times at once, and keeps nothing of it.
_TAKE = """
import sys, threading, urllib.request
def take():
    with urllib.request.urlopen(sys.argv[1]) as answer:
        while answer.read(1 << 20):
            pass
threads = [threading.Thread(target=take) for _ in range(int(sys.argv[2]))]
for one in threads: one.start()
for one in threads: one.join()
"""
_COPY = """
import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as answer:
    shutil.copyfileobj(answer, sys.stdout.buffer, 1 << 20)
"""
_ABOUT = f"""\
Ours is `exam images save` and `exam images load`, which checks every byte and every layer first,
and brings the data's sources along; the other way is `docker save | gzip` of both images, and
`docker load`. Each loads into an engine that has nothing yet, without a network, and with an empty
cache. For {_LAPTOPS} laptops: `python -m http.server` in the directory of the archive, and on each
`curl URL | exam images load - --sha256 HEX`; a gigabit network carries {_LAPTOPS} archives of 650
MB in less than three minutes, so a stick pays only where there is no network at all."""


def measure(stage: Stage) -> Part:
    """Save and load, both ways in turn; then serve it to a class."""
    rounds = min(_ROUNDS, stage.rounds)
    archive, naive = stage.work / "room.tar", stage.work / "naive.tar.gz"
    names = shlex.join([stage.images.grader, stage.images.workspace])
    docker = shlex.quote(stage.docker)
    seconds: dict[str, list[float]] = {
        name: [] for name in ("save", "load", "again", "naive save", "naive load")
    }
    for number in range(1, rounds + 1):
        stage.say(f"round {number} of {rounds}: archive")
        seconds["save"].append(stage.exam("images", "save", archive).seconds)
        with _laptop(stage) as (_, env):
            line = [EXAM, "images", "load", str(archive)]
            line += ["--sha256", _sha256(archive)]
            seconds["load"].append(timing.run(line, env=env).seconds)
            seconds["again"].append(timing.run(line, env=env).seconds)
        stage.say(f"round {number} of {rounds}: docker alone")
        script = f"{docker} save {names} | gzip >{shlex.quote(str(naive))}"
        seconds["naive save"].append(
            timing.run(["bash", "-ec", f"set -o pipefail; {script}"]).seconds
        )
        with _laptop(stage) as (_, env):
            line = [stage.docker, "load", "--input", str(naive)]
            seconds["naive load"].append(timing.run(line, env=env).seconds)
    size, other = archive.stat().st_size / 1e6, naive.stat().st_size / 1e6
    naive.unlink()
    stage.say("to a class")
    served, streamed = _to_a_class(stage, archive)
    ours = [one + two for one, two in zip(seconds["save"], seconds["load"], strict=True)]
    theirs = [
        one + two for one, two in zip(seconds["naive save"], seconds["naive load"], strict=True)
    ]
    return Part(
        "archive",
        "Rooms without a network",
        _ABOUT,
        (
            row("save and load the default edition", ours, at_most=120),
            row("archive", [size], "MB", at_most=1200, note="with the data's sources"),
            row("`exam images save`", seconds["save"]),
            row("`exam images load` into an empty engine", seconds["load"]),
            row("`exam images load` once more", seconds["again"]),
            row("the same from a server on this machine, as a stream", [streamed]),
            row(f"{_LAPTOPS} downloads at once from `python -m http.server`", [served]),
            row("`docker save` and `gzip`", seconds["naive save"]),
            row("`docker load`", seconds["naive load"]),
            row("its file", [other], "MB", note="without the data's sources"),
            row("ours, save and load, of the other way", ratios(ours, theirs), "x"),
        ),
    )


@contextmanager
def _laptop(stage: Stage) -> Iterator[tuple[OtherEngine, dict[str, str]]]:
    """Yield an engine that has nothing, and the variables of somebody who sits there."""
    place = stage.work / "laptop"
    place.mkdir()
    engine = OtherEngine(place)
    try:
        engine.start()
        cache, home = place / "cache", place / "home"
        yield (
            engine,
            {
                "DOCKER_HOST": engine.address,
                "EXAM_CACHE": str(cache),
                "EXAM_HOME": str(home),
            },
        )
    finally:
        engine.clear()
        timing.run(["rm", "-rf", str(place)])


def _sha256(path: Path) -> str:
    return timing.run(["sha256sum", str(path)]).out.split()[0]


def _to_a_class(stage: Stage, archive: Path) -> tuple[float, float]:
    """Return the seconds of a class's downloads, and of one that is loaded as it comes in."""
    url = f"http://127.0.0.1:{_PORT}/{archive.name}"
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(_PORT)]
    with timing.started(server, cwd=archive.parent), _laptop(stage) as (_, env):
        take = [sys.executable, "-c", _TAKE, url, str(_LAPTOPS)]
        served = timing.run(take).seconds
        copy = shlex.join([sys.executable, "-c", _COPY, url])
        load = shlex.join([EXAM, "images", "load", "-", "--sha256", _sha256(archive)])
        script = f"set -o pipefail; {copy} | {load}"
        streamed = timing.run(["bash", "-ec", script], env=env).seconds
    return served, streamed
