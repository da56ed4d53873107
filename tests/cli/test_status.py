"""What `exam status` says of containers."""

from __future__ import annotations

from exam_cli.cli.status import _containers
from exam_cli.engine.port import Listed


def listed(name: str, *, running: bool = True, unhealthy: bool = False) -> Listed:
    return Listed(name, name, "image", {}, running, not running, unhealthy)


def test_what_runs_is_named_and_what_ails_it_said() -> None:
    told = _containers([listed("a"), listed("b", running=False), listed("c", unhealthy=True)])
    assert told.startswith("a, c (unhealthy: `docker logs c` shows why")
    assert _containers([listed("b", running=False)]) == "none running: `exam up` starts them"
    assert "exam doctor" in _containers(None)
