"""Kill a program at its n-th line, so that every place where it may die is visited."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import exam_cli.session

_ROOM = str(Path(exam_cli.session.__file__).parent)


def killed_at_line(number: int, program: Callable[[], object]) -> bool:
    """Run `program` in a child that gets SIGKILL at line `number` of the session room.

    Returns False when it ended before that; an exception in it fails the test.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.settrace(_killer(number))
            program()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "the program failed by itself"
    return False


def _killer(number: int) -> Callable[[FrameType, str, Any], Any]:
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_ROOM):
            return None
        if event == "line":
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return trace

    return trace
