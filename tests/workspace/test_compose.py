"""compose.yaml describes the same containers as the program makes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from exam_cli.engine.fake import FakeEngine
from exam_cli.grading.environment import Environment
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.seccomp import profile
from exam_cli.paths import resource
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.session import Session
from exam_cli.workspace.container import workspace_spec


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(resource("compose.yaml").read_text())["services"]


def test_the_workspace_is_the_one_that_up_starts(services: dict[str, Any], tmp_path: Path) -> None:
    session = Session("0" * 12, "practice", "tf2.21", "cpu", tmp_path, tmp_path, "t")
    spec = workspace_spec(session, "image", FakeEngine().info(), 8888)
    service = services["workspace"]
    assert tuple(service["command"]) == spec.command
    assert service["working_dir"] == spec.working_dir
    assert service["init"] is spec.init
    assert service["pids_limit"] == spec.limits.processes
    assert [volume["target"] for volume in service["volumes"]] == [m.target for m in spec.mounts]
    assert [volume["type"] for volume in service["volumes"]] == [m.kind for m in spec.mounts]
    assert service["ports"] == [f"127.0.0.1:{host}:{port}" for port, host in spec.ports.items()]
    shared = {name: spec.environment[name] for name in ("HOME", "SHELL")}
    assert shared.items() <= service["environment"].items()


def test_the_grader_has_the_walls_that_a_grade_has(services: dict[str, Any]) -> None:
    environment = Environment(FakeEngine(), "image", "tf2.21", "cpu", "2.21.0", "3.15.1")
    spec = environment.container("predictor", predictor_needs(shipped_section(1)))
    service = services["grader"]
    assert tuple(service["command"]) == tuple(spec.command)
    assert service["user"] == spec.user
    assert service["network_mode"] == spec.network == "none"
    assert service["read_only"] is spec.read_only is True
    assert service["environment"] == spec.environment
    assert spec.limits.memory_bytes == 3 << 30
    assert service["mem_limit"] == service["memswap_limit"] == "3g"
    (disk,) = service["tmpfs"]
    assert disk.startswith(f"/tmp:size={spec.limits.tmpfs['/tmp'] >> 20}m,")
    assert service["cpus"] == spec.limits.cpus
    assert service["pids_limit"] == spec.limits.processes
    assert service["ulimits"] == {"core": 0, "nofile": spec.limits.open_files}
    assert "volumes" not in service


@pytest.mark.parametrize("name", ["workspace", "grader"])
def test_no_service_has_privileges(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["cap_drop"] == ["ALL"]
    filtered = ["seccomp=images/seccomp.json"] if name == "grader" else []
    assert service["security_opt"] == ["no-new-privileges", *filtered]
    assert "privileged" not in service


def test_compose_s_filter_is_that_of_a_grade() -> None:
    """Mend it with `python -m exam_cli.grading.seccomp >images/seccomp.json`."""
    kept = resource("images", "seccomp.json").read_text()
    assert json.loads(kept) == json.loads(profile(forks=False))
