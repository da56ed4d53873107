"""An image's configuration as the OCI image format writes it, in the port's words.

https://github.com/opencontainers/image-spec/blob/main/config.md; an engine's own answer about an
image has the same names, the first letter of those at the top in upper case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from exam_cli.engine.port import ImageInfo

# What an image says of its containers. Builders differ in what else they note down.
_NAMES = (
    *("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell"),
    *("StopSignal", "User", "Volumes", "WorkingDir"),
)
_PLATFORM = ("Architecture", "Os", "Variant")


def configuration(containers: Mapping[str, Any], platform: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides how an image's containers start, without what is empty.

    Args:
        containers: what the image says of its containers.
        platform: holds "Architecture", "Os" and, where there is one, "Variant".
    """
    said = {name: containers.get(name) for name in _NAMES}
    said |= {name: platform.get(name) for name in _PLATFORM}
    return {name: value for name, value in said.items() if value}


def described(blob: bytes, size: int = 0) -> ImageInfo:
    """Return the image that a configuration file describes; its id is the file's sha256.

    `size` is that of the unpacked layers, which the file does not tell.
    Raises ValueError when it is no such file.
    """
    told = json.loads(blob)
    try:
        containers = told.get("config") or {}
        layers = tuple(str(one) for one in told["rootfs"]["diff_ids"])
        labels = dict(containers.get("Labels") or {})
        config = configuration(containers, {name: told.get(name.lower()) for name in _PLATFORM})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("this is no configuration of an image") from error
    identity = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    return ImageInfo(identity, (), size, layers, labels, config)
