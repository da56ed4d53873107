"""What candidates put in a section's directory: one model is taken, all else is told apart."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exam_cli.config.section import Section
from exam_cli.grading import copying, intake
from exam_cli.grading.copying import shown
from exam_cli.grading.intake import Submission, take
from exam_cli.grading.verdict import Rejection
from tests.grading.conftest import HDF5, keras_bytes
from tests.session.conftest import ordinary_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make device files")
MakeModel = Callable[[Path], Path]


@pytest.fixture
def snapshots(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


@pytest.fixture
def grab(section: Section, place: Path, snapshots: Path) -> Callable[[], Submission]:
    return lambda: take(section, place.parent, snapshots)


@pytest.fixture
def refused(
    grab: Callable[[], Submission], snapshots: Path
) -> Callable[[str], str]:  # fmt: skip
    """Return a function that expects a rejection and returns its sentence."""

    def check(reason: str) -> str:
        with pytest.raises(Rejection) as caught:
            grab()
        assert caught.value.reason == reason, caught.value.sentence
        sentence = caught.value.sentence
        assert sentence.isprintable() and sentence.isascii() and 20 < len(sentence) < 500
        assert sentence.endswith(".")
        left = list(snapshots.iterdir()) if snapshots.exists() else []
        assert left == [], "nothing may stay of what was refused"
        return sentence

    return check


# --- what is taken


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.keras", "keras"),
        ("My Model.KERAS", "keras"),
        ("model.h5", "h5"),
        ("model.hdf5", "h5"),
        ("größe.keras", "keras"),
    ],
)
def test_a_file_is_kept_under_its_sha256(
    grab: Callable[[], Submission], place: Path, snapshots: Path, name: str, kind: str
) -> None:
    content = os.urandom(5000)
    (place / name).write_bytes(content)
    (place / "task.md").write_text("text beside it is nobody's business")
    (place / ".model.keras").write_bytes(b"a draft of an editor")
    taken = grab()
    digest = hashlib.sha256(content).hexdigest()
    assert (taken.record.sha256, taken.record.bytes, taken.format) == (digest, 5000, kind)
    assert taken.record.path == f"1-regression/{shown(name)}"
    assert taken.root == f"model.{kind}"
    (file,) = taken.files
    assert (file.name, file.path.read_bytes()) == (taken.root, content)
    assert file.path == snapshots / f"{digest}.{kind}"
    assert [path.name for path in snapshots.iterdir()] == [f"{digest}.{kind}"]


def test_the_same_model_is_kept_once(
    grab: Callable[[], Submission], place: Path, snapshots: Path
) -> None:
    (place / "model.keras").write_bytes(b"one")
    first = grab()
    assert grab() == first
    (place / "model.keras").write_bytes(b"two")
    second = grab()
    assert second.record.sha256 != first.record.sha256
    assert len(list(snapshots.iterdir())) == 2
    assert first.files[0].path.read_bytes() == b"one", "what was graded must not change"


def test_snapshots_are_the_owners_alone(
    grab: Callable[[], Submission], place: Path, snapshots: Path
) -> None:
    (place / "model.keras").write_bytes(b"x")
    grab()
    assert stat.S_IMODE(snapshots.stat().st_mode) == 0o700


def test_a_directory_is_taken_whole(
    grab: Callable[[], Submission], place: Path, saved_model: MakeModel
) -> None:
    model = saved_model(place / "my_model")
    (model / "assets" / "deeper").mkdir()
    (model / "assets" / "deeper" / "vocabulary.txt").write_text("a\nb\n")
    taken = grab()
    assert (taken.format, taken.root) == ("savedmodel", "model")
    sent = {file.name: file.path.read_bytes() for file in taken.files}
    here = {
        f"model/{path.relative_to(model).as_posix()}": path.read_bytes()
        for path in model.rglob("*")
        if path.is_file()
    }
    assert sent == here
    assert taken.record.bytes == sum(len(content) for content in here.values())


def test_a_directory_s_hash_depends_on_its_content_alone(
    grab: Callable[[], Submission], place: Path, snapshots: Path, saved_model: MakeModel
) -> None:
    model = saved_model(place / "model")
    digest = grab().record.sha256
    assert len(digest) == 64
    model.rename(place / "other-name")
    renamed = place / "other-name"
    for path in renamed.rglob("*"):
        os.utime(path, (1, 1))
    assert grab().record.sha256 == digest
    assert len(list(snapshots.iterdir())) == 1

    index = renamed / "variables" / "variables.index"
    index.rename(index.with_name("variables.other"))
    assert grab().record.sha256 != digest, "a name counts"
    index.with_name("variables.other").rename(index)
    assert grab().record.sha256 == digest
    index.write_bytes(b"indey")
    assert grab().record.sha256 != digest, "content counts"


def test_a_directory_of_any_name_is_known_by_its_graph(
    grab: Callable[[], Submission], place: Path, saved_model: MakeModel
) -> None:
    saved_model(place / "old.h5")
    assert grab().format == "savedmodel"


# --- no model, several, others


def test_an_empty_directory(refused: Callable[[str], str]) -> None:
    assert "There is no model in 1-regression" in refused("no_model")


def test_a_missing_directory(refused: Callable[[str], str], place: Path) -> None:
    place.rmdir()
    assert "`exam up` lays it out again" in refused("no_model")


def test_a_file_in_the_directory_s_place(refused: Callable[[str], str], place: Path) -> None:
    place.rmdir()
    place.write_text("not a directory")
    refused("no_model")


def test_a_missing_workspace(section: Section, tmp_path: Path) -> None:
    with pytest.raises(Rejection) as caught:
        take(section, tmp_path / "nowhere", tmp_path / "snapshots")
    assert caught.value.reason == "no_model"


def test_two_models(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:  # fmt: skip
    (place / "a.keras").write_bytes(keras_bytes())
    (place / "b.h5").write_bytes(HDF5)
    assert "2 models (a.keras, b.h5)" in refused("several_models")
    saved_model(place / "c")
    assert "3 models" in refused("several_models")


def test_very_many_models_make_a_short_sentence(
    refused: Callable[[str], str], place: Path
) -> None:  # fmt: skip
    for number in range(50):
        (place / f"{number:02d}{'x' * 200}.keras").touch()
    assert "50 models" in refused("several_models")


@pytest.mark.parametrize("name", ["model.weights.h5", "Model.Weights.H5", "a.weights.hdf5"])
def test_weights_alone(refused: Callable[[str], str], place: Path, name: str) -> None:
    (place / name).write_bytes(HDF5)
    assert "weights without a model" in refused("not_a_model")


def test_weights_beside_a_model_do_no_harm(
    grab: Callable[[], Submission], place: Path
) -> None:  # fmt: skip
    (place / "model.weights.h5").write_bytes(HDF5)
    (place / "model.keras").write_bytes(keras_bytes())
    assert grab().format == "keras"


def test_data_is_no_model_of_another_format(refused: Callable[[str], str], place: Path) -> None:
    (place / "train.npz").write_bytes(b"x")  # as section 2's directory holds it
    assert "train.npz" not in refused("no_model")


@pytest.mark.parametrize(
    "name", ["m.pt", "m.pth", "m.onnx", "m.tflite", "m.pkl", "m.joblib", "m.ckpt", "m.PB"]
)
def test_other_formats(refused: Callable[[str], str], place: Path, name: str) -> None:
    (place / name).write_bytes(b"x")
    assert name in refused("unsupported_format")


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_directory_that_is_no_model(
    refused: Callable[[str], str], place: Path, name: str
) -> None:  # fmt: skip
    (place / name).mkdir()
    assert "directory" in refused("not_a_model")


def test_a_directory_without_a_graph_is_no_model(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:
    (saved_model(place / "model") / "saved_model.pb").unlink()
    refused("no_model")


# --- links and special files


def test_a_link_to_a_model(refused: Callable[[str], str], place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.keras").write_bytes(keras_bytes())
    (place / "model.keras").symlink_to(tmp_path / "elsewhere.keras")
    refused("unsafe_path")


def test_a_link_to_nothing(refused: Callable[[str], str], place: Path) -> None:
    (place / "model.keras").symlink_to("/no/such/file")
    refused("unsafe_path")


def test_a_link_to_a_saved_model(
    refused: Callable[[str], str], place: Path, tmp_path: Path, saved_model: MakeModel
) -> None:
    saved_model(tmp_path / "elsewhere")
    (place / "model").symlink_to(tmp_path / "elsewhere")
    refused("unsafe_path")


def test_a_section_s_directory_that_is_a_link(
    refused: Callable[[str], str], place: Path, tmp_path: Path
) -> None:
    place.rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "model.keras").write_bytes(keras_bytes())
    place.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in refused("unsafe_path")


def test_a_pipe_is_not_waited_for(refused: Callable[[str], str], place: Path) -> None:
    os.mkfifo(place / "model.keras")
    began = time.monotonic()
    assert "special file" in refused("unsafe_path")
    assert time.monotonic() - began < 5


def test_a_socket(refused: Callable[[str], str], place: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(place)  # the path of a socket must be short
        try:
            server.bind("model.keras")
        finally:
            os.chdir(here)
        refused("unsafe_path")


@as_root
@pytest.mark.parametrize(("kind", "device"), [(stat.S_IFCHR, (1, 5)), (stat.S_IFBLK, (7, 99))])
def test_a_device(
    refused: Callable[[str], str], place: Path, kind: int, device: tuple[int, int]
) -> None:
    try:
        os.mknod(place / "model.keras", kind | 0o666, os.makedev(*device))
    except PermissionError:
        pytest.skip("this machine lets not even root make device files")
    refused("unsafe_path")


@pytest.mark.parametrize("inner", ["variables/link", "assets/link", "link"])
@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "/no/such/place", "."])
def test_links_inside_a_saved_model(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel, inner: str, target: str
) -> None:
    (saved_model(place / "model") / inner).symlink_to(target)
    assert f"model/{inner} is a link" in refused("unsafe_path")


def test_a_graph_that_is_a_link(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:  # fmt: skip
    graph = saved_model(place / "model") / "saved_model.pb"
    graph.unlink()
    graph.symlink_to("/etc/passwd")
    refused("unsafe_path")


def test_a_pipe_inside_a_saved_model(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:
    os.mkfifo(saved_model(place / "model") / "assets" / "pipe")
    refused("unsafe_path")


# --- size and shape


def test_the_limit_itself_is_fine_and_a_byte_more_is_not(
    grab: Callable[[], Submission], refused: Callable[[str], str], place: Path, snapshots: Path
) -> None:
    model = place / "model.keras"
    model.write_bytes(bytes((1 << 20) + 1))
    assert "over the limit of 1 MB" in refused("too_large")
    model.write_bytes(bytes(1 << 20))
    assert grab().record.bytes == 1 << 20


def test_ten_gigabytes_of_nothing_are_not_read(refused: Callable[[str], str], place: Path) -> None:
    with (place / "model.keras").open("wb") as stream:
        stream.truncate(10 << 30)
    began = time.monotonic()
    refused("too_large")
    assert time.monotonic() - began < 2


def test_a_directory_s_files_count_together(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:
    model = saved_model(place / "model")
    for number in range(3):
        (model / "variables" / f"part{number}").write_bytes(bytes(400 << 10))
    assert "model is over the limit" in refused("too_large")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["files", "directories"])
def test_too_many_names_in_a_directory(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel, make: Callable[[Path], None]
) -> None:
    model = saved_model(place / "model")
    for number in range(2001):
        make(model / "assets" / str(number))
    assert "over 2000 files" in refused("too_large")


def test_a_deep_directory(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:  # fmt: skip
    model = saved_model(place / "model")
    model.joinpath(*"abcdefghijkl").mkdir(parents=True)
    assert "nested too deeply" in refused("unsafe_path")


def test_a_very_deep_directory_breaks_nothing(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel
) -> None:
    saved_model(place / "model")
    here = os.open(place / "model", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    try:
        refused("unsafe_path")
    finally:
        # The names are too long together for the helpers that remove trees.
        os.system(f"rm -rf '{place / 'model'}'")


# --- names


ODD_NAMES = [
    "new\nline",
    "bell\x07",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "right\u202eto left",
    "zero\u200bwidth",
    "back\\slash\r",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_no_terminal_obeys_a_name(refused: Callable[[str], str], place: Path, name: str) -> None:
    (place / f"{name}.pt").touch()
    assert name not in refused("unsupported_format")
    (place / f"{name}.keras").touch()
    (place / f"{name}.h5").touch()
    assert name not in refused("several_models")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_record_s_name_is_escaped(
    grab: Callable[[], Submission], place: Path, name: str
) -> None:  # fmt: skip
    (place / f"{name}.keras").write_bytes(b"x")
    path = grab().record.path
    assert path.isascii() and path.isprintable()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_inside_a_directory(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel, name: str
) -> None:
    (saved_model(place / "model") / "assets" / name).touch()
    assert name not in refused("unsafe_path")


def test_names_that_are_no_text(
    grab: Callable[[], Submission], refused: Callable[[str], str], place: Path, tmp_path: Path,
    saved_model: MakeModel,
) -> None:  # fmt: skip
    inside = os.fsencode(saved_model(place / "model") / "assets") + b"/\xff\xfe"
    Path(os.fsdecode(inside)).touch()
    refused("unsafe_path")
    (place / "model").rename(tmp_path / "away")
    Path(os.fsdecode(os.fsencode(place) + b"/\xff.keras")).write_bytes(b"x")
    assert grab().record.path.isascii()


def test_shown_is_short_and_plain() -> None:
    assert shown("model.keras") == "model.keras"
    assert shown("a\nb\x1b\u202e") == r"a\nb\x1b\u202e"
    assert len(shown("\u202e" * 1000)) == 100


# --- permissions


@pytest.fixture
def owned(place: Path, snapshots: Path, tmp_path: Path) -> Iterator[None]:
    """Let an ordinary user into pytest's directory, which root keeps to itself."""
    if os.geteuid() == 0:
        snapshots.mkdir()
        for path in (snapshots, place.parent, place):
            os.chown(path, 65534, 65534)
        opened = [
            path for path in tmp_path.parents if path.stat().st_uid == 0 and path != Path("/")
        ]
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path, *opened]}
        for path, mode in modes.items():
            path.chmod(mode | 0o011)
        yield
        for path, mode in modes.items():
            path.chmod(mode)
    else:
        yield


@pytest.mark.usefixtures("owned")
@pytest.mark.parametrize("what", ["file", "section", "inner file", "inner directory"])
def test_what_may_not_be_read(
    refused: Callable[[str], str], place: Path, saved_model: MakeModel, what: str
) -> None:
    with ordinary_user():
        if what in ("file", "section"):
            (place / "model.keras").write_bytes(b"x")
            closed = place / "model.keras" if what == "file" else place
        else:
            closed = saved_model(place / "model") / "variables"
            closed = closed / "variables.index" if what == "inner file" else closed
        closed.chmod(0)
        try:
            assert "permission" in refused("unsafe_path")
        finally:
            closed.chmod(0o700)


# --- files that change meanwhile


def test_a_file_that_keeps_changing_is_not_taken(
    refused: Callable[[str], str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_BEING_WRITTEN_PAUSE", 0.01)
    model = place / "model.keras"
    model.write_bytes(bytes(1 << 19))
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with model.open("r+b") as stream:
                stream.write(os.urandom(16))

    # A busy writer could be unlucky for the whole of a short read; change it inside, too.
    real = hashlib.sha256

    def sha256(*data: bytes) -> object:
        os.utime(model, ns=(1, time.monotonic_ns()))
        return real(*data)

    monkeypatch.setattr(hashlib, "sha256", sha256)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "was being written" in refused("not_a_model")
    finally:
        done.set()
        writer.join()


def test_a_file_that_is_being_saved_is_waited_for(
    grab: Callable[[], Submission], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_BEING_WRITTEN_PAUSE", 0.1)
    model = place / "model.keras"
    model.write_bytes(b"half")
    real, first = hashlib.sha256, [True]

    def sha256(*data: bytes) -> object:
        if first.pop() if first else False:
            model.write_bytes(b"the whole model")
        return real(*data)

    monkeypatch.setattr(hashlib, "sha256", sha256)
    taken = grab()
    assert taken.files[0].path.read_bytes() == b"the whole model"
    assert taken.record.sha256 == real(b"the whole model").hexdigest()


def test_a_directory_that_is_swapped_for_a_link_leads_nowhere(
    grab: Callable[[], Submission], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "model.keras").write_bytes(b"own")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.keras").write_bytes(b"another's")
    real = intake._snapshot

    def swap_first(*arguments: object) -> Submission:
        place.rename(tmp_path / "away")
        place.symlink_to(tmp_path / "other")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intake, "_snapshot", swap_first)
    assert grab().files[0].path.read_bytes() == b"own"


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_directory_inside_that_is_swapped_is_neither_followed_nor_waited_for(
    refused: Callable[[str], str],
    place: Path,
    saved_model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    variables = saved_model(place / "model") / "variables"
    real = copying._opened_inside

    def swap_first(parent: int, name: str, called: str) -> object:
        if name == "variables":
            variables.rename(variables.with_name(".away"))
            os.mkfifo(variables) if kind == "pipe" else variables.symlink_to("/etc")
        return real(parent, name, called)

    monkeypatch.setattr(copying, "_opened_inside", swap_first)
    assert "model/variables is a link or a special file" in refused("unsafe_path")


def test_a_section_of_very_many_files_is_no_burden(
    grab: Callable[[], Submission], place: Path
) -> None:
    for number in range(3000):
        (place / f"{number}.png").touch()
    (place / "model.keras").write_bytes(b"x")
    assert grab().format == "keras"
