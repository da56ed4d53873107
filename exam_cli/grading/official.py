"""Official grading: no model is loaded unless the walls that it needs were seen to stand.

What the engine says of itself is one witness. The other is a program of ours that runs where the
model will, in a container of the very same description, and tells what it finds there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from exam_cli.config.edition import Architecture, Edition
from exam_cli.errors import ExamError, OurFault
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.walls import walls

ALWAYS = ("caps", "no_new_privileges", "seccomp")
_GVISOR = "runsc"
_SECONDS = 60.0
_MOST_BYTES = 64 << 10
_NEEDS = Needs(memory_bytes=256 << 20, tmpfs_bytes=1 << 20)
_LOOK = """
import json, os
with open("/proc/self/status") as file:
    status = dict(line.rstrip().split(":\\t", 1) for line in file if ":\\t" in line)
found = {name: status.get(name) for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
found["uid"] = os.getuid()
found["network"] = sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else []
def tried(deed):
    try:
        deed()
    except OSError:
        return False
    return True
found["root"] = [one for one in ("/", "/etc", "/opt/exam", "/home", "/var/tmp", "/dev/shm")
                 if tried(lambda: open(one + "/exam-was-here", "w"))]
found["memory"] = None
for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
    if os.path.exists(path):
        with open(path) as file:
            found["memory"] = file.read().strip()
print(json.dumps(found), flush=True)
"""


class WallsMissing(ExamError):
    """A wall that official grading needs does not stand here."""

    reason = "walls_missing"


class NotAsRecorded(ExamError):
    """The image is not the one that the edition records."""

    reason = "not_as_recorded"


def as_recorded(environment: Environment, edition: Edition, architecture: Architecture) -> None:
    """Raise `NotAsRecorded` unless the image is one that the edition's file records.

    An edition that records none for this architecture, variant and kind of base, in the state that
    it is in now, vouches for none: then any image that was built from its locks will do. Only
    official grading asks: whoever works on an edition builds images that nobody has recorded yet.
    """
    published = environment.engine.image(edition.base.reference)
    pulled = published is not None and environment.image_layers[:1] == tuple(published.layers[:1])
    now = edition.fingerprint(architecture)
    known = [
        one.grader.digest
        for one in edition.digests
        if (one.architecture, one.variant) == (architecture, edition.variant)
        and one.fingerprint in (None, now)
        and (one.base == "pulled" or not pulled)
    ]
    if known and environment.image_digest not in known:
        raise NotAsRecorded(
            f"Official grading needs the grader image that the edition {edition.edition} records "
            f"({_short(known)}), and {environment.image} is {_short([environment.image_digest])}: "
            "`exam images verify` tells what differs; `docker image rm` it and `exam images build` "
            "makes it anew, if need be from Debian's archive as it was; `exam images load` brings "
            "it from where it is right."
        )


def _short(digests: Iterable[str | None]) -> str:
    return " or ".join(str(one).removeprefix("sha256:")[:12] for one in digests)


def behind_walls(environment: Environment, required: Iterable[str]) -> Environment:
    """Return the environment, with the names of the walls that were seen to stand around it.

    Args:
        environment: where models are to be loaded; its image must be there.
        required: names of walls (`walls.WALLS`) beyond those that always must stand.

    Raises `WallsMissing` when one of them does not, and `OurFault` when nobody can look.
    """
    wanted = dict.fromkeys([*ALWAYS, *required])
    there = {wall.name: wall for wall in walls(environment.engine.info())}
    missing = [f"{name} ({there[name].text})" for name in wanted if not there[name].there]
    if "gvisor" in wanted and environment.runtime != _GVISOR:
        missing.append("gvisor (the exam must say `runtime: runsc`)")
    missing += _breaches(_seen_inside(environment), environment)
    if missing:
        raise WallsMissing(
            "Official grading needs walls that do not stand here: " + "; ".join(missing) + "."
        )
    return replace(environment, walls=tuple(wanted))


def _breaches(seen: dict[str, Any], environment: Environment) -> list[str]:
    """Return what a program in the model's place found that must not be."""
    found = []
    if seen["uid"] == 0 or int(seen["CapEff"], 16) or int(seen["CapBnd"], 16):
        found.append("a model would have an administrator's rights")
    if seen["root"]:
        found.append(f"a model could write to {', '.join(seen['root'])}")
    if set(seen["network"]) - {"lo"}:
        found.append("a model would have a network")
    if seen["Seccomp"] != "2":
        found.append("seccomp (the runtime ignores the profile; gVisor needs `--oci-seccomp`)")
    if environment.runtime == _GVISOR:
        return found  # it has a kernel of its own, which tells no more of this one
    if seen["NoNewPrivs"] != "1":
        found.append("no_new_privileges (the engine ignores it)")
    memory = seen["memory"]
    most = _NEEDS.memory_bytes + environment.driver_bytes
    if memory is None or not memory.isdigit() or int(memory) > most:
        found.append("caps (the engine ignores the cap on memory)")
    return found


def _seen_inside(environment: Environment) -> dict[str, Any]:
    engine = environment.engine
    spec = environment.container("predictor", _NEEDS)
    container = engine.create(replace(spec, command=(spec.command[0], "-suc", _LOOK)))
    said = b""
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(_SECONDS)) is not None and len(said) < _MOST_BYTES:
                said += piece[1]
        seen: dict[str, Any] = json.loads(said)
    except (TimeoutError, ValueError) as error:
        raise OurFault("The walls could not be looked at: try again.") from error
    finally:
        engine.remove(container)
    return seen
