"""Keys are made once, fit each other, and are nobody else's to read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from exam_cli.errors import ExamError
from exam_cli.session.session import Session
from exam_cli.workspace.keys import ensure_keys, keys_of, note_port, noted_port


def files(session: Session) -> dict[Path, bytes]:
    keys = keys_of(session)
    return {
        path: path.read_bytes()
        for folder in (keys.inside, keys.user.parent)
        for path in folder.iterdir()
    }


def test_they_are_made_once(session: Session) -> None:
    before = files(session)
    assert ensure_keys(session) == keys_of(session)
    assert files(session) == before
    assert keys_of(session).token.read_text() == session.token


def test_nobody_else_reads_them(session: Session) -> None:
    keys = keys_of(session)
    for path in files(session):
        assert path.stat().st_mode & 0o777 == 0o600, path
    for folder in (keys.inside, keys.user.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert keys.user.parent != keys.inside  # the candidate's own key does not go inside


def test_openssh_reads_them(session: Session) -> None:
    keys = keys_of(session)
    for key, public in ((keys.user, keys.authorized), (keys.host, keys.known_hosts)):
        told = subprocess.run(
            ["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True
        )
        kind, blob = told.stdout.split()[:2]
        assert kind == "ssh-ed25519" and f"{kind} {blob}" in public.read_text()
    for name in (f"exam-{session.id}", "[127.0.0.1]:12222"):
        found = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", str(keys.known_hosts)], capture_output=True
        )
        assert found.returncode == 0, name


def test_what_is_lost_is_made_again_and_fits(session: Session) -> None:
    keys = keys_of(session)
    before = keys.authorized.read_bytes()
    keys.user.unlink()
    ensure_keys(session)
    assert keys.authorized.read_bytes() != before
    told = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(keys.user)], capture_output=True, check=True
    )
    assert told.stdout.split()[1] in keys.authorized.read_bytes()


def test_a_key_that_is_none_is_said(session: Session) -> None:
    keys = keys_of(session)
    keys.user.write_text("no key")
    with pytest.raises(ExamError, match=r"no key .* delete it") as raised:
        ensure_keys(session)
    assert raised.value.reason == "unknown_key"


def test_the_port_is_remembered(session: Session) -> None:
    assert noted_port(session) == 12222
    note_port(session, 20001)
    assert noted_port(session) == 20001
    assert "[127.0.0.1]:20001" in keys_of(session).known_hosts.read_text()
    keys_of(session).port.write_text("nonsense")
    assert noted_port(session) is None
