"""Beginning a session, finding it again, and every way of not finding it."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from stat import S_IMODE

import pytest

from exam_cli.config.exam import Exam
from exam_cli.errors import ExamError
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import (
    NoSession,
    Session,
    WorkspaceMoved,
    adopt,
    all_sessions,
    find_session,
    forget,
    start_session,
)


def start(workspace: Path) -> Session:
    return start_session(workspace, Exam(exam="practice"), "2.15", "cpu")


def sentence_of(start: Path) -> str:
    with pytest.raises(NoSession) as caught:
        find_session(start)
    assert (caught.value.reason, caught.value.exit_status) == ("no_session", 1)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "project" / "workspace"


@pytest.fixture
def session(workspace: Path) -> Session:
    return start(workspace)


def test_a_new_session_is_on_the_disk_and_private(
    session: Session, workspace: Path, home: Path
) -> None:
    assert (session.exam, session.edition, session.variant) == ("practice", "2.15", "cpu")
    assert session.workspace == workspace
    assert session.directory == home / "sessions" / session.id
    assert len(session.id) == 12
    assert int(session.id, 16) >= 0
    assert len(session.token) >= 32
    assert session.token not in repr(session)
    assert len(session.seed) == 32
    assert (workspace / ".exam" / "session").read_text() == f"{session.id}\n"
    assert S_IMODE(session.directory.stat().st_mode) == 0o700
    assert S_IMODE(session.directory.parent.stat().st_mode) == 0o700
    names = {path.name: S_IMODE(path.stat().st_mode) for path in session.directory.iterdir()}
    assert set(names) == {"session.json", "exam.json", "seed", "ledger.sqlite"}
    assert set(names.values()) == {0o600}
    assert session.vault.parent == session.snapshots.parent == session.directory
    with Ledger(session.ledger_path) as ledger:
        assert ledger.events() == []


def test_starting_again_changes_nothing(session: Session, workspace: Path) -> None:
    seed = session.seed
    assert start_session(workspace, Exam(exam="other"), "9.9", "gpu") == session
    assert session.seed == seed
    assert all_sessions() == [session]


def test_two_sessions_share_nothing(session: Session, tmp_path: Path) -> None:
    other = start(tmp_path / "other")
    assert other.id != session.id
    assert other.seed != session.seed
    assert other.token != session.token
    assert all_sessions() == [session, other]


def test_found_from_the_workspace_from_inside_and_from_beside(
    session: Session, workspace: Path
) -> None:
    inside = workspace / "4-nlp" / "deep"
    inside.mkdir(parents=True)
    for place in (workspace, workspace / "4-nlp", inside, workspace.parent):
        assert find_session(place) == session


def test_the_nearest_workspace_counts(session: Session, workspace: Path) -> None:
    inner = start(workspace / "mine" / "workspace")
    assert find_session(workspace / "mine") == inner
    assert find_session(workspace) == session


@pytest.mark.parametrize("name", ["with space", "größe ☃", "it's", "new\nline"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    session = start(tmp_path / name)
    assert find_session(tmp_path / name).workspace == tmp_path / name == session.workspace


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    workspace = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        workspace.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    session = start(workspace)
    assert find_session(workspace) == session


def test_a_link_to_a_workspace_is_the_workspace(
    session: Session, workspace: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(workspace)
    assert find_session(link) == session
    assert start(link) == session


def test_a_link_to_a_directory_may_become_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    session = start(tmp_path / "link")
    assert session.workspace == tmp_path / "real"
    assert find_session(tmp_path / "real") == session


def test_files_of_the_candidate_stay(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    forget(start(tmp_path))
    assert (tmp_path / "notes").read_text() == "mine"


# --- not found ---------------------------------------------------------------------------------


def test_nothing_here(tmp_path: Path) -> None:
    text = sentence_of(tmp_path)
    assert text.startswith("There is no session in")
    assert "`exam up`" in text


def test_moved_and_adopted(session: Session, workspace: Path, tmp_path: Path) -> None:
    place = tmp_path / "new place"
    workspace.rename(place)
    text = sentence_of(place)
    assert f"was moved from {workspace} to {place};" in text
    assert f"`exam up --workspace '{place}'`" in text
    with pytest.raises(WorkspaceMoved) as caught:
        start(place)  # a new session would set the clock back
    assert (caught.value.session, caught.value.workspace) == (session, place)

    moved = adopt(caught.value.session, caught.value.workspace)
    assert moved.workspace == place
    assert (moved.id, moved.seed, moved.token) == (session.id, session.seed, session.token)
    assert find_session(place) == start(place) == moved
    assert all_sessions() == [moved]
    assert start(workspace).id != session.id  # the old place is free again


def test_copied(session: Session, workspace: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    text = sentence_of(copy)
    assert f"{copy} is a copy of the workspace {workspace}" in text
    assert f"delete {copy / '.exam'}" in text
    assert find_session(workspace) == session
    shutil.rmtree(copy / ".exam")
    assert start(copy).id != session.id


def test_deleted_and_laid_out_again(session: Session, workspace: Path) -> None:
    shutil.rmtree(workspace)
    text = sentence_of(workspace.parent)
    assert f"{workspace} of session {session.id} was deleted" in text
    assert f"`exam up --workspace {workspace}`" in text
    assert "record is kept" in text
    assert sentence_of(workspace) == text
    assert start(workspace) == session
    assert find_session(workspace.parent) == session


def test_mark_lost_and_written_again(session: Session, workspace: Path) -> None:
    shutil.rmtree(workspace / ".exam")
    assert f"{workspace} of session {session.id} has lost its mark" in sentence_of(workspace)
    assert start(workspace) == session
    assert find_session(workspace) == session


def test_record_gone(session: Session, workspace: Path) -> None:
    shutil.rmtree(session.directory)
    text = sentence_of(workspace)
    assert f"record of session {session.id} is not in" in text
    assert "EXAM_HOME" in text
    with pytest.raises(NoSession):
        start(workspace)
    (workspace / ".exam" / "session").unlink()
    assert start(workspace).id != session.id


@pytest.mark.parametrize("name", ["session.json", "seed", "ledger.sqlite"])
def test_record_not_whole(session: Session, workspace: Path, name: str) -> None:
    (session.directory / name).unlink()
    text = sentence_of(workspace)
    assert f"{session.directory} is damaged ({name}" in text
    with pytest.raises(NoSession):
        start(workspace)
    assert not (session.directory / name).exists()  # no empty ledger in the place of the lost one
    assert all_sessions() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"id": 1}', "\xff"])
def test_record_not_understood(session: Session, workspace: Path, text: str) -> None:
    (session.directory / "session.json").write_bytes(text.encode("latin-1"))
    assert "session.json cannot be understood" in sentence_of(workspace)


def test_record_of_another(session: Session, workspace: Path, tmp_path: Path) -> None:
    other = start(tmp_path / "other")
    shutil.copy(other.directory / "session.json", session.directory)
    assert f"it is that of session {other.id}" in sentence_of(workspace)


@pytest.mark.parametrize("seed", [b"", b"x" * 31, b"x" * 33])
def test_a_seed_cut_short_is_not_used(session: Session, seed: bytes) -> None:
    (session.directory / "seed").write_bytes(seed)
    with pytest.raises(NoSession, match="seed is not 32 bytes"):
        _ = session.seed


def test_the_sentences_differ_for_a_mark_of_another_session(
    session: Session, workspace: Path, tmp_path: Path
) -> None:
    """A candidate who writes another's id into their own workspace does not become them."""
    own = start(tmp_path / "own")
    (own.workspace / ".exam" / "session").write_text(session.id)
    assert "is a copy of" in sentence_of(own.workspace)


@pytest.mark.parametrize(
    "mark", [b"", b"../../../etc", b"0123456789ab/..", b"0123456789aG", b"0" * 10_000, b"\xff\0"]
)
def test_a_mark_that_is_no_id_is_no_mark(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / ".exam").mkdir()
    (tmp_path / ".exam" / "session").write_bytes(mark)
    assert sentence_of(tmp_path).startswith("There is no session in")
    session = start(tmp_path)
    assert find_session(tmp_path) == session


@pytest.mark.timeout(20)
def test_traps_in_the_place_of_the_mark(tmp_path: Path) -> None:
    mark = tmp_path / ".exam" / "session"
    mark.parent.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("keep")
    os.mkfifo(mark)  # opening it would wait for ever
    assert start(tmp_path) == find_session(tmp_path)
    session = find_session(tmp_path)
    mark.unlink()
    mark.symlink_to(secret)
    assert start(tmp_path) == session
    assert secret.read_text() == "keep"
    assert not mark.is_symlink()


def test_nothing_is_written_through_a_link_out_of_the_workspace(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / ".exam").symlink_to(outside)
    with pytest.raises(ExamError, match="is a link to elsewhere"):
        start(workspace)
    assert list(outside.iterdir()) == []


# --- adopt, forget, and what cannot be written ---------------------------------------------------


def test_only_a_workspace_with_the_mark_is_adopted(session: Session, tmp_path: Path) -> None:
    with pytest.raises(NoSession, match="is not the workspace of session"):
        adopt(session, tmp_path)
    assert all_sessions() == [session]


def test_where_two_records_name_one_place_the_later_counts(tmp_path: Path) -> None:
    one, two = start(tmp_path / "a"), start(tmp_path / "b")
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "b")
    moved = adopt(one, tmp_path / "b")
    assert find_session(tmp_path / "b") == moved
    shutil.rmtree(tmp_path / "b")
    assert one.id in sentence_of(tmp_path / "b")
    assert start(tmp_path / "b").id == one.id != two.id


def test_forgotten_for_good(session: Session, workspace: Path) -> None:
    forget(session)
    assert not session.directory.exists()
    assert all_sessions() == []
    assert sentence_of(workspace).startswith("There is no session in")
    assert start(workspace).id != session.id


def test_forgetting_without_a_workspace(session: Session, workspace: Path) -> None:
    shutil.rmtree(workspace)
    forget(session)
    assert all_sessions() == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for workspace in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ExamError, match=r"cannot be written \(.*\);"):
            start(workspace)


@pytest.mark.parametrize("what", ["home", "workspace"])
def test_a_directory_that_is_not_ours(
    open_dir: Path,
    as_user: AbstractContextManager[None],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.setenv("EXAM_HOME", str(open_dir / "home"))
    with as_user:
        for name in ("home", "workspace"):
            (open_dir / name).mkdir()
        (open_dir / what).chmod(0o500)
        with pytest.raises(ExamError, match="cannot be written") as caught:
            start(open_dir / "workspace")
    assert str(open_dir / what) in str(caught.value)
    assert caught.value.exit_status == 1
