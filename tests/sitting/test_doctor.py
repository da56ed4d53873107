"""What `exam doctor` says of engines: each wall there or missing, each hole open or mended."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from exam_cli.config import exam as exam_rules
from exam_cli.config.edition import DEFAULT_EDITION, load_edition
from exam_cli.engine.fake import ABOUT, FakeEngine
from exam_cli.engine.port import Component, EngineInfo
from exam_cli.grading.walls import WALLS, Wall, walls
from exam_cli.sitting import holes
from exam_cli.sitting.doctor import Finding, examine


def wall(name: str, info: EngineInfo) -> Wall:
    (found,) = (one for one in walls(info) if one.name == name)
    return found


def findings(info: EngineInfo) -> list[Finding]:
    return examine(lambda: FakeEngine(about=info))


# --- walls


def test_every_wall_is_told_in_its_order() -> None:
    assert [one.name for one in walls(ABOUT)] == list(WALLS)
    assert get_args(exam_rules.Wall) == tuple(WALLS), "and no others can be required"
    told = walls(replace(ABOUT, runtimes=("runc", "runsc")))
    assert all(one.there for one in told) and not any(one.needed for one in told)
    bare = replace(ABOUT, security=(), caps=(), runtimes=("runc",))
    assert {one.name for one in walls(bare) if one.there} == {"no_new_privileges"}
    assert {one.name for one in walls(bare) if one.needed} == {"caps"}
    for one in (*told, *walls(bare)):
        assert one.text and one.text.isprintable()


@pytest.mark.parametrize(
    ("name", "changes", "there", "says"),
    [
        ("seccomp", {"security": ("apparmor",)}, False, "CONFIG_SECCOMP_FILTER"),
        ("access_control", {"security": ("seccomp",)}, False, "apt-get install apparmor"),
        ("access_control", {"security": ("selinux",)}, True, "SELinux"),
        ("access_control", {"security": ("apparmor",)}, True, "AppArmor"),
        ("user_namespaces", {"security": ("seccomp",)}, False, '"userns-remap": "default"'),
        ("user_namespaces", {"security": ("userns",)}, True, "userns-remap"),
        ("user_namespaces", {"security": ("rootless",), "rootless": True}, True, "rootless"),
        ("gvisor", {"runtimes": ("runc",)}, False, "apt-get install runsc"),
        ("gvisor", {"runtimes": ("runc",)}, False, "--oci-seccomp"),
        ("gvisor", {"runtimes": ("runc", "runsc")}, True, "`runtime: runsc`"),
        ("caps", {"caps": ("memory", "cpu", "processes")}, False, "swapaccount=1"),
        ("caps", {"caps": ("memory", "cpu", "swap")}, False, "does not limit processes"),
        ("caps", {"caps": ("processes", "swap")}, False, "does not limit memory, CPU"),
        ("caps", {"rootless": True, "cgroup_version": "1"}, False, "ignores limits"),
        ("caps", {"rootless": True, "cgroup_version": "2"}, True, "cgroup v2"),
    ],
)
def test_a_wall_is_there_or_missing(
    name: str, changes: dict[str, Any], there: bool, says: str
) -> None:
    found = wall(name, replace(ABOUT, **changes))
    assert found.there == there and says in found.text


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"caps": ("memory", "cpu", "processes")}, False),
        ({"caps": ("memory", "cpu", "swap")}, True),
        ({"caps": ("memory", "processes", "swap")}, True),
        ({"caps": ("cpu", "processes", "swap")}, True),
        ({"rootless": True, "cgroup_version": "1"}, True),
    ],
)
def test_an_exam_cannot_do_without_caps(changes: dict[str, Any], needed: bool) -> None:
    info = replace(ABOUT, **changes)
    assert not wall("caps", info).there and wall("caps", info).needed == needed
    (told,) = (one for one in findings(info) if one.topic == "caps")
    assert (told.ok, told.needed) == (False, needed)


# --- what is printed


def test_the_doctor_tells_each_wall_and_nothing_needed_is_missing() -> None:
    told = findings(ABOUT)
    topics = [one.topic for one in told]
    for name in WALLS:
        assert topics.count(name.replace("_", " ")) == 1
    assert not [one for one in told if one.needed and not one.ok and one.topic != "disk, cache"]
    assert json.dumps([one.text for one in told])


def test_what_lives_through_a_restart_is_told() -> None:
    (here,) = (one for one in findings(ABOUT) if one.topic == "restart")
    assert here.ok
    (gone,) = (
        one for one in findings(replace(ABOUT, live_restore=False)) if one.topic == "restart"
    )
    assert not gone.ok and not gone.needed and '"live-restore": true' in gone.text


# --- holes


@pytest.fixture
def told_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """Return what the doctor says of one component of an engine that is somewhere else."""

    def tell(topic: str, **changes: Any) -> list[Finding]:
        return [one for one in findings(replace(ABOUT, **changes)) if one.topic == topic]

    return tell


def test_new_versions_have_no_known_hole(told_of: Callable[..., list[Finding]]) -> None:
    for topic in ("docker", "containerd", "runc", "kernel", "keras", "tensorflow"):
        (line,) = told_of(topic)
        assert line.ok and not line.needed and "does not have CVE-" in line.text


def test_an_old_runc_is_told_hole_by_hole(told_of: Callable[..., list[Finding]]) -> None:
    components = {"runc": Component("1.1.5", "v1.1.5-0-gf19387a6")}
    *open_ones, rest = told_of("runc", components=components)
    ids = ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]
    assert [one.text.split(".")[2].split()[-1] for one in open_ones] == ids
    for one in open_ones:
        assert not one.ok and not one.needed and "Mended in 1." in one.text
    assert rest.ok and "CVE-2019-5736" in rest.text


def test_debian_s_own_mending_is_told(told_of: Callable[..., list[Finding]]) -> None:
    components = {"runc": Component("1.1.5+ds1", "1.1.5+ds1-1+deb12u1")}
    lines = told_of("runc", components=components)
    assert not any("has CVE-2024-21626" in one.text for one in lines)
    assert "CVE-2024-21626 (mended by Debian in 1.1.5+ds1-1+deb12u1)" in lines[-1].text


def test_a_kernel_that_hides_its_version(told_of: Callable[..., list[Finding]]) -> None:
    still_open, unknown, rest = told_of("kernel", kernel="6.1.0-42-amd64")
    assert not still_open.ok and "CVE-2026-43500" in still_open.text
    assert not unknown.ok and "does not tell whether it has CVE-2024-1086" in unknown.text
    assert rest.ok and "CVE-2017-5123" in rest.text


def test_gvisor_somewhere_else_is_of_unknown_version(told_of: Callable[..., list[Finding]]) -> None:
    (line,) = (one for one in told_of("gvisor", runtimes=("runc", "runsc")) if "CVE" in one.text)
    assert not line.ok and "does not tell" in line.text


def test_this_machine_is_asked_only_for_an_engine_that_runs_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dpkg-query").write_text(
        "#!/bin/sh\n"
        "echo 'docker.io 20.10.24+dfsg1-1+deb12u1 installed'\n"
        "echo 'runsc 0.0~20221219.0-2 installed'\n"
        "echo 'nvidia-container-toolkit 1.17.7-1 config-files'\n"
    )
    (tmp_path / "dpkg-query").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    info = replace(
        ABOUT,
        components={"Engine": Component("20.10.24+dfsg1", "5d6db84")},
        runtimes=("runc", "runsc", "nvidia"),
    )

    def state(info: EngineInfo) -> dict[str, tuple[int, int, int]]:
        return {
            one.component: (len(one.open), len(one.unknown), len(one.by_debian))
            for one in holes.of_engine(info)
            if one.component != "kernel"
        }

    away = {"docker": (3, 0, 0), "gvisor": (0, 1, 0), "nvidia-toolkit": (0, 2, 0)}
    assert state(info) == away
    here = replace(info, host=platform.node(), kernel=os.uname().release)
    assert state(here)["gvisor"] == (1, 0, 0)
    assert state(here)["nvidia-toolkit"] == (0, 2, 0), "it has been removed"


@pytest.mark.parametrize(
    ("words", "upstream"),
    [
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.159-1 (2025-12-30)", "6.1.159"),
        ("#1 SMP Sun Nov 22 2026", None),
    ],
)
def test_a_kernel_here_is_asked_what_it_is_made_from(
    monkeypatch: pytest.MonkeyPatch, words: str, upstream: str | None
) -> None:
    kernel = "6.1.0-42-amd64"
    uname = os.uname_result(("Linux", platform.node(), kernel, words, "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: uname)
    info = replace(ABOUT, host=platform.node(), kernel=kernel)
    (looked,) = (one for one in holes.of_engine(info) if one.component == "kernel")
    assert looked.version == upstream or looked.version != "6.1.159"
    assert bool(looked.unknown) == (upstream is None and looked.version == kernel)


def test_an_engine_elsewhere_is_told_to_be(told_of: Callable[..., list[Finding]]) -> None:
    assert "on the machine fake" in told_of("engine")[0].text
    here = told_of("engine", host=platform.node(), kernel=os.uname().release)
    assert "on the machine" not in here[0].text


def test_the_edition_s_wheels_are_looked_at() -> None:
    edition = load_edition(DEFAULT_EDITION)
    looked = {one.component: one for one in holes.of_edition(edition, "x86_64")}
    assert looked["keras"].version == edition.keras
    assert looked["tensorflow"].version == edition.tensorflow
    assert len(looked["keras"].mended) >= 12 and not looked["keras"].open
