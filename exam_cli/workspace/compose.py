"""The workspace container as a service of Compose, from the very description that `exam up` uses.

`compose.yaml` holds it with variables, the file that editors get with the session's own values.
Both are read by Compose 1.29 and by 2, so there is no `version` and no `name`: the project is
called after the directory that the file is in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exam_cli.engine.port import GPU_CAPABILITIES, HEALTH_SECONDS, ContainerSpec

HOME_VOLUME = "home"
# A device request in Compose's words; compose.gpu.yaml has the same.
_GPUS = {"driver": "nvidia", "count": "all", "capabilities": GPU_CAPABILITIES}
_FILES = "compose.yaml:compose.gpu.yaml"
_THEIRS = ("com.docker.compose.", "devcontainer.")  # labels that these set by themselves


def service(spec: ContainerSpec) -> dict[str, Any]:
    """Return a container's description in Compose's words, without its own labels."""
    labels = {name: value for name, value in spec.labels.items() if not name.startswith(_THEIRS)}
    return {
        "image": spec.image,
        "container_name": spec.name,
        "command": list(spec.command),
        "user": spec.user,
        "init": spec.init,
        "working_dir": spec.working_dir,
        "environment": dict(spec.environment),
        "labels": labels,
        "network_mode": spec.network,
        "ports": [f"127.0.0.1:{host}:{inside}" for inside, host in spec.ports.items()],
        "volumes": [
            {
                "type": mount.kind,
                "source": mount.source if mount.kind == "bind" else HOME_VOLUME,
                "target": mount.target,
                **({"read_only": True} if mount.read_only else {}),
            }
            for mount in spec.mounts
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": spec.limits.memory_bytes,
        "memswap_limit": spec.limits.memory_bytes,
        "cpus": spec.limits.cpus,
        "pids_limit": spec.limits.processes,
        "ulimits": {"core": 0},
        "healthcheck": {
            "test": ["CMD", *(spec.health or ())],
            "interval": f"{HEALTH_SECONDS}s",
            "timeout": f"{HEALTH_SECONDS}s",
            "retries": 2,
        },
        **({"deploy": {"resources": {"reservations": {"devices": [_GPUS]}}}} if spec.gpus else {}),
    }


def volume(spec: ContainerSpec) -> str:
    """Return the name of the volume that keeps the home."""
    return next(mount.source for mount in spec.mounts if mount.kind == "volume")


def document(spec: ContainerSpec, title: str) -> str:
    """Return a whole file for Compose with nothing left to fill in.

    The home volume is there already, and stays when the service is taken down.
    """
    import yaml

    content = {
        "services": {"workspace": _escaped(service(spec))},
        "volumes": {HOME_VOLUME: {"external": True, "name": volume(spec)}},
    }
    return f"# {title}\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def variables(spec: ContainerSpec, grader: str, session: str, keys: Path) -> dict[str, str]:
    """Return the values of compose.yaml's variables for a session, and which files Compose reads.

    With a GPU those are two, which Compose takes from `COMPOSE_FILE`.
    """
    uid, _, gid = spec.user.partition(":")
    ports = list(spec.ports.values())
    return {
        **({"COMPOSE_FILE": _FILES} if spec.gpus else {}),
        "COMPOSE_PROJECT_NAME": f"exam-{session}",
        "EXAM_SESSION": session,
        "EXAM_WORKSPACE_IMAGE": spec.image,
        "EXAM_GRADER_IMAGE": grader,
        "EXAM_UID": uid,
        "EXAM_GID": gid,
        "EXAM_WORKSPACE": spec.mounts[0].source,
        "EXAM_VARIANT": spec.labels["exam.variant"],
        "EXAM_WORKSPACE_MARK": spec.labels["exam.workspace"],
        "EXAM_KEYS": str(keys),
        "EXAM_MEMORY": str(spec.limits.memory_bytes),
        "EXAM_CPUS": f"{spec.limits.cpus:g}",
        "EXAM_JUPYTER_PORT": str(ports[0]),
        "EXAM_SSH_PORT": str(ports[1]),
    }


def env_file(values: dict[str, str]) -> str:
    """Return the lines of a `.env` file, which Compose reads by itself."""
    return "".join(f"{name}={_env_word(value)}\n" for name, value in values.items())


def _env_word(value: str) -> str:
    plain = all(letter.isalnum() or letter in "/._:-" for letter in value)
    return value if plain else "'" + value.replace("'", "\\'") + "'"


def _escaped(value: Any) -> Any:
    """Return the value with `$` doubled, which Compose would otherwise read as a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        return {name: _escaped(one) for name, one in value.items()}
    return value
