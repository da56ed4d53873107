"""What stands in the ledger's way is said in one sentence, and nothing is overwritten."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from exam_cli.errors import DiskFull, ExamError
from exam_cli.session import ledger as ledger_module
from exam_cli.session.ledger import Ledger
from exam_cli.session.ledger_errors import LedgerError, sentences


def check_sentence(error: ExamError, path: Path) -> None:
    text = str(error)
    assert str(path) in text
    assert text.endswith(".")
    assert "\n" not in text
    assert ";" in text  # what is wrong; what to do


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    with Ledger(path) as ledger:
        for _ in range(40):
            ledger.append_attempt(1, {"padding": "x" * 1000})
    return path


def test_held_by_another_program(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with Ledger(path) as ledger:
            with pytest.raises(LedgerError, match="held by another") as caught:
                ledger.append_attempt(1, {})
            check_sentence(caught.value, path)
            assert (caught.value.reason, caught.value.exit_status) == ("ledger_busy", 1)
            assert len(ledger.attempts(1)) == 40  # reading goes on
            holder.execute("ROLLBACK")
            assert ledger.append_attempt(1, {}).payload["attempt"] == 41


@pytest.mark.parametrize("file_mode", [0o400, 0o000])
def test_not_ours_to_write(
    open_dir: Path, as_user: AbstractContextManager[None], file_mode: int
) -> None:
    path = open_dir / "ledger"
    with as_user:
        Ledger(path).close()
        path.chmod(file_mode)
        with pytest.raises(LedgerError, match="opened for writing") as caught, Ledger(path) as it:
            it.append("note", {})
    check_sentence(caught.value, path)
    assert caught.value.reason == "ledger_read_only"


def test_in_a_directory_that_is_not_ours(
    open_dir: Path, as_user: AbstractContextManager[None]
) -> None:
    open_dir.chmod(0o500)
    with as_user, pytest.raises(ExamError, match="cannot be written") as caught:
        Ledger(open_dir / "ledger")
    check_sentence(caught.value, open_dir / "ledger")


@pytest.mark.parametrize("content", [b"", b"not a ledger at all\n" * 300, bytes(8192)])
def test_a_file_that_is_no_ledger_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged") as caught:
        Ledger(path)
    check_sentence(caught.value, path)
    assert caught.value.reason == "ledger_corrupt"
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE events (seq, time, kind, payload, previous, hash)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="not written by this version"):
        Ledger(path)
    assert path.read_bytes() == before


def test_pages_that_were_overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 512] = b"\xa5" * 512
    path.write_bytes(content)
    with Ledger(path) as ledger:
        for use in (ledger.events, ledger.problems, lambda: ledger.append("note", {})):
            with pytest.raises(LedgerError, match="damaged") as caught:
                use()
            check_sentence(caught.value, path)
    assert path.read_bytes() == content


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        Ledger(tmp_path)


def test_full_by_sqlites_own_count(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger._connection.execute("PRAGMA max_page_count = 1")  # it takes what there is as least
        with pytest.raises(DiskFull) as caught:
            for _ in range(10):
                ledger.append_attempt(1, {"padding": "x" * 5000})
        check_sentence(caught.value, path)
        assert (caught.value.reason, caught.value.exit_status) == ("disk_full", 3)
        ledger._connection.execute("PRAGMA max_page_count = 100000")
        count = len(ledger.attempts(1))
        assert ledger.append_attempt(1, {}).payload["attempt"] == count + 1
        assert ledger.problems() == []


FILL = """
import os, sys
from pathlib import Path
from exam_cli.config.exam import Exam
from exam_cli.errors import DiskFull
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import start_session
os.environ["EXAM_HOME"] = sys.argv[1] + "/home"
disk = Path(sys.argv[1])
path = disk / "ledger"
ballast = disk / "ballast"
def fill(leave):
    ballast.write_bytes(b"")
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(bytes(max(0, free - leave)))
said = 0
for leave in range(0, 260_000, 4096):
    fill(leave)
    announced = []
    try:
        with Ledger(path) as ledger:
            while True:
                announced.append(ledger.append_attempt(1, {"padding": "x" * 9000}))
    except DiskFull as error:
        assert str(path) in str(error), error
        said += 1
    try:
        start_session(disk / f"workspace{leave}", Exam(exam="a"), "b", "c")
    except DiskFull as error:
        said += 1
    ballast.unlink()
    if path.exists():
        with Ledger(path) as ledger:
            assert ledger.problems() == [], ledger.problems()
            assert ledger.events()[: len(announced)] == announced
            assert len(ledger.events()) == len(announced)
        path.unlink()
print(said)
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """On a small file system of its own, with room for a little more in every round."""
    script = 'mount -t tmpfs -o size=1m none "$DISK" && exec "$PYTHON" -c "$FILL" "$DISK"'
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets no test mount a file system")
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script],
        env={**os.environ, "FILL": FILL, "DISK": str(tmp_path), "PYTHON": sys.executable},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert int(done.stdout) > 64


def test_a_fault_of_our_own_is_not_dressed_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.OperationalError), sentences(path):
            connection.execute("SELECT no_such_column FROM events")
        with pytest.raises(ValueError, match="ours"), sentences(path):
            raise ValueError("ours")
