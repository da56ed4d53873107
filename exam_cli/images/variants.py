"""Which variants of an edition there are for an architecture, and what a GPU's driver must be."""

from __future__ import annotations

from exam_cli.config.edition import Architecture, Edition
from exam_cli.errors import UsageError
from exam_cli.fetch.lockfile import read_lock

# The oldest driver that runs programs of a major version of CUDA on Linux: CUDA Toolkit release
# notes, table "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor Version
# Compatibility", docs.nvidia.com/cuda/cuda-toolkit-release-notes
_LEAST_DRIVERS = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580,)}
_RUNTIME = "nvidia-cuda-runtime"


def require(edition: Edition, architecture: Architecture) -> None:
    """Raise `UsageError` when an edition's variant does not exist for an architecture."""
    there = edition.variants(architecture)
    if edition.variant in there:
        return
    why = ""
    if edition.variant == "gpu" and "gpu" in edition.variants("x86_64"):
        why = ", for TensorFlow's wheels for that hold no code for GPUs"
    raise UsageError(
        f"The edition {edition.edition} has no {edition.variant} variant for {architecture}{why}: "
        + (f"it has {' and '.join(there)} there." if there else "choose another edition.")
    )


def cuda_of(edition: Edition, architecture: Architecture) -> str | None:
    """Return the version of CUDA that a variant has locked, such as 12.9; None without one."""
    for pin in read_lock(edition.lock("tensorflow", architecture)):
        if pin.name.startswith(_RUNTIME):
            return ".".join(pin.version.split(".")[:2])
    return None


def least_driver(cuda: str) -> tuple[int, ...]:
    """Return the oldest driver for a version of CUDA; () where none is known."""
    return _LEAST_DRIVERS.get(int(cuda.split(".")[0]), ())
