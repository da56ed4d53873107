"""A second engine on this machine, empty and without a network, which may be filled and killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.timing import Failed
from exam_cli.engine.docker_client import client

_SECONDS = 60.0


class OtherEngine:
    """It is the first process of name spaces of its own: what it starts and mounts goes with it, as
    when a machine dies, and the machine's own engine keeps its network.

    With `bridge`, ports of its containers are published inside its network, which `inside` shows.
    """

    def __init__(self, directory: Path, *, bridge: bool = False) -> None:
        self._directory = directory
        self._bridge = bridge
        self.address = f"unix://{directory}/engine.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises `Failed` where that cannot be."""
        if os.getuid() != 0:
            raise Failed("a second engine needs root")
        daemon = shutil.which("dockerd") or "/usr/sbin/dockerd"
        alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        places = {"data-root": "data", "exec-root": "run", "pidfile": "pid"}
        line = [daemon, f"--host={self.address}", "--iptables=false"]
        line += [f"--{name}={self._directory}/{place}" for name, place in places.items()]
        line += [] if self._bridge else ["--bridge=none"]
        begin = 'ip link set lo up && exec "$@"'
        (self._directory / "pid").unlink(missing_ok=True)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*alone, "sh", "-c", begin, "sh", *line], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"no second engine can be started here: see {self._directory}/log")
            time.sleep(0.2)

    def _answers(self) -> bool:
        line = [client()[0], "--host", self.address, "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(line, capture_output=True, check=False).returncode == 0

    def inside(self, command: Sequence[str]) -> tuple[str, ...]:
        """Return a command that sees the engine's network, which leads nowhere, and no other."""
        assert self._process is not None
        return ("nsenter", f"--net=/proc/{self._process.pid}/ns/net", *command)

    def kill(self) -> None:
        """Kill it with all that it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def clear(self) -> None:
        """Kill it and remove what it stored."""
        self.kill()
        for place in ("data", "run"):
            shutil.rmtree(self._directory / place, ignore_errors=True)
