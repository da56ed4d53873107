"""The one place where errors become a sentence, an exit status and a log file."""

from __future__ import annotations

import errno
import io
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from exam_cli import __version__
from exam_cli.errors import DiskFull, ExamError, OurFault

INTERRUPTED = 130


def guarded(run: Callable[[], int | None], *, as_json: bool) -> int:
    """Run a command and return its exit status; whatever it raises is told in one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the locale lacks is no reason to die
            stream.reconfigure(errors="backslashreplace")
    try:
        return run() or 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        return _tell(f"{error.format_message()}", "usage", 2, None, as_json)
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error, click.Abort) and not isinstance(error.__cause__, KeyboardInterrupt):
            sentence = "Not confirmed, so nothing was done; `--yes` answers without being asked."
            return _tell(sentence, "not_confirmed", 1, None, as_json)
        return _tell("Interrupted; nothing is lost.", "interrupted", INTERRUPTED, None, as_json)
    except ExamError as error:
        log = keep_log(error) if isinstance(error, OurFault) or error.__cause__ else None
        return _tell(str(error), error.reason, error.exit_status, log, as_json)
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more, not even at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = DiskFull(f"The disk is full ({error.filename or 'while writing'}): free some.")
            return _tell(str(full), full.reason, full.exit_status, None, as_json)
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and error.filename:
            sentence = f"{error.filename} cannot be used ({error.strerror}): give yourself the "
            sentence += "right to write there, or choose another place with EXAM_HOME."
            return _tell(sentence, "not_writable", 1, None, as_json)
        return _unexpected(error, as_json)
    except Exception as error:
        return _unexpected(error, as_json)


def _unexpected(error: Exception, as_json: bool) -> int:
    sentence = f"Something in this program broke ({type(error).__name__}); no attempt was counted."
    return _tell(sentence, "internal", 3, keep_log(error), as_json)


def _tell(sentence: str, reason: str | None, status: int, log: Path | None, as_json: bool) -> int:
    where = f" (details: {log})" if log else ""
    click.echo(f"exam: {sentence}{where}", err=True)
    if as_json:
        answer = {"verdict": None, "reason": reason, "message": sentence}
        if status == OurFault.exit_status:
            answer = {**answer, "verdict": "failed", "score": None}
        click.echo(json.dumps(answer, ensure_ascii=False))
    return status


def keep_log(error: BaseException) -> Path | None:
    """Write the traceback and the versions to a file; None when even that fails."""
    from exam_cli.paths import log_dir

    try:
        directory = log_dir()
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        text = "".join(traceback.format_exception(error))
        system = f"exam {__version__}, Python {platform.python_version()}, {platform.platform()}"
        path.write_text(f"{system}\n{sys.argv}\n\n{text}", encoding="utf-8")
    except OSError:
        return None
    return path
