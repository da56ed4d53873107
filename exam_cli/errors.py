"""Every error that a user may meet: one sentence, an exit status and a stable reason.

Raise these anywhere; only `exam_cli.cli.boundary` catches them. The text says what is wrong and
what to do, and is shown as it stands.
"""

from __future__ import annotations


class ExamError(Exception):
    """Something that the user can mend. The message is the sentence they read."""

    exit_status: int = 1
    reason: str | None = None

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class UsageError(ExamError):
    """The command line itself is wrong."""

    exit_status = 2
    reason = "usage"


class OurFault(ExamError):
    """The engine, the machine or this program is at fault, never the candidate."""

    exit_status = 3
    reason = "internal"


class EngineUnreachable(OurFault):
    """No container engine answers."""

    reason = "engine_unreachable"


class ImageMissing(OurFault):
    """The pinned image is not on this engine."""

    reason = "image_missing"


class GpuMissing(OurFault):
    """The engine cannot give a container the GPU that it needs."""

    reason = "no_gpu"


class DiskFull(OurFault):
    """No room is left, on the host or in the engine."""

    reason = "disk_full"
