"""A real engine with a GPU that is none: in the place of NVIDIA's toolkit stands a script.

The engine takes the road that it takes to a real one: it selects the device driver, sets the
environment and runs the toolkit's hook. What comes of it is `nvidia-smi`, and no more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exam_cli.engine.port import ContainerSpec, Engine
from tests.engine.private import PrivateEngine

_NAME = "nvidia-container-runtime-hook"  # what the engine looks for on its PATH when it starts
_HOOK = """#!/bin/sh
root=$(python3 -c '
import json, os, sys
bundle = json.load(sys.stdin)["bundle"]
with open(os.path.join(bundle, "config.json")) as file:
    print(os.path.join(bundle, json.load(file)["root"]["path"]))')
[ ! -s HERE/trouble ] || { cat HERE/trouble >&2; exit 1; }
cp HERE/nvidia-smi "$root/usr/bin/nvidia-smi"
"""
_SMI = """#!/bin/sh
[ "$NVIDIA_VISIBLE_DEVICES $NVIDIA_DRIVER_CAPABILITIES" = "all compute,utility" ] || exit 8
echo "A test's own, VERSION, 24576"
"""


@dataclass(frozen=True)
class Toolkit:
    """Such an engine; what its toolkit does lies in a folder."""

    engine: PrivateEngine
    folder: Path

    def driver(self, version: str) -> None:
        """Have that driver."""
        path = self.folder / "nvidia-smi"
        path.write_text(_SMI.replace("VERSION", version))
        path.chmod(0o755)

    def trouble(self, words: str) -> None:
        """Say that, and give nothing; with no words, give again."""
        (self.folder / "trouble").write_text(words)


@contextmanager
def with_toolkit(directory: Path, *, bridge: bool = False) -> Iterator[Toolkit]:
    """Yield one that has just started, without any image."""
    hook = directory / _NAME
    hook.write_text(_HOOK.replace("HERE", str(directory)))
    hook.chmod(0o755)
    private = PrivateEngine(directory, bridge=bridge)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
            private.start()
        yield Toolkit(private, directory)
    finally:
        private.clear()


def said_by(engine: Engine, spec: ContainerSpec) -> str:
    """Run a container to its end and return what it printed."""
    container = engine.create(spec)
    said = b""
    try:
        with engine.attach(container) as channel:
            engine.start(container)
            while (piece := channel.receive(300)) is not None:
                said += piece[1] if piece[0] == "stdout" else b""
        state = engine.wait(container, 30)
    finally:
        engine.remove(container)
    assert state.exit_code == 0
    return said.decode()
