"""compose.yaml describes the same containers as the program makes."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec
from exam_cli.grading.environment import Environment
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.seccomp import profile
from exam_cli.paths import resource
from exam_cli.sections.catalog import shipped_section
from exam_cli.session.session import Session
from exam_cli.workspace.compose import document, env_file, service, variables, volume
from exam_cli.workspace.container import workspace_spec


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(resource("compose.yaml").read_text())["services"]


@pytest.fixture
def spec(tmp_path: Path) -> ContainerSpec:
    """The container of a session, in a directory with everything that paths may have."""
    workspace = tmp_path / "it's $5 here: #1"
    workspace.mkdir()
    session = Session("0" * 12, "practice", "tf2.21", "cpu", workspace, tmp_path / "home", "t")
    return workspace_spec(session, "exam-workspace:tag", FakeEngine().info(), 18888, 12222)


def filled(text: str, values: dict[str, str]) -> Any:
    """Return what Compose makes of a file: every variable with its value, then YAML."""

    def value(found: re.Match[str]) -> str:
        # As a whole scalar it may need quotes; within quotes or other text it is put in plainly.
        return values[found[1]]

    document = yaml.safe_load(text)

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: walk(one) for name, one in part.items()}
        if isinstance(part, list):
            return [walk(one) for one in part]
        if isinstance(part, str):
            return re.sub(r"\$\{(\w+)[^}]*\}", value, part).replace("$$", "$")
        return part

    return walk(document)


def test_the_workspace_is_the_one_that_up_starts(spec: ContainerSpec, tmp_path: Path) -> None:
    values = variables(spec, "exam-grader:tag", "0" * 12, tmp_path / "home" / "container")
    document = filled(resource("compose.yaml").read_text(), values)
    ours = service(spec)
    numbers = {"mem_limit": int, "memswap_limit": int, "cpus": float}
    theirs = {
        name: numbers.get(name, lambda same: same)(value)
        for name, value in document["services"]["workspace"].items()
    }
    assert theirs == ours
    assert document["volumes"] == {"home": {"name": volume(spec)}}


@pytest.fixture
def gpu_spec(spec: ContainerSpec, tmp_path: Path) -> ContainerSpec:
    """The container of such a session after `exam up --gpu`."""
    workspace = Path(spec.mounts[0].source)
    session = Session("0" * 12, "practice", "tf2.21", "gpu", workspace, tmp_path / "home", "t")
    return workspace_spec(session, "exam-workspace:tag", FakeEngine().info(), 18888, 12222)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="no docker-compose")
def test_compose_makes_the_same_of_a_session_with_a_gpu(
    spec: ContainerSpec, gpu_spec: ContainerSpec, tmp_path: Path
) -> None:
    """As Compose itself reads the files that COMPOSE_FILE names, and puts them together."""
    for name in ("compose.yaml", "compose.gpu.yaml"):
        shutil.copy(resource(name), tmp_path)
    (tmp_path / "images").mkdir()
    shutil.copy(resource("images", "seccomp.json"), tmp_path / "images")
    found = {}
    for which, one in (("cpu", spec), ("gpu", gpu_spec)):
        values = variables(one, "exam-grader:tag", "0" * 12, tmp_path)
        values["EXAM_WORKSPACE"] = "/work"  # Compose 1.29 reads no `$` in an .env file as it stands
        (tmp_path / ".env").write_text(env_file(values))
        done = subprocess.run(
            ["docker-compose", "config"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found[which] = yaml.safe_load(done.stdout)["services"]["workspace"]
    assert "deploy" not in found["cpu"] and "NVIDIA_VISIBLE_DEVICES" not in str(found["cpu"])
    ours = service(gpu_spec)
    (wanted,) = ours["deploy"]["resources"]["reservations"]["devices"]
    (device,) = found["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert {**device, "count": "all"} == wanted and device["count"] in ("all", -1)
    assert found["gpu"]["environment"] == ours["environment"]
    assert found["gpu"]["labels"]["exam.variant"] == "gpu"


def test_every_variable_of_the_file_is_told(spec: ContainerSpec, tmp_path: Path) -> None:
    used = set(re.findall(r"\$\{(\w+)", resource("compose.yaml").read_text()))
    told = variables(spec, "exam-grader:tag", "0" * 12, tmp_path)
    assert used == set(told) - {"COMPOSE_PROJECT_NAME"}


def test_what_a_service_says_is_all_that_a_container_is(spec: ContainerSpec) -> None:
    told = service(spec)
    assert told["user"] == f"{os.getuid()}:{os.getgid()}"
    assert told["command"] == list(spec.command) and told["init"] is spec.init is True
    assert told["mem_limit"] == told["memswap_limit"] == spec.limits.memory_bytes
    assert (told["cpus"], told["pids_limit"]) == (spec.limits.cpus, spec.limits.processes)
    assert told["environment"] == spec.environment and told["network_mode"] == spec.network
    assert told["ports"] == ["127.0.0.1:18888:8888", "127.0.0.1:12222:2222"]
    assert [one["target"] for one in told["volumes"]] == [one.target for one in spec.mounts]
    assert [one.get("read_only", False) for one in told["volumes"]] == [False, True, False]
    assert told["healthcheck"]["test"] == ["CMD", *(spec.health or ())]
    # What a specification can say beside this is not said of a workspace.
    assert not spec.read_only and not spec.stdin and spec.runtime is None and spec.seccomp is None
    assert not spec.limits.tmpfs and spec.limits.open_files is None


def test_a_written_file_has_nothing_left_to_fill_in(spec: ContainerSpec) -> None:
    text = document(spec, "A title.")
    assert text.startswith("# A title.\n")
    found = filled(text, {})
    assert found["services"]["workspace"] == service(spec)
    assert found["volumes"] == {"home": {"external": True, "name": volume(spec)}}
    assert "name" not in found and "version" not in found  # what 1.29 and 2 both read


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=20))
def test_values_keep_their_characters_in_an_env_file(value: str) -> None:
    (line,) = env_file({"NAME": value}).split("\n")[:1]
    name, _, word = line.partition("=")
    assert name == "NAME"
    if word.startswith("'"):
        assert word.endswith("'") and word[1:-1].replace("\\'", "'") == value
    else:
        assert word == value and not set(word) & set(" #$\"'\\`")


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
