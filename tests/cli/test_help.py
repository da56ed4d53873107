"""Every command explains itself, is listed, and stands in the README."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from exam_cli.cli.main import COMMANDS, cli
from tests.cli.conftest import Exam

README = Path(__file__).parents[2] / "README.md"


def commands(
    group: click.Group = cli, *above: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield all commands with the words that call them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


ALL = list(commands())


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_every_command_explains_itself(
    exam: Exam, words: tuple[str, ...], command: click.Command
) -> None:
    assert command.help and command.help.strip().split("\n")[0].endswith(".")
    for option in (["--help"], ["-h"]):
        done = exam(*words, *option)
        assert done.status == 0 and done.err == ""
        assert done.out.startswith(f"Usage: {' '.join(['exam', *words])}")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "edition":
            assert parameter.help, f"--{parameter.name} of {words} does not say what it does"


def test_the_list_of_commands_is_the_list_of_modules() -> None:
    assert [words[0] for words, _ in ALL if len(words) == 1] == list(COMMANDS)
    for name, line in COMMANDS.items():
        assert line.endswith("."), name


def test_help_lists_every_command(exam: Exam) -> None:
    done = exam("--help")
    assert done.status == 0
    listed = re.findall(r"^  (\w+) {2,}(\S.*)$", done.out, re.MULTILINE)
    assert dict(listed) == COMMANDS


def test_version(exam: Exam) -> None:
    done = exam("--version")
    assert done.status == 0 and re.fullmatch(r"exam, version \d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_every_command_stands_in_the_readme(words: tuple[str, ...]) -> None:
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    if not text.strip():
        pytest.skip("there is no README yet")
    assert f"exam {' '.join(words)}" in text


HEAVY = ("docker", "yaml", "rich", "requests", "numpy")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["grade", "--help"], ["nonsense"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from exam_cli.cli.main import main\n"
        "try: main()\n"
        f"finally: sys.stderr.write(' '.join(name for name in {HEAVY} if name in sys.modules))"
    )
    line = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert not set(done.stderr.split()) & set(HEAVY), done.stderr
