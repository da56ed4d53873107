"""What is written for editors goes into files of the candidate's, and leaves no trace again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exam_cli.engine.fake import FakeEngine
from exam_cli.engine.port import ContainerSpec
from exam_cli.session.session import Session, adopt
from exam_cli.sitting.attach import detach
from exam_cli.workspace import pycharm, ssh_config, vscode
from exam_cli.workspace.container import workspace_spec
from exam_cli.workspace.door import Door, last_door
from exam_cli.workspace.keys import note_port
from exam_cli.workspace.written import Outcome, Part, write

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
# As PyCharm writes them, with a server and an interpreter of the candidate's own.
THEIRS = {
    ".idea/sshConfigs.xml": HEAD
    + """<project version="4">
  <component name="SshConfigs">
    <configs>
      <sshConfig authType="PASSWORD" host="box" id="1" port="22" username="me" />
    </configs>
  </component>
</project>""",
    ".idea/webServers.xml": HEAD
    + """<project version="4">
  <component name="WebServers">
    <option name="servers">
      <webServer id="2" name="box"><fileTransfer host="box" port="22" /></webServer>
    </option>
  </component>
</project>""",
    ".idea/deployment.xml": HEAD
    + """<project version="4">
  <!-- my own -->
  <component name="PublishConfigData" autoUpload="Always" serverName="box">
    <serverData><paths name="box"><serverdata /></paths></serverData>
    <option name="myAutoUpload" value="ALWAYS" />
  </component>
</project>""",
    ".idea/misc.xml": HEAD
    + """<project version="4">
  <component name="ProjectRootManager" version="2" project-jdk-name="Python 3.12" />
</project>""",
}


def parts(door: Door, session: Session) -> list[Part]:
    spec: ContainerSpec = workspace_spec(session, "image", FakeEngine().info(), 1, 2)
    return [
        *ssh_config.parts(door),
        *pycharm.parts(door, "3.11.2"),
        *vscode.parts(door, spec),
    ]


def tree(root: Path) -> dict[str, tuple[int, str | None]]:
    """Return every file and directory with its permissions and text."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mode,
            path.read_text() if path.is_file() else None,
        )
        for path in root.rglob("*")
        if ".exam" not in path.parts
    }


def put(session: Session, door: Door) -> Outcome:
    return write(session, parts(door, session))


def test_nothing_there_before_nothing_there_afterwards(
    session: Session, door: Door, home: Path
) -> None:
    before = tree(session.workspace), tree(home)
    outcome = put(session, door)
    assert outcome.left == ()
    assert {path.name for path in outcome.written} >= {*map(os.path.basename, THEIRS)}
    for path in outcome.written:
        assert path.is_file()
    assert detach(session) == []
    assert (tree(session.workspace), tree(home)) == before


def test_what_was_there_is_kept_and_comes_back_to_the_byte(
    session: Session, door: Door, home: Path
) -> None:
    for name, text in THEIRS.items():
        (session.workspace / name).parent.mkdir(exist_ok=True)
        (session.workspace / name).write_text(text)
    (home / ".ssh").mkdir(mode=0o700)
    config = home / ".ssh" / "config"
    config.write_text("Host *\n  ForwardAgent yes\n")
    config.chmod(0o640)
    before = tree(session.workspace), tree(home)
    outcome = put(session, door)
    assert [(path.name, why) for path, why in outcome.left] == [
        ("misc.xml", "the project has an interpreter already")
    ]
    idea = session.workspace / ".idea"
    assert 'host="box"' in (idea / "sshConfigs.xml").read_text()
    assert str(door.key) in (idea / "sshConfigs.xml").read_text()
    deployment = (idea / "deployment.xml").read_text()
    assert 'serverName="box"' in deployment and "<!-- my own -->" in deployment
    assert 'deploy="/workspace"' in deployment
    assert config.read_text().endswith("Host *\n  ForwardAgent yes\n")
    assert config.read_text().index("Include config.d/*") < config.read_text().index("Host *")
    assert config.stat().st_mode & 0o777 == 0o640
    assert detach(session) == []
    assert (tree(session.workspace), tree(home)) == before


def test_writing_again_changes_nothing_but_what_is_new(session: Session, door: Door) -> None:
    put(session, door)
    before = tree(session.workspace)
    put(session, door)
    assert tree(session.workspace) == before
    note_port(session, 23456)
    put(session, last_door(session))
    text = (session.workspace / ".idea" / "sshConfigs.xml").read_text()
    assert text.count("<sshConfig ") == 1 and 'port="23456"' in text
    detach(session)
    assert tree(session.workspace) == {}


def test_it_is_found_again_when_the_workspace_moved(session: Session, door: Door) -> None:
    put(session, door)
    moved = session.workspace.with_name("moved")
    session.workspace.rename(moved)
    there = adopt(session, moved)
    detach(there)
    assert tree(moved) == {}


def test_only_ours_is_taken_from_a_file_that_was_changed(session: Session, door: Door) -> None:
    put(session, door)
    idea = session.workspace / ".idea"
    for name in ("sshConfigs.xml", "webServers.xml", "deployment.xml", "misc.xml"):
        path = idea / name
        changed = path.read_text().replace(
            "</project>", '<component name="Mine"><a b="c" /></component></project>'
        )
        path.write_text(changed)
    assert detach(session) == []
    for name in ("sshConfigs.xml", "webServers.xml", "deployment.xml", "misc.xml"):
        text = (idea / name).read_text()
        assert 'name="Mine"' in text
        assert "exam" not in text and "candidate" not in text


def test_a_whole_file_that_was_changed_is_left_and_said(session: Session, door: Door) -> None:
    put(session, door)
    path = session.workspace / ".devcontainer" / "devcontainer.json"
    path.write_text(path.read_text().replace('"service"', '"features": {}, "service"'))
    assert detach(session) == [str(path)]
    assert path.exists() and not (session.workspace / ".idea").exists()


def test_a_devcontainer_of_their_own_stays(session: Session, door: Door) -> None:
    own = session.workspace / ".devcontainer" / "devcontainer.json"
    own.parent.mkdir()
    own.write_text('{"image": "mine"} // with a comment')
    outcome = put(session, door)
    assert own.read_text() == '{"image": "mine"} // with a comment'
    ours = session.workspace / ".devcontainer" / door.alias / "devcontainer.json"
    assert ours in outcome.written and '"compose.yaml"' in ours.read_text()
    detach(session)
    assert [path.name for path in own.parent.iterdir()] == [own.name]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<project", "it is no XML"),
        ("<html />", "it is no file of a PyCharm project"),
        ("\N{NO-BREAK SPACE}", "it is no XML"),
    ],
)
def test_what_cannot_be_understood_is_left_alone(
    session: Session, door: Door, text: str, why: str
) -> None:
    path = session.workspace / ".idea" / "sshConfigs.xml"
    path.parent.mkdir()
    path.write_text(text)
    assert (path, why) in put(session, door).left
    assert path.read_text() == text
    detach(session)
    assert path.read_text() == text


def test_a_link_is_not_followed(session: Session, door: Door, home: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.write_text("Host *\n")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").symlink_to(dotfiles)
    left = dict(put(session, door).left)
    assert "link" in left[home / ".ssh" / "config"]
    assert dotfiles.read_text() == "Host *\n" and (home / ".ssh" / "config").is_symlink()


def test_nothing_is_written_outside_the_workspace(
    session: Session, door: Door, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (session.workspace / ".idea").symlink_to(elsewhere)
    left = dict(put(session, door).left)
    assert left[session.workspace / ".idea" / "misc.xml"] == "its directory is a link"
    assert list(elsewhere.iterdir()) == []


def test_ssh_finds_the_server_by_its_entry(session: Session, door: Door, home: Path) -> None:
    import subprocess

    put(session, door)
    entry = home / ".ssh" / "config.d" / f"{door.alias}.conf"
    told = subprocess.run(
        ["ssh", "-G", "-F", str(entry), door.alias], capture_output=True, text=True, check=True
    )
    found = dict(line.split(" ", 1) for line in told.stdout.splitlines() if " " in line)
    assert (found["hostname"], found["port"], found["user"]) == ("127.0.0.1", "12222", "candidate")
    assert found["identityfile"] == str(door.key) and found["identitiesonly"] == "yes"
    assert found["userknownhostsfile"] == str(door.known_hosts)


@pytest.mark.parametrize(
    ("config", "there"),
    [
        ("Include config.d/*\n", True),
        ("include ~/.ssh/config.d/*\nHost a\n", True),
        ('Include "config.d/*" other\n', True),
        ("Host a\n  Include config.d/*\n", False),
        ("# Include config.d/*\n", False),
        ("Include other/*\n", False),
        ("", False),
    ],
)
def test_the_include_is_added_where_it_is_missing(config: str, there: bool) -> None:
    part = ssh_config.Include(Path("config"))
    after = part.add(config)
    assert (after == config) is there
    if not there:
        assert after.splitlines()[1] == ssh_config.INCLUDE
        assert (part.remove(after) or "") == config


def test_a_command_that_is_killed_before_it_writes_leaves_nothing_to_take_back(
    session: Session, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exam_cli.workspace import written

    real = written.write_file

    def killed(path: Path, data: bytes, mode: int = 0o600) -> None:
        if path.name == "webServers.xml":
            raise KeyboardInterrupt
        real(path, data, mode)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(written, "write_file", killed)
        put(session, door)
    detach(session)
    assert tree(session.workspace) == {}
