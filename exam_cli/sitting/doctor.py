"""`exam doctor`: each thing that the program stands on, as ok or as what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.port import Engine, EngineInfo
from exam_cli.errors import ExamError
from exam_cli.files import free_bytes
from exam_cli.grading.walls import walls
from exam_cli.images.build import architecture_of, present, references
from exam_cli.images.gpu import EMPTY, need_gpus
from exam_cli.images.variants import require
from exam_cli.paths import cache_dir, data_dir
from exam_cli.session.record import Session, all_sessions
from exam_cli.sitting import holes, leftovers
from exam_cli.sitting.holes import Looked

_DISK_BYTES = 8 << 30
_MEMORY_BYTES = 5 << 30  # a predictor of 3 GB, a scorer, and a workspace that idles
_TOO_OLD = (20, 10)  # the first engine with cgroup v2 and BuildKit


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, whether it is well, and what to do if not."""

    topic: str
    ok: bool
    text: str
    needed: bool = True


def examine(connect: Callable[[], Engine]) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    findings = [*_disk()]
    try:
        engine = connect()
        info = engine.info()
    except ExamError as error:
        return [Finding("engine", False, str(error)), *findings]
    findings = [*_engine(info), *findings]
    try:
        edition = load_edition(DEFAULT_EDITION)
        architecture = architecture_of(engine)
        for looked in holes.of_edition(edition, architecture):
            findings += _holes(looked)
        images = present(engine, references(edition, architecture))
        missing = sorted(role for role, image in images.items() if image is None)
        text = f"{DEFAULT_EDITION}: " + (
            f"no {' and no '.join(missing)} image yet: `exam up` builds it" if missing else "here"
        )
        findings.append(Finding("images", not missing, text, needed=False))
        sessions = all_sessions()
        findings += _gpu(engine, sessions)
        left = sum(len(leftovers.leftovers(session, engine)) for session in sessions)
        if left:
            text = f"{left} container(s) of grades that were killed: `exam doctor --fix`"
            findings.append(Finding("left over", False, text, needed=False))
    except ExamError as error:
        findings.append(Finding("images", False, str(error)))
    except OSError as error:
        text = f"{error.filename} cannot be written ({error.strerror}): mend it or set EXAM_HOME"
        findings.append(Finding("data", False, text))
    return findings


def _engine(info: EngineInfo) -> Iterator[Finding]:
    version = tuple(
        int(part) for part in info.version.split("+")[0].split(".")[:2] if part.isdigit()
    )
    yield Finding(
        "engine",
        version >= _TOO_OLD,
        f"Docker {info.version} on {info.architecture}, {info.operating_system}"
        + ("" if holes.is_here(info) else f", on the machine {info.host}")
        + ("" if version >= _TOO_OLD else ": too old, install 20.10 or newer"),
    )
    enough = info.memory_bytes >= _MEMORY_BYTES
    yield Finding(
        "memory",
        enough,
        f"{info.memory_bytes / 2**30:.1f} GB for the engine"
        + ("" if enough else f": give it {_MEMORY_BYTES >> 30} GB"),
    )
    yield Finding(
        "restart",
        info.live_restore,
        "containers live on while the engine restarts"
        if info.live_restore
        else "when the engine restarts, workspaces end and are started again by `exam up`: to "
        'prevent that, add "live-restore": true to /etc/docker/daemon.json',
        needed=False,
    )
    for wall in walls(info):
        topic = wall.name.replace("_", " ")
        yield Finding(topic, wall.there, wall.text, needed=wall.needed)
    for looked in holes.of_engine(info):
        yield from _holes(looked)


def _gpu(engine: Engine, sessions: list[Session]) -> Iterator[Finding]:
    """Yield what there is to compute on; only a session that uses a GPU needs one."""
    needed = any("gpu" in (one.variant, one.rules.grade_on) for one in sessions)
    edition = load_edition(DEFAULT_EDITION, "gpu")
    try:
        require(edition, architecture_of(engine))
        found = ", ".join(map(str, need_gpus(engine, edition)))
        text = found or "the engine has one to give; `exam up --gpu` builds what can look at it"
        yield Finding("gpu", True, f"{text}: `exam up --gpu` works with it" if found else text)
    except ExamError as error:
        why = "" if needed else "none, and none is needed. For `exam up --gpu`: "
        yield Finding("gpu", False, f"{why}{error}", needed=needed)


def _holes(looked: Looked) -> Iterator[Finding]:
    """Yield one line for each hole that is open, and one that names the others."""
    topic = looked.component
    for one in looked.open:
        text = f"{looked.version} has {one.id}. {one.text} Mended in {one.upgrade}"
        text += "." if topic in holes.WHEELS else ", and maybe in an update of your distribution."
        yield Finding(topic, False, text, needed=False)
    if looked.unknown:
        text = (
            f"{looked.version} does not tell whether it has "
            f"{', '.join(one.id for one in looked.unknown)}: keep your distribution's updates"
        )
        yield Finding(topic, False, text, needed=False)
    others = [
        f"{one.id} (mended by Debian in {one.debian})" if one in looked.by_debian else one.id
        for one in looked.mended
    ]
    if others:
        text = f"{looked.version} does not have {', '.join(others)}"
        yield Finding(topic, True, text, needed=False)


def _disk() -> Iterator[Finding]:
    for name, path in (("data", data_dir()), ("cache", cache_dir())):
        free = free_bytes(path)
        enough = free >= _DISK_BYTES
        yield Finding(
            f"disk, {name}",
            enough,
            f"{free / 2**30:.0f} GB free at {path}" + ("" if enough else ": free some space"),
        )


def fix(connect: Callable[[], Engine]) -> int:
    """Give this machine an engine and remove what dead grades left; return an exit status."""
    script = Path(__file__).resolve().parent.parent / "engine" / "provide.sh"
    status = subprocess.call(["/bin/sh", str(script)])
    if status:
        return status
    engine = connect()
    sessions = all_sessions()
    for session in sessions:
        leftovers.tidy(session)
        leftovers.clear(session, engine)
    known = {session.id for session in sessions}
    for role in ("predictor", "scorer", "dataset", "fetch", "ladder", "gpu"):
        for state in engine.find({"exam.role": role}):
            # Of sessions whose record is not here only what has ended: the rest may be in use.
            if state.ended and state.labels.get("exam.session") not in known:
                engine.remove(state.id)
    for image in engine.images(EMPTY):  # of looks for a GPU that were killed
        engine.remove_image(image.id)
    return 0
