"""The `docker` command: the two things that the engine's HTTP interface does not offer well.

BuildKit needs a client that speaks its session protocol, and a terminal needs somebody who handles
resizing and signals. The command does both; everything else goes over HTTP in `docker.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from exam_cli.errors import DiskFull, ExamError, OurFault

_LAST_WORDS = 40
# What the builders print: BuildKit "#step seconds words" and "#step ERROR: ...", the classic one
# plain words in colours and then that the command failed.
_SAID = re.compile(r"(#\d+) \d+\.\d+ +(.*)")
_FAILED = re.compile(r"(#\d+) ERROR")
_ENDED = re.compile(r"The command '.*' returned a non-zero code")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _commands() -> list[str]:
    """Return every `docker` on PATH, first found first."""
    found: list[str] = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        command = shutil.which("docker", path=folder)
        if command and command not in found:
            found.append(command)
    return found


def _speaks_buildkit(command: str) -> bool:
    """Say whether a client can build with BuildKit: built in before version 23, a plugin since."""
    version = _output([command, "version", "--format", "{{.Client.Version}}"])
    major = version.split(".")[0]
    if major.isdigit() and int(major) < 23:
        return True
    return bool(_output([command, "buildx", "version"]))


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def client() -> tuple[str, bool]:
    """Return the client to use and whether it speaks BuildKit.

    Raises `ExamError` when there is none.
    """
    commands = _commands()
    if not commands:
        raise ExamError("The `docker` command is not on PATH: install the package docker.io.")
    for command in commands:
        if _speaks_buildkit(command):
            return command, True
    return commands[0], False


def build(
    context: Path, target: str, tag: str, arguments: Mapping[str, str], *, cached: bool = True
) -> Iterator[str]:
    """Build a stage without network and yield what the builder prints.

    DOCKER_BUILDKIT=0 chooses the classic builder, as it does for the command itself.

    Raises `DiskFull` or `OurFault` with the builder's last words.
    """
    command, buildkit = client()
    buildkit = buildkit and os.environ.get("DOCKER_BUILDKIT") != "0"
    line = [command, "build", "--network=none", f"--target={target}", f"--tag={tag}"]
    line += [f"--build-arg={name}={value}" for name, value in sorted(arguments.items())]
    line += ["--progress=plain"] if buildkit else ["--force-rm"]  # what a failed step ran in
    line += [] if cached else ["--no-cache"]
    last: list[str] = []
    with subprocess.Popen(
        [*line, str(context)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"},
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                last = [*last, text.rstrip()][-_LAST_WORDS:]
                yield text.rstrip()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        words = "\n".join(last)
        if "no space left on device" in words:
            raise DiskFull(
                "The engine's disk is full: free some space (`docker system df` shows what takes "
                "it) and run the same command again, it goes on where it stopped."
            )
        raise OurFault(f"The image could not be built: {_verdict_of(last)}") from RuntimeError(
            words
        )


def _verdict_of(lines: Sequence[str]) -> str:
    """Return the most telling of a builder's last lines: the failed step's own words, if any.

    What either builder says of the step afterwards is only that it ended.
    """
    lines = [text for line in lines if (text := _COLOUR.sub("", line).strip())] or ["no output"]
    failed = {match[1] for line in lines if (match := _FAILED.match(line))}
    said = [match[2] for line in lines if (match := _SAID.match(line)) and match[1] in failed]
    if _ENDED.match(lines[-1]):
        said = [line for line in lines[:-1] if not line.startswith("Removing intermediate")]
    errors = [line for line in said if "error" in line.lower() or line.startswith("E: ")]
    return (errors or said or lines)[-1]


def interact(container: str, command: Sequence[str], *, user: str, working_dir: str) -> int:
    """Run a command in a container with the caller's own terminal or pipes; return its status."""
    executable, _ = client()
    terminal = ["-t"] if os.isatty(0) and os.isatty(1) else []
    line = [executable, "exec", "-i", *terminal, "-u", user, "-w", working_dir, container, *command]
    return subprocess.call(line)
