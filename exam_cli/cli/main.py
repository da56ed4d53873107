"""The `exam` command. A subcommand's module is imported only when it is asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from typing import NoReturn

import click

from exam_cli.cli.boundary import guarded

# name -> the line that `exam --help` shows. The module of the same name holds the command.
COMMANDS = {
    "up": "Start the exam: images, workspace, Jupyter, clock.",
    "status": "Show clock, containers and scores.",
    "check": "See whether the model would load and fit; no score, no attempt.",
    "grade": "Score the model in a section's directory.",
    "restore": "Bring the model of an earlier attempt back.",
    "submit": "End the exam: final scores, total, pass or not.",
    "report": "Make the report again: a page, JSON or CSV.",
    "verify": "Check a receipt: who signed it, and grade again.",
    "extra": "Give a candidate more time: the examiner's, and recorded.",
    "down": "Stop the exam's containers; workspace and record stay.",
    "shell": "Open a shell in the workspace container.",
    "run": "Run a Python script in the workspace container.",
    "attach": "Tell how Jupyter and editors get in.",
    "export": "Pack a section for Colab or another machine.",
    "watch": "Grade each new model as soon as it is written.",
    "doctor": "Check engine, disk, memory and isolation.",
    "images": "Build and list the pinned images.",
    "handbook": "Write the candidate's handbook: HTML and PDF.",
    "cohort": "Grade a class.",
    "author": "Write a section, and prove that its bands mean something.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module and return its command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"exam_cli.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="exam", prog_name="exam")
def cli() -> None:
    """A hands-on machine-learning exam: train real models, be scored on data you have not seen."""


def main() -> int:
    """Run the command line and return its exit status."""
    # Being asked to end is like Ctrl-C: containers are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return guarded(
        lambda: cli.main(prog_name="exam", standalone_mode=False), as_json="--json" in sys.argv
    )


def process() -> NoReturn:
    """Run the command line as all that this process is for, and end it.

    It ends at once: all files are written and closed by now, and to take apart an interpreter with
    so much in it costs 40 ms.
    """
    status = main()
    for thread in threading.enumerate():  # of an interrupted command, say, which clean up
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    process()
