"""The walls around a stranger's program, seen from outside, from inside, and on the wire."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import docker
import pytest

from exam_cli.config.section import Section
from exam_cli.engine.port import Channel, ContainerSpec, Engine
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.pool import fill, is_waiting
from exam_cli.grading.predictor import predictor_needs
from exam_cli.grading.scorer import SCORER_NEEDS
from exam_cli.grading.seccomp import profile
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.vault import DataSet, SectionData
from tests.engine.models import Models

pytestmark = pytest.mark.engine

ROLES = ("predictor", "scorer")
STEADY = {"PYTHONHASHSEED", "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA"}
NAMES = {"PATH", "HOME", "TF_CPP_MIN_LOG_LEVEL"} | STEADY  # of the environment
SLEEP = 8  # seconds that the sleeping model gets, and in which its containers are looked at


@pytest.fixture(scope="module", params=["cold", "warm"])
def inspected(
    request: pytest.FixtureRequest,
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
) -> dict[str, dict[str, Any]]:
    """What the engine says of predictor and scorer while a model sleeps in the predictor.

    The two that have waited for the grade must have the walls of two that were made for it.
    """
    if request.param == "warm":
        fill(grader, {"predictor": predictor_needs(sections[1]), "scorer": SCORER_NEEDS})
    limits = replace(sections[1].limits, predict_seconds=SLEEP)
    section = replace(sections[1], limits=limits)
    submission = models.submission("sleep_for_ever-keras", section)
    api = docker.from_env().api
    found: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(1) as pool:
        grading = pool.submit(grade, submission, section, data[1].sets["probe"], grader)
        while not grading.done() and len(found) < len(ROLES):
            for state in grader.engine.find(grader.labels):
                if state.running and not is_waiting(state):
                    found[state.labels["exam.role"]] = api.inspect_container(state.id)
            time.sleep(0.05)
        verdict = grading.result()
    assert verdict.reason == "timeout"
    assert sorted(found) == sorted(ROLES)
    waited = ["exam.warm" in one["Config"]["Labels"] for one in found.values()]
    assert waited == [request.param == "warm"] * len(found)
    return found


@pytest.mark.parametrize("role", ROLES)
class TestFromOutside:
    def test_nothing_of_the_host_is_in_it(self, role: str, inspected: dict[str, Any]) -> None:
        host = inspected[role]["HostConfig"]
        assert inspected[role]["Mounts"] == []
        assert not host["Binds"] and not host.get("Mounts") and not host["VolumesFrom"]
        assert not host["Devices"] and not host["DeviceRequests"] and not host["Links"]
        assert host["Privileged"] is False and host["PublishAllPorts"] is False
        assert not host["PortBindings"]

    def test_it_shares_no_namespace(self, role: str, inspected: dict[str, Any]) -> None:
        host = inspected[role]["HostConfig"]
        assert (host["NetworkMode"], host["IpcMode"]) == ("none", "none")
        assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
        assert inspected[role]["Config"]["NetworkDisabled"] is True
        networks = inspected[role]["NetworkSettings"]["Networks"]
        assert set(networks) <= {"none"} and not any(one["IPAddress"] for one in networks.values())

    def test_it_has_no_rights(self, role: str, inspected: dict[str, Any]) -> None:
        host, config = inspected[role]["HostConfig"], inspected[role]["Config"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
        assert host["SecurityOpt"] == ["no-new-privileges", f"seccomp={profile(forks=False)}"]
        assert config["User"] == "65534:65534"

    def test_all_that_it_can_use_up_is_capped(self, role: str, inspected: dict[str, Any]) -> None:
        host = inspected[role]["HostConfig"]
        assert 0 < host["Memory"] <= 4 << 30 and host["MemorySwap"] == host["Memory"]
        assert 0 < host["CpuQuota"] <= 2 * host["CpuPeriod"]
        assert 0 < host["PidsLimit"] <= 128
        caps = {one["Name"]: (one["Soft"], one["Hard"]) for one in host["Ulimits"]}
        assert caps == {"nofile": (1024, 1024), "core": (0, 0)}
        assert not host["OomKillDisable"]

    def test_its_one_writable_place_is_small(self, role: str, inspected: dict[str, Any]) -> None:
        tmpfs = inspected[role]["HostConfig"]["Tmpfs"]
        assert set(tmpfs) == {"/tmp"}
        options = tmpfs["/tmp"].split(",")
        assert {"noexec", "nosuid", "nodev"} <= set(options)
        size = next(option for option in options if option.startswith("size="))
        assert 0 < int(size.removeprefix("size=")) <= 256 << 20
        names = next(option for option in options if option.startswith("nr_inodes="))
        assert 0 < int(names.removeprefix("nr_inodes=")) <= 1 << 16

    def test_nothing_that_it_prints_is_kept(self, role: str, inspected: dict[str, Any]) -> None:
        host = inspected[role]["HostConfig"]
        assert host["LogConfig"]["Type"] == "none"
        assert host["RestartPolicy"]["Name"] in ("", "no")

    def test_its_environment_and_labels_tell_nothing(
        self, role: str, inspected: dict[str, Any]
    ) -> None:
        config = inspected[role]["Config"]
        names = {entry.split("=")[0] for entry in config["Env"]}
        assert names == NAMES
        warm = {"exam.warm", "exam.born", "exam.memory", "exam.disk"}
        assert set(config["Labels"]) - warm == {"exam.role", "exam.session"}


class Recorder:
    """A channel that remembers what was sent through it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.sent = bytearray()

    def send(self, chunks: Iterator[bytes]) -> None:
        def noted() -> Iterator[bytes]:
            for chunk in chunks:
                self.sent += chunk
                yield chunk

        self._channel.send(noted())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: Any) -> None:
        self._channel.__exit__(*error)


class RecordingEngine:
    """The real engine, with the bytes that each container got, by its program's role."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._roles: dict[str, str] = {}
        self.recorders: dict[str, Recorder] = {}

    def create(self, spec: ContainerSpec) -> str:
        container = self._engine.create(spec)
        with self._lock:
            self._roles[container] = spec.labels["exam.role"]
        return container

    def attach(self, container: str) -> Recorder:
        recorder = Recorder(self._engine.attach(container))
        with self._lock:
            self.recorders[self._roles[container]] = recorder
        return recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def windows(content: bytes, step: int = 64, size: int = 64) -> list[bytes]:
    """Return pieces that are long enough to stand nowhere else by chance."""
    return [content[start : start + size] for start in range(0, len(content) - size + 1, step)]


@pytest.mark.parametrize(("number", "name"), [(1, "good_keras"), (4, "good_text_savedmodel")])
def test_labels_go_to_the_scorer_and_models_to_the_predictor(
    number: int,
    name: str,
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
) -> None:
    engine = RecordingEngine(grader.engine)
    submission = models.submission(name, sections[number])
    probe: DataSet = data[number].sets["probe"]
    verdict = grade(submission, sections[number], probe, replace(grader, engine=engine))
    assert verdict.status == "scored"

    assert probe.labels is not None
    labels = probe.labels.path.read_bytes()
    model = max((file.path.read_bytes() for file in submission.files), key=len)
    inputs = probe.inputs[0].path.read_bytes()
    assert set(engine.recorders) == set(ROLES)
    predictor, scorer = (bytes(engine.recorders[role].sent) for role in ROLES)

    assert model in predictor and inputs in predictor
    assert labels in scorer
    pieces = windows(labels)
    assert len(pieces) > 50 and not any(piece in predictor for piece in pieces)
    assert not any(piece in scorer for piece in windows(model, step=4096))
    assert not any(piece in scorer for piece in windows(inputs, step=4096))
    # Only this submission's own name for its file goes in: no path of the host, no name of the set.
    header = predictor[: predictor.index(b'"token"')]
    assert re.search(rb"/(home|root|tmp|work|var)/", header) is None
    assert b'"probe"' not in header and b'"labels"' not in header


def reported(verdict: Verdict, mark: str) -> dict[str, Any]:
    """Return what a model inside the predictor reported, in one marked line of its log."""
    lines = verdict.printed.decode(errors="replace").splitlines()
    line = next(line for line in lines if line.startswith(mark))
    report: dict[str, Any] = json.loads(line.removeprefix(mark))
    return report


@pytest.fixture(scope="module")
def seen(
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
) -> dict[str, Any]:
    """What a model that looks around in its container sees, and what it manages to do."""
    submission = models.submission("look_around-keras", sections[1])
    return reported(grade(submission, sections[1], data[1].sets["probe"], grader), "SEEN ")


class TestFromInside:
    def test_it_is_nobody_without_rights(self, seen: dict[str, Any]) -> None:
        assert (seen["uid"], seen["gid"]) == (65534, 65534)
        assert set(seen["groups"]) <= {65534}
        status = {name: int(text, 16) for name, text in seen["status"].items()}
        assert status == {"CapEff": 0, "CapBnd": 0, "NoNewPrivs": 1, "Seccomp": 2}

    def test_it_is_alone(self, seen: dict[str, Any]) -> None:
        assert seen["interfaces"] == ["lo"]
        assert seen["processes"] == [1]

    def test_it_writes_to_tmp_alone_and_executes_nothing_there(self, seen: dict[str, Any]) -> None:
        assert seen["writable"] == ["/tmp"]
        assert seen["executable_tmp"] is False

    def test_nothing_of_the_host_is_there(self, seen: dict[str, Any]) -> None:
        assert seen["there"] == []
        kinds = {kind for _, place, kind, _ in seen["mounts"] if place.startswith(("/", "/tmp"))}
        assert kinds <= {"overlay", "proc", "tmpfs", "devpts", "sysfs", "cgroup", "cgroup2"} | {
            "mqueue",
            "ext4",  # /etc/hosts and the like, which the engine itself puts there
            "xfs",
            "btrfs",
        }
        backed = [place for device, place, *_ in seen["mounts"] if device.startswith("/dev/")]
        assert set(backed) <= {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

    def test_no_file_is_there_but_the_image_s_and_its_own(self, seen: dict[str, Any]) -> None:
        engine_s = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"}
        others = [path for path in seen["files"] if path not in engine_s]
        assert [path for path in others if not path.startswith(("/tmp/", "/dev/"))] == []
        assert {"/tmp/model/model.keras"} <= set(others)

    def test_its_environment_tells_nothing(self, seen: dict[str, Any]) -> None:
        ours = {"HOSTNAME", *NAMES}
        secret = ("exam", "seed", "label", "vault", "docker")
        for name, value in seen["environment"].items():
            if name not in ours:
                text = f"{name}={value}".lower()
                assert not any(word in text for word in secret), text


def test_the_labels_are_nowhere_in_the_predictor_s_memory(
    grader: Environment,
    models: Models,
    sections: dict[int, Section],
    data: dict[int, SectionData],
) -> None:
    """The same hunt finds the inputs, so it would find labels if they were there."""
    submission = models.submission("hunt-keras", sections[1])
    found = reported(grade(submission, sections[1], data[1].sets["probe"], grader), "FOUND ")
    assert found["looked"] > 10 << 20
    assert found["inputs"] > 0
    assert found["labels"] == 0


def test_no_container_is_left(grader: Environment) -> None:
    assert grader.engine.find(grader.labels) == []
