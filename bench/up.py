"""`exam up` until Jupyter answers, against a bare container of the same Jupyter."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bench import timing
from bench.references import References, references
from bench.rows import Part, row
from bench.stage import EXAM, Stage
from bench.timing import Failed, interleaved, ratios
from bench.warm import await_warm
from exam_cli.workspace.container import COMMAND, JUPYTER_PORT, WORKDIR
from exam_cli.workspace.ports import free_port

_PORT = 18888
_TOKEN = "bench"
_NAME = "exam-bench-jupyter"
_PATIENCE = 90.0
_POLL_SECONDS = 0.02
_ROOT = Path(__file__).resolve().parent.parent
_ABOUT = """\
From process start until `GET /api/status` is answered with the token, asked every 20 ms. The
containers are down and nothing is missing: images, data and directories are there. The bare one
is `docker run --init -p ... -v WORKSPACE:/workspace` of the same image with the same `jupyter lab`
command under the caller's own uid. What `exam up` starts behind the answer, the warm graders, is
waited for before the next measurement."""


def measure(stage: Stage) -> Part:
    """Bring Jupyter up in both ways in turn."""
    refs = references(stage)
    at = ["--workspace", str(refs.workspace)]
    port = free_port(_PORT)
    if port == 0:
        raise Failed(f"Port {_PORT} is taken: end what listens there.")
    answer = stage.exam_json("up", *at)
    exits: list[float] = []

    def ours() -> float:
        stage.exam("down", *at)
        began = time.perf_counter()
        with timing.started([EXAM, "up", *at, "--port", str(port)]) as child:
            seconds = _answered(began, port, answer["token"])
            if child.wait(_PATIENCE):
                raise Failed("`exam up` failed: run it by hand to see why.")
            exits.append(time.perf_counter() - began)
        await_warm(stage, refs.session)
        return seconds

    def bare() -> float:
        stage.exam("down", *at)
        began = time.perf_counter()
        with timing.started(_line(stage, refs, port)):
            seconds = _answered(began, port, _TOKEN)
            timing.run([stage.docker, "rm", "--force", _NAME])
        return seconds

    def again() -> float:
        return timing.run([EXAM, "up", *at]).seconds

    def make_again() -> float:
        made = timing.run(["make", "-s", "-C", _ROOT, "install", "engine"], ok=(0,)).seconds
        return made + again()

    def prepared() -> float:
        """Bring it up untimed, for what needs a session that runs."""
        stage.exam("up", *at, "--port", str(port))
        await_warm(stage, refs.session)
        return again()

    found = interleaved(
        stage.rounds,
        {"bare": bare, "ours": ours, "again": prepared, "make": make_again},
        lambda sentence: stage.say(f"up, {sentence}"),
    )
    rows = (
        row("`exam up` until Jupyter answers", found["ours"]),
        row("bare `docker run` until Jupyter answers", found["bare"]),
        row("`exam up` over bare", ratios(found["ours"], found["bare"]), "x", at_most=1.3),
        row("`exam up`, process start to exit", exits),
        row("`exam up` again, everything runs", found["again"]),
        row("`make up` again, everything runs", found["make"], at_most=10),
    )
    return Part("up", "The workspace comes up", _ABOUT, rows)


def _line(stage: Stage, refs: References, port: int) -> Sequence[str]:
    options = [
        *("--init", "--name", _NAME, "--user", f"{os.getuid()}:{os.getgid()}"),
        *("-p", f"127.0.0.1:{port}:{JUPYTER_PORT}", "-v", f"{refs.workspace}:{WORKDIR}"),
        *("-e", "HOME=/tmp", "-e", f"JUPYTER_TOKEN={_TOKEN}"),
    ]
    return stage.docker_run(stage.images.workspace, *COMMAND, options=options)


def _answered(began: float, port: int, token: str) -> float:
    """Return the seconds from `began` until Jupyter answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.perf_counter() - began < _PATIENCE:
        try:
            with opener.open(request, timeout=5) as answer:
                if answer.status == 200:
                    return time.perf_counter() - began
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(_POLL_SECONDS)
    raise Failed(f"Jupyter did not answer within {_PATIENCE:.0f} s.")
