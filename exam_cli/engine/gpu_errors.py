"""What engines and NVIDIA's toolkit say when a container cannot have a GPU, and what to do then.

The first pattern that is found decides. The words are those of moby's `daemon/devices.go` ("could
not select device driver"), of its CDI injection ("unresolvable CDI devices"), and of
libnvidia-container's hook and nvidia-smi.
"""

from __future__ import annotations

import re

_TOOLKIT = (
    "The engine cannot give a container a GPU, for the NVIDIA Container Toolkit is not set up on "
    "its machine: install the package nvidia-container-toolkit there, run `sudo nvidia-ctk runtime "
    "configure --runtime=docker` and restart the engine."
)
_CDI = (
    "The engine knows no NVIDIA device: run `sudo nvidia-ctk cdi generate "
    "--output=/etc/cdi/nvidia.yaml` on its machine and restart the engine."
)
_CGROUP = (
    "The NVIDIA Container Toolkit could not let a container use the GPU's device files (cgroups): "
    "install version 1.8 or newer of it on the engine's machine, for a rootless engine set "
    "`no-cgroups = true` in /etc/nvidia-container-runtime/config.toml, and restart the engine."
)
_RESTART = (
    "The NVIDIA driver on the engine's machine was updated and the old one still runs: restart "
    "that machine."
)
_OLD = "The NVIDIA driver on the engine's machine is too old for this: install a newer one there."
_DRIVER = (
    "There is no NVIDIA driver that works on the engine's machine: install one there (`nvidia-smi` "
    "shows when it does)."
)
_NO_GPU = "The engine's machine has an NVIDIA driver and no GPU that it could use."

_SIGNS = (
    (r"could not select device driver", _TOOLKIT),
    (r"unknown or invalid runtime name: nvidia|nvidia-container-runtime\S*: not found", _TOOLKIT),
    (r"unresolvable CDI devices|CDI device injection failed", _CDI),
    (r"Driver/library version mismatch", _RESTART),
    (r"unsatisfied condition", _OLD),
    (r"(?s)nvidia-container.*(?:cgroup|bpf)|Failed to initialize NVML: Unknown Error", _CGROUP),
    (r"No devices were found|no NVIDIA device|device error: \S*: unknown device", _NO_GPU),
    (
        r"nvml error|driver not loaded|libnvidia-ml\.so|libcuda\.so|NVIDIA-SMI has failed|"
        r"Failed to initialize NVML|nvidia-container-cli|/dev/nvidia",
        _DRIVER,
    ),
)


def sentence_for(said: str) -> str | None:
    """Return what is missing, in a sentence, or None for words that are not about a GPU."""
    return next((text for sign, text in _SIGNS if re.search(sign, said)), None)
