"""A part of the Jupyter server: what the exam's page and its clock in JupyterLab ask for.

`exam` leaves two files in the workspace's `.exam`, see exam_cli/sitting/opening.py and clock.py:
`exam.json`, the exam's sections, and `clock.json`, when it ends. They are only for looking at. A
candidate who edits them misleads nobody else: what counts is on the other side of the wall.
"""

import json
import time
from pathlib import Path

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

_MOST = 64 * 1024  # bytes of a file
_MODELS = (".keras", ".h5", ".hdf5")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def read(root, name):
    """Return the object in a file of `.exam`, {} when there is none such."""
    try:
        with (root / ".exam" / name).open("rb") as file:
            found = json.loads(file.read(_MOST))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def clock(told):
    """Return what is left of the exam, in seconds, None where there is no limit.

    The clock that nobody can set is asked where the machine was not restarted since `exam` wrote
    the file; else, and in a virtual machine of another start, the wall clock.
    """
    answer = {"left": None, "extra": 0, "submitted": told.get("submitted") is True}
    try:
        if told.get("limit"):
            if told["boot"] == _BOOT.read_text("ascii").strip():
                left = told["end_up"] - time.clock_gettime(time.CLOCK_BOOTTIME)
            else:
                left = told["end_wall"] - time.time()
            answer.update(left=max(0.0, left), extra=float(told["extra"]))
    except (OSError, KeyError, TypeError, ValueError):
        pass
    return answer


def _model(directory):
    """Return name and time of what a candidate has saved in a section's directory, if anything."""
    try:
        for path in sorted(directory.iterdir()):
            if path.suffix.lower() in _MODELS or (path / "saved_model.pb").is_file():
                return {"name": path.name, "saved": path.stat().st_mtime}
    except OSError:
        pass
    return None


def page(root):
    """Return the exam's sections as the opening page shows them; {} where `exam up` never was."""
    told = read(root, "exam.json")
    sections = told.get("sections")
    if not isinstance(sections, list):
        return {}
    shown = []
    for one in sections:
        if isinstance(one, dict) and isinstance(one.get("directory"), str):
            inside = root / one["directory"]
            files = [name for name in one.get("files") or () if (inside / name).is_file()]
            shown.append({**one, "files": files, "model": _model(inside)})
    return {**told, "sections": shown}


class _Handler(APIHandler):
    """GET exam/now: the page and the clock, as one object."""

    @web.authenticated
    def get(self):
        """Answer."""
        root = Path(self.settings["server_root_dir"]).expanduser()
        answer = {"exam": page(root), "clock": clock(read(root, "clock.json"))}
        self.finish(json.dumps(answer))


def _jupyter_server_extension_points():
    return [{"module": "exam_jupyter"}]


def _load_jupyter_server_extension(server):
    address = url_path_join(server.web_app.settings["base_url"], "exam", "now")
    server.web_app.add_handlers(".*$", [(address, _Handler)])
