"""What the port promises, held against every engine: the fake of the other tests, and Docker.

A promise that only one of them keeps is a bug in the other, or a promise to take back.
"""

from __future__ import annotations

import gzip
import http.server
import io
import json
import socketserver
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from exam_cli.config.edition import Edition
from exam_cli.engine.docker import DockerEngine
from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import Channel, ContainerSpec, Engine, Limits
from exam_cli.errors import EngineUnreachable, ExamError, GpuMissing, ImageMissing, OurFault
from exam_cli.images.build import architecture_of, references
from tests.conftest import unavailable

PATIENCE = 30.0
LIMITS = Limits(memory_bytes=256 << 20, cpus=1.0, processes=64, tmpfs={"/tmp": 1 << 20})


@dataclass
class Bench:
    """An engine, an image that has a shell, and a label that nobody else uses."""

    engine: Engine
    image: str
    label: str

    def spec(
        self, script: str, *, name: str | None = None, labels: dict[str, str] | None = None
    ) -> ContainerSpec:
        """Describe a container that runs a shell script."""
        return ContainerSpec(
            image=self.image,
            command=["/bin/sh", "-c", script],
            user="65534:65534",
            limits=LIMITS,
            name=name,
            labels={"exam.test": self.label, **(labels or {})},
            stdin=True,
        )

    def create(self, script: str, **more: object) -> str:
        """Create a container that runs a shell script."""
        return self.engine.create(self.spec(script, **more))  # type: ignore[arg-type]

    def start(self, script: str) -> str:
        """Create and start one."""
        container = self.create(script)
        self.engine.start(container)
        return container

    def talk(self, script: str) -> tuple[str, Channel]:
        """Create, attach and start one."""
        container = self.create(script)
        channel = self.engine.attach(container)
        self.engine.start(container)
        return container, channel


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.engine)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        engine: Engine = FakeEngine()
        image = "test:base"
    else:
        engine = request.getfixturevalue("docker_engine")
        edition: Edition = request.getfixturevalue("edition")
        image = references(edition, architecture_of(engine)).grader
        if engine.image(image) is None:
            unavailable(f"the image {image} is not here: `exam images build`")
    made = Bench(engine, image, uuid.uuid4().hex)
    yield made
    for state in engine.find({"exam.test": made.label}):
        engine.remove(state.id)
    assert engine.find({"exam.test": made.label}) == []


def read_all(channel: Channel) -> dict[str, bytes]:
    """Return everything that comes out until both streams end."""
    heard = {"stdout": b"", "stderr": b""}
    while (piece := channel.receive(PATIENCE)) is not None:
        heard[piece[0]] += piece[1]
    return heard


def read_bytes(channel: Channel, count: int) -> bytes:
    """Return so many bytes of standard output."""
    parts, left = [], count
    while left > 0:
        piece = channel.receive(PATIENCE)
        assert piece is not None and piece[0] == "stdout"
        parts.append(piece[1])
        left -= len(piece[1])
    return b"".join(parts)


# --- images


def tar_of(name: str, content: bytes) -> bytes:
    """Return a tar of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def with_layer(saved: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return a saved image of one layer with another file in the layer's place."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(saved)) as old,
        tarfile.open(fileobj=out, mode="w") as new,
    ):
        for info in old:
            stream = old.extractfile(info) if info.isreg() else None
            content = stream.read() if stream else b""
            if content and content[:1] not in b"{[1":  # none of the lists, nor VERSION
                content = change(content)
                info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_an_image_that_is_here_is_described(bench: Bench) -> None:
    image = bench.engine.image(bench.image)
    assert image is not None
    assert bench.image in image.tags and image.id.startswith("sha256:")
    repository = bench.image.split(":")[0]
    assert image.id in {one.id for one in bench.engine.images(repository)}


def test_an_image_that_is_not_here_is_none_and_never_pulled(bench: Bench) -> None:
    assert bench.engine.image("exam-nothing:none") is None
    assert bench.engine.images("exam-nothing") == []
    bench.engine.remove_image("exam-nothing:none")
    with pytest.raises(ImageMissing, match="exam-nothing:none"):
        bench.engine.create(ContainerSpec("exam-nothing:none", ["true"], user="1:1", limits=LIMITS))


def test_an_image_that_was_saved_is_loaded_again_without_a_name(bench: Bench) -> None:
    engine, name = bench.engine, f"exam-test-{bench.label}:one"
    tar = tar_of("hello", bench.label.encode())
    try:
        engine.import_image(io.BytesIO(tar), name)
        before = engine.image(name)
        assert before is not None
        saved = b"".join(engine.save([before.id]))
        engine.remove_image(name)
        assert engine.image(before.id) is None
        assert engine.load([saved[:1000], saved[1000:]]) == [before.id]
        after = engine.image(before.id)
        assert after is not None and after.tags == ()
        assert (after.digest, after.layers) == (before.digest, before.layers)
        engine.tag(after.id, name)
        named = engine.image(name)
        assert named is not None and (named.id, list(named.tags)) == (after.id, [name])
    finally:
        engine.remove_image(name)
    assert engine.image(before.id) is None


def test_of_a_tar_that_ends_early_or_breaks_off_nothing_is_loaded(bench: Bench) -> None:
    engine, name = bench.engine, f"exam-test-{bench.label}:two"
    engine.import_image(io.BytesIO(tar_of("hello", bench.label.encode() * 10_000)), name)
    image = engine.image(name)
    assert image is not None
    saved = b"".join(engine.save([image.id]))
    engine.remove_image(name)

    def breaking() -> Iterator[bytes]:
        yield saved[: len(saved) // 2]
        raise UnicodeError("of the one who sends")

    with pytest.raises(OurFault):
        engine.load([saved[: len(saved) // 2]])
    with pytest.raises(UnicodeError):
        engine.load(breaking())
    assert engine.image(image.id) is None


def test_layers_are_loaded_gzipped_and_a_wrong_one_is_refused(bench: Bench) -> None:
    engine, name = bench.engine, f"exam-test-{bench.label}:three"
    engine.import_image(io.BytesIO(tar_of("hello", bench.label.encode())), name)
    image = engine.image(name)
    assert image is not None
    saved = b"".join(engine.save([image.id]))
    engine.remove_image(name)
    with pytest.raises(OurFault, match="diffID"):
        engine.load([with_layer(saved, lambda layer: gzip.compress(tar_of("hello", b"other")))])
    assert engine.image(image.id) is None
    assert engine.load([with_layer(saved, gzip.compress)]) == [image.id]
    engine.remove_image(image.id)


def test_a_registry_that_is_not_there_is_told(bench: Bench) -> None:
    reference = f"127.0.0.1:1/exam-grader@sha256:{'0' * 64}"
    with pytest.raises(ExamError) as failure:
        bench.engine.fetch(reference, lambda done, total: None)
    assert failure.value.reason == "registry_unreachable"


def test_the_engine_describes_itself(bench: Bench) -> None:
    info = bench.engine.info()
    assert info.version and info.cpus > 0 and info.memory_bytes > 1 << 30
    assert info.host and info.kernel and info.operating_system
    assert (
        {"memory", "cpu", "processes"} <= set(info.caps) <= {"memory", "cpu", "processes", "swap"}
    )
    assert "seccomp" in info.security and not any("=" in name for name in info.security)
    assert info.rootless == ("rootless" in info.security)
    assert {"Engine", "containerd", "runc"} <= set(info.components)
    assert info.components["Engine"].version == info.version
    assert all(one.version for one in info.components.values())
    assert info.default_runtime in info.runtimes
    assert architecture_of(bench.engine) in ("x86_64", "aarch64")


# --- streams


def test_output_is_whole_separate_and_in_order(bench: Bench) -> None:
    lines = 20_000
    script = f"i=0; while [ $i -lt {lines} ]; do echo out$i; echo err$i >&2; i=$((i+1)); done"
    _, channel = bench.talk(script)
    with channel:
        heard = read_all(channel)
    assert heard["stdout"] == b"".join(b"out%d\n" % i for i in range(lines))
    assert heard["stderr"] == b"".join(b"err%d\n" % i for i in range(lines))


def test_the_first_bytes_are_heard_when_attached_before_the_start(bench: Bench) -> None:
    for _ in range(5):
        container, channel = bench.talk("echo first")
        with channel:
            assert read_all(channel) == {"stdout": b"first\n", "stderr": b""}
        bench.engine.remove(container)


def test_megabytes_come_back_as_they_went_in(bench: Bench) -> None:
    sent = [bytes([n]) * (1 << 20) for n in range(6)]
    container, channel = bench.talk("cat")
    with channel:
        channel.send(iter(sent))
        assert read_bytes(channel, 6 << 20) == b"".join(sent)
    bench.engine.remove(container)


def test_what_is_sent_in_parts_arrives_in_order(bench: Bench) -> None:
    _, channel = bench.talk("cat")
    with channel:
        for n in range(5):
            channel.send(iter([b"%d" % n, b"."]))
        assert read_bytes(channel, 10) == b"0.1.2.3.4."


def test_bytes_may_be_sent_before_the_start(bench: Bench) -> None:
    container = bench.create("head -c 5")
    with bench.engine.attach(container) as channel:
        channel.send(iter([b"early"]))
        bench.engine.start(container)
        assert read_bytes(channel, 5) == b"early"


def test_a_container_that_never_reads_does_not_hold_the_sender(bench: Bench) -> None:
    container, channel = bench.talk("exec sleep 60")
    began = time.monotonic()
    with channel:
        for _ in range(2):
            channel.send(iter([bytes(1 << 20)] * 32))
        with pytest.raises(TimeoutError):
            channel.receive(0.2)
    bench.engine.remove(container)
    assert time.monotonic() - began < 15


def test_a_container_that_ends_without_reading_is_no_error_for_the_sender(bench: Bench) -> None:
    container, channel = bench.talk("echo done; exit 3")
    with channel:
        channel.send(iter([bytes(1 << 20)] * 32))
        assert read_all(channel) == {"stdout": b"done\n", "stderr": b""}
    assert bench.engine.wait(container, PATIENCE).exit_code == 3


def test_receiving_times_out_and_may_go_on_afterwards(bench: Bench) -> None:
    _, channel = bench.talk("read line; echo got $line")
    with channel:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            channel.receive(0.3)
        assert 0.2 < time.monotonic() - began < 5
        channel.send(iter([b"it\n"]))
        assert read_all(channel)["stdout"] == b"got it\n"


def test_the_end_stays_the_end(bench: Bench) -> None:
    _, channel = bench.talk("true")
    with channel:
        assert [channel.receive(PATIENCE) for _ in range(3)] == [None] * 3


# --- how a container ends


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_codes(bench: Bench, code: int) -> None:
    container = bench.start(f"exit {code}")
    state = bench.engine.wait(container, PATIENCE)
    assert (state.running, state.exit_code, state.out_of_memory) == (False, code, False)
    assert bench.engine.state(container) == state


def test_a_killed_program_has_the_shell_s_exit_code(bench: Bench) -> None:
    # As PID 1 of a container a program is not killed by its own signals, so a child is.
    container = bench.start("sh -c 'kill -9 $$'; exit $?")
    assert bench.engine.wait(container, PATIENCE).exit_code == 137


def test_states_from_creation_to_removal(bench: Bench) -> None:
    engine = bench.engine
    container = bench.create("exec sleep 60")
    created = engine.state(container)
    assert created is not None and (created.running, created.exit_code) == (False, None)
    engine.start(container)
    running = engine.state(container)
    assert running is not None and (running.running, running.exit_code) == (True, None)
    engine.stop(container, grace_seconds=1)
    stopped = engine.state(container)
    assert stopped is not None and not stopped.running and stopped.exit_code is not None
    engine.remove(container)
    assert engine.state(container) is None


def test_waiting_times_out_while_it_runs(bench: Bench) -> None:
    container = bench.start("exec sleep 60")
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        bench.engine.wait(container, 0.5)
    assert time.monotonic() - began < 10
    state = bench.engine.state(container)
    assert state is not None and state.running


def test_a_program_that_closes_its_streams_has_only_fallen_silent(bench: Bench) -> None:
    script = "printf .; exec <&- >&- 2>&-; sleep 3"
    container, channel = bench.talk(script)
    with channel:
        assert read_bytes(channel, 1) == b"."
        with pytest.raises(TimeoutError):
            channel.receive(0.5)
        state = bench.engine.state(container)
        assert state is not None and state.running
        assert channel.receive(PATIENCE) is None
    assert bench.engine.wait(container, PATIENCE).exit_code == 0


def test_a_running_container_can_be_put_behind_others(bench: Bench) -> None:
    container = bench.start("sleep 60")
    bench.engine.put_behind(container, 0.5)
    state = bench.engine.state(container)
    assert state is not None and state.running
    with pytest.raises(OurFault):
        bench.engine.put_behind("exam-nobody", 0.5)


def test_what_happens_to_containers_is_heard(bench: Bench) -> None:
    label = {"exam.heard": uuid.uuid4().hex}
    events = bench.engine.listen(label)
    try:
        bench.start("sleep 60")  # bears another label
        container = bench.create("sleep 60", labels=label)
        bench.engine.start(container)
        name = f"exam-claimed-{container[:12]}"
        assert bench.engine.rename(container, name)
        bench.engine.remove(container)
        heard, deadline = [], time.monotonic() + PATIENCE
        while len(heard) < 3 and time.monotonic() < deadline:
            heard += events.take()
            time.sleep(0.01)
    finally:
        events.close()
    assert [one.kind for one in heard] == ["start", "rename", "die"]
    assert {one.container for one in heard} == {container}
    assert [one.name for one in heard[1:]] == [name, name]
    assert all(label.items() <= one.labels.items() for one in heard)
    bench.engine.start(bench.create("sleep 60", labels=label))
    assert events.take() == []


def test_removing_a_running_container_ends_its_streams(bench: Bench) -> None:
    container, channel = bench.talk("echo up; exec sleep 60")
    with channel:
        assert read_bytes(channel, 3) == b"up\n"
        bench.engine.remove(container)
        assert read_all(channel) == {"stdout": b"", "stderr": b""}
    assert bench.engine.state(container) is None


def test_stopping_reaches_programs_that_do_not_listen(bench: Bench) -> None:
    container, channel = bench.talk("trap '' TERM; echo deaf; while :; do sleep 1; done")
    with channel:
        assert read_bytes(channel, 5) == b"deaf\n"
        began = time.monotonic()
        bench.engine.stop(container, grace_seconds=1)
        assert time.monotonic() - began < 15
    state = bench.engine.state(container)
    assert state is not None and (state.running, state.exit_code) == (False, 137)


def test_stopping_and_removing_what_is_gone_is_harmless(bench: Bench) -> None:
    container = bench.start("true")
    bench.engine.wait(container, PATIENCE)
    bench.engine.stop(container)
    for _ in range(2):
        bench.engine.remove(container)
        bench.engine.stop(container)
    bench.engine.remove("exam-never-was")
    bench.engine.remove_volume(f"exam-never-was-{bench.label}")


def test_who_removes_what_another_is_removing_comes_back_when_it_is_gone(bench: Bench) -> None:
    def gone(container: str) -> bool:
        bench.engine.remove(container)
        return bench.engine.state(container) is None

    for _ in range(3):
        container = bench.start("exec sleep 60")
        with ThreadPoolExecutor(4) as removers:
            assert all(removers.map(gone, [container] * 4))


def test_what_is_gone_has_no_state(bench: Bench) -> None:
    assert bench.engine.state("exam-never-was") is None


@pytest.mark.parametrize("what", ["attach", "start", "wait", "execute", "put", "get"])
def test_work_with_what_is_gone_is_our_fault(bench: Bench, what: str) -> None:
    container = bench.create("true")
    bench.engine.remove(container)
    with pytest.raises(OurFault, match="vanished"):
        match what:
            case "attach":
                bench.engine.attach(container)
            case "start":
                bench.engine.start(container)
            case "wait":
                bench.engine.wait(container, 5)
            case "execute":
                bench.engine.execute(container, ["true"])
            case "put":
                bench.engine.put(container, "/tmp", b"")
            case "get":
                list(bench.engine.get(container, "/etc/passwd"))


def test_a_program_that_is_not_there_is_our_fault(bench: Bench) -> None:
    container = bench.engine.create(
        ContainerSpec(
            image=bench.image,
            command=["/no/such/program"],
            user="65534:65534",
            limits=LIMITS,
            labels={"exam.test": bench.label},
        )
    )
    with pytest.raises(OurFault, match="start a container"):
        bench.engine.start(container)


# --- names and labels


def test_found_by_name_as_well_as_by_id(bench: Bench) -> None:
    name = f"exam-test-{bench.label}"
    container = bench.create("exec sleep 60", name=name)
    by_name, by_id = bench.engine.state(name), bench.engine.state(container)
    assert by_name == by_id and by_name is not None
    assert (by_name.id, by_name.name) == (container, name)
    bench.engine.start(name)
    bench.engine.remove(name)
    assert bench.engine.state(container) is None


def test_a_name_that_is_taken_is_our_fault(bench: Bench) -> None:
    name = f"exam-test-{bench.label}"
    bench.create("true", name=name)
    with pytest.raises(OurFault, match="could not create a container"):
        bench.create("true", name=name)
    assert len(bench.engine.find({"exam.test": bench.label})) == 1


def test_one_of_many_renames_to_one_name_succeeds(bench: Bench) -> None:
    container = bench.create("exec sleep 60", name=f"exam-test-{bench.label}-before")
    bench.engine.start(container)
    after = f"exam-test-{bench.label}-after"
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: bench.engine.rename(container, after), range(8)))
    assert sorted(told) == [False] * 7 + [True]
    state = bench.engine.state(container)
    assert state is not None and state.name == after and state.running
    bench.engine.remove(container)
    assert bench.engine.rename(container, f"{after}-again") is False


def test_finding_by_labels(bench: Bench) -> None:
    mine = {"exam.test": bench.label}
    one = bench.create("true", labels={"role": "a", "who": "x"})
    two = bench.create("true", labels={"role": "a", "who": "y"})
    three = bench.create("true", labels={"role": "b"})

    def found(**labels: str) -> set[str]:
        return {state.id for state in bench.engine.find({**mine, **labels})}

    assert found() == {one, two, three}
    assert found(role="a") == {one, two}
    assert found(role="a", who="y") == {two}
    assert found(who="") == {one, two}  # any value
    assert found(role="b", who="x") == set()


def test_finding_tells_stopped_ones_too(bench: Bench) -> None:
    made = bench.create("true")
    ended = bench.start("exit 7")
    running = bench.start("exec sleep 60")
    bench.engine.wait(ended, PATIENCE)
    states = {state.id: state for state in bench.engine.find({"exam.test": bench.label})}
    assert {id: (one.running, one.ended) for id, one in states.items()} == {
        made: (False, False),
        ended: (False, True),
        running: (True, False),
    }
    for id, listed in states.items():  # the list and a look at one must agree
        seen = bench.engine.state(id)
        assert seen is not None
        assert (listed.id, listed.name, listed.image_id, listed.labels) == (
            seen.id, seen.name, seen.image_id, seen.labels,
        )  # fmt: skip
    assert all(state.labels["exam.test"] == bench.label for state in states.values())


# --- commands inside


def test_a_command_inside_is_heard_to_its_end(bench: Bench) -> None:
    container = bench.start("exec sleep 60")
    done = bench.engine.execute(container, ["/bin/sh", "-c", "echo out; echo err >&2; exit 5"])
    assert (done.exit_code, done.stdout, done.stderr) == (5, b"out\n", b"err\n")
    quiet = bench.engine.execute(container, ["true"])
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, b"", b"")


def test_a_path_that_is_not_there_gives_nothing(bench: Bench) -> None:
    container = bench.start("exec sleep 60")
    assert list(bench.engine.get(container, "/no/such/file")) == []


# --- an engine that does not answer


class _OnlyItsVersion(http.server.BaseHTTPRequestHandler):
    """As much of an engine as the client needs to begin with."""

    def do_GET(self) -> None:
        answer = json.dumps({"ApiVersion": "1.41"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["fake", "docker"])
def silent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine that answered once and does no more."""
    if request.param == "fake":
        fake = FakeEngine()
        fake.reachable = False
        yield fake
        return
    # Not below pytest's own directory: the path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/engine.sock"
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        with socketserver.UnixStreamServer(path, _OnlyItsVersion) as server:
            once = threading.Thread(target=server.handle_request)
            once.start()
            engine = DockerEngine()
            once.join()
        Path(path).unlink()
        yield engine


CALLS: dict[str, tuple[object, ...]] = {
    "info": (),
    "image": ("a:b",),
    "images": ("a",),
    "remove_image": ("a:b",),
    "create": (ContainerSpec("test:base", ["true"], user="1:1", limits=LIMITS),),
    "attach": ("a",),
    "start": ("a",),
    "state": ("a",),
    "wait": ("a", 1.0),
    "find": ({"a": "b"},),
    "stop": ("a",),
    "remove": ("a",),
    "put": ("a", "/", b""),
    "get": ("a", "/"),
    "execute": ("a", ["true"]),
    "remove_volume": ("a",),
}


@pytest.mark.parametrize("what", CALLS)
def test_every_call_says_that_no_engine_answers(silent: Engine, what: str) -> None:
    with pytest.raises(EngineUnreachable, match="No container engine answers"):
        answer = getattr(silent, what)(*CALLS[what])
        if what == "get":
            list(answer)


# --- GPUs


def test_a_container_gets_a_gpu_or_a_sentence_that_says_what_is_missing(bench: Bench) -> None:
    container = bench.engine.create(replace(bench.spec("true"), gpus=True))
    try:
        bench.engine.start(container)
    except GpuMissing as missing:
        assert missing.reason == "no_gpu" and str(missing).endswith(".")
        assert "could not select" not in str(missing) and "install" in str(missing)
        state = bench.engine.state(container)
        assert state is not None and not state.running
    else:
        assert bench.engine.wait(container, PATIENCE).exit_code == 0
    bench.engine.remove(container)
    assert bench.engine.state(container) is None
