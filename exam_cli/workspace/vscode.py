"""VS Code's way into the container that runs: .devcontainer, and the Compose file it stands on.

Dev Containers looks for the container of the project and service that devcontainer.json names. That
is the one of `exam up`, by its labels, so it is entered as it runs. Only when there is none is one
made, from the same description.
"""

from __future__ import annotations

import json

from exam_cli.engine.port import ContainerSpec
from exam_cli.workspace.compose import document
from exam_cli.workspace.container import INTERPRETER, USER, WORKDIR
from exam_cli.workspace.door import Door
from exam_cli.workspace.ssh_config import WholeFile
from exam_cli.workspace.written import Part


def compose_part(door: Door, spec: ContainerSpec) -> WholeFile:
    """Return the Compose file with the session's own values.

    It lies in a directory that has the project's name, for Compose calls the project after it.
    """
    title = f"The container of the exam session {door.session}, written by `exam attach`."
    path = door.local / ".devcontainer" / door.alias / "compose.yaml"
    return WholeFile(path, document(spec, title))


def parts(door: Door, spec: ContainerSpec) -> list[Part]:
    """Return devcontainer.json and the Compose file.

    Where the candidate has a devcontainer.json of their own, ours lies beside the Compose file, and
    VS Code asks which to take.
    """
    compose = compose_part(door, spec)
    above = compose.path.parent.parent / "devcontainer.json"
    beside = compose.path.with_name("devcontainer.json")
    first = WholeFile(above, _devcontainer(door, f"{door.alias}/compose.yaml"))
    if above.exists() and not _is_ours(first):
        return [compose, WholeFile(beside, _devcontainer(door, "compose.yaml"))]
    return [compose, first]


def _is_ours(part: WholeFile) -> bool:
    """Say whether the file there was written for this session, changed afterwards or not."""
    try:
        found = json.loads(part.path.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("name") == json.loads(part.text)["name"]


def _devcontainer(door: Door, compose: str) -> str:
    content = {
        "name": door.alias,
        "dockerComposeFile": compose,
        "service": "workspace",
        "workspaceFolder": WORKDIR,
        "remoteUser": USER,
        "shutdownAction": "none",  # closing the editor does not stop the exam
        "overrideCommand": False,
        "updateRemoteUserUID": False,  # or the pinned image is replaced by another
        "customizations": {
            "vscode": {
                "extensions": ["ms-python.python", "ms-toolsai.jupyter"],
                "settings": {"python.defaultInterpreterPath": INTERPRETER},
            }
        },
    }
    return json.dumps(content, indent=2) + "\n"
