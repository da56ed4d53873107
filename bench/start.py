"""How soon the command line answers, and what it imports to do so."""

from __future__ import annotations

import importlib
import sys

import click

from bench import timing
from bench.references import references
from bench.rows import Part, Row, row
from bench.stage import EXAM, Stage
from exam_cli.cli.main import COMMANDS

_HEAVY = ("docker", "requests", "yaml", "rich", "jinja2", "numpy", "sqlite3")
_LIMITS = {"exam --help": 0.2, "exam status": 0.5}
_MAIN = "from exam_cli.cli.main import main; main()"
_ABOUT = f"""\
Process start to exit, on compiled files. Beside each: how many modules it imported, a bare
interpreter's own among them, and which of the heavy ones
({", ".join(_HEAVY)})."""


def measure(stage: Stage) -> Part:
    """Measure `--help` of every command, and `exam status` in a session."""
    refs = references(stage)
    lines: dict[str, list[str]] = {"exam --help": ["--help"]}
    lines["exam status"] = ["status", "--workspace", str(refs.workspace)]
    for name in _commands():
        lines[f"exam {name} --help"] = [*name.split(), "--help"]
    found = timing.interleaved(
        2 * stage.rounds,
        {name: lambda line=line: timing.run([EXAM, *line]).seconds for name, line in lines.items()},  # type: ignore[misc]
        lambda sentence: None,
    )
    rows = [_row(name, found[name], lines[name]) for name in lines]
    bare = _imported([sys.executable, "-X", "importtime", "-c", ""])
    rows.append(row("modules of a bare interpreter", [len(bare)], "modules"))
    return Part("start", "The command line starts", _ABOUT, tuple(rows))


def _commands() -> list[str]:
    """Return every command, and every command of a group."""
    names = []
    for name in COMMANDS:
        command = importlib.import_module(f"exam_cli.cli.{name}").command
        inner = command.commands if isinstance(command, click.Group) else {}
        names += [name, *(f"{name} {one}" for one in inner)]
    return names


def _row(name: str, seconds: list[float], line: list[str]) -> Row:
    modules = _imported([sys.executable, "-X", "importtime", "-c", _MAIN, *line])
    heavy = [one for one in _HEAVY if one in modules]
    note = f"{len(modules)} modules" + (f": {', '.join(heavy)}" if heavy else "")
    return row(f"`{name}`", seconds, at_most=_LIMITS.get(name), note=note)


def _imported(command: list[str]) -> set[str]:
    """Return the modules that an interpreter imports, as it tells with `-X importtime`."""
    told = timing.run(command).err.splitlines()
    return {line.rpartition("|")[2].strip() for line in told if line.startswith("import time:")}
