"""What PyCharm keeps of a connection in a project's .idea: ours put in, and taken out again.

Four of its files: the connection (sshConfigs.xml), the server that is reached by it
(webServers.xml), which local path is which remote one (deployment.xml), and the interpreter's name
(misc.xml). The interpreter itself is the IDE's own, not the project's: it is made with one click
from the connection, and gets that name. The formats are those of PyCharm 2020.1 and later.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exam_cli.workspace.container import INTERPRETER, USER, WORKDIR
from exam_cli.workspace.door import HOST, Door
from exam_cli.workspace.written import Part, Unreadable

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
Change = Callable[[ET.Element, Door], None]


@dataclass(frozen=True)
class IdeaFile:
    """One file of .idea. `put` adds our elements, `take` removes them and what they leave empty."""

    path: Path
    door: Door
    put: Change
    take: Change
    mode: int = 0o644

    def add(self, text: str | None) -> str:
        """Return the text with our elements, and all others as they are."""
        root = ET.Element("project", version="4") if text is None else _parsed(text)
        self.take(root, self.door)
        self.put(root, self.door)
        return _text(root)

    def remove(self, text: str) -> str | None:
        """Return the text without our elements, None when it had no others."""
        root = _parsed(text)
        before = ET.tostring(root)
        self.take(root, self.door)
        if len(root) == 0:
            return None
        return text if ET.tostring(root) == before else _text(root)


def parts(door: Door, python: str) -> list[Part]:
    """Return the four files; `python` is the interpreter's whole version."""
    idea = door.local / ".idea"

    def put_interpreter(root: ET.Element, door: Door) -> None:
        component = _component(root, "ProjectRootManager", version="2")
        if "project-jdk-name" in component.attrib:
            raise Unreadable("the project has an interpreter already")
        component.set("project-jdk-name", f"Remote Python {python} ({_place(door)})")
        component.set("project-jdk-type", "Python SDK")

    return [
        IdeaFile(idea / "sshConfigs.xml", door, _put_connection, _take_connection),
        IdeaFile(idea / "webServers.xml", door, _put_server, _take_server),
        IdeaFile(idea / "deployment.xml", door, _put_mapping, _take_mapping),
        IdeaFile(idea / "misc.xml", door, put_interpreter, _take_interpreter),
    ]


def _id(door: Door, what: str) -> str:
    """Return an id that is ours: the same each time, another for each session."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"exam {door.session} {what}"))


def _place(door: Door) -> str:
    return f"sftp://{USER}@{HOST}:{door.port}{INTERPRETER}"


def _put_connection(root: ET.Element, door: Door) -> None:
    configs = _child(_component(root, "SshConfigs"), "configs")
    config = ET.SubElement(
        configs,
        "sshConfig",
        authType="KEY_PAIR",
        host=HOST,
        id=_id(door, "connection"),
        keyPath=str(door.key),
        port=str(door.port),
        customName=door.alias,
        nameFormat="CUSTOM",
        username=USER,
        useOpenSSHConfig="false",
    )
    ET.SubElement(config, "option", name="customName", value=door.alias)


def _take_connection(root: ET.Element, door: Door) -> None:
    _take(root, "SshConfigs", "configs", "sshConfig", ("id", _id(door, "connection")))


def _put_server(root: ET.Element, door: Door) -> None:
    servers = _child(_component(root, "WebServers"), "option", name="servers")
    server = ET.SubElement(servers, "webServer", id=_id(door, "server"), name=door.alias)
    transfer = ET.SubElement(
        server,
        "fileTransfer",
        rootFolder="/",
        accessType="SFTP",
        host=HOST,
        port=str(door.port),
        sshConfigId=_id(door, "connection"),
        sshConfig=door.alias,
        keyPair="true",
    )
    outer = ET.SubElement(transfer, "advancedOptions")
    ET.SubElement(
        outer,
        "advancedOptions",
        dataProtectionLevel="Private",
        keepAliveTimeout="0",
        passiveMode="true",
        shareSSLContext="true",
    )


def _take_server(root: ET.Element, door: Door) -> None:
    _take(root, "WebServers", "option[@name='servers']", "webServer", ("id", _id(door, "server")))


def _put_mapping(root: ET.Element, door: Door) -> None:
    component = _component(root, "PublishConfigData")
    component.attrib.setdefault("serverName", door.alias)
    paths = ET.SubElement(_child(component, "serverData"), "paths", name=door.alias)
    data = ET.SubElement(paths, "serverdata")
    mappings = ET.SubElement(data, "mappings")
    ET.SubElement(mappings, "mapping", deploy=WORKDIR, local="$PROJECT_DIR$", web="/")
    # Both sides are the same files: to upload one onto itself would empty it.
    excluded = ET.SubElement(data, "excludedPaths")
    ET.SubElement(excluded, "excludedPath", local="true", path="$PROJECT_DIR$")
    ET.SubElement(excluded, "excludedPath", path=WORKDIR)


def _take_mapping(root: ET.Element, door: Door) -> None:
    component = _find(root, "PublishConfigData")
    if component is not None and component.get("serverName") == door.alias:
        del component.attrib["serverName"]
    _take(root, "PublishConfigData", "serverData", "paths", ("name", door.alias))


def _take_interpreter(root: ET.Element, door: Door) -> None:
    component = _find(root, "ProjectRootManager")
    if component is None:
        return
    # Known by user and place: its port, and Python, may have been others.
    name = component.get("project-jdk-name", "")
    if f"(sftp://{USER}@{HOST}:" in name and name.endswith(f"{INTERPRETER})"):
        component.attrib.pop("project-jdk-name")
        component.attrib.pop("project-jdk-type", None)
        if len(component) == 0 and set(component.attrib) <= {"name", "version"}:
            root.remove(component)


def _take(root: ET.Element, component: str, holder: str, tag: str, ours: tuple[str, str]) -> None:
    """Remove the elements `tag` with our attribute, then what that leaves without content."""
    outer = _find(root, component)
    inner = None if outer is None else outer.find(holder)
    if outer is None or inner is None:
        return
    for element in inner.findall(tag):
        if element.get(ours[0]) == ours[1]:
            inner.remove(element)
    if len(inner) == 0:
        outer.remove(inner)
    if len(outer) == 0 and set(outer.attrib) <= {"name"}:
        root.remove(outer)


def _find(root: ET.Element, name: str) -> ET.Element | None:
    return next((one for one in root.findall("component") if one.get("name") == name), None)


def _component(root: ET.Element, name: str, **attributes: str) -> ET.Element:
    found = _find(root, name)
    if found is not None:
        return found
    return ET.SubElement(root, "component", {"name": name, **attributes})


def _child(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    for one in parent.findall(tag):
        if attributes.items() <= one.attrib.items():
            return one
    return ET.SubElement(parent, tag, attributes)


def _parsed(text: str) -> ET.Element:
    """Return the root, comments included. Raises `Unreadable`."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    try:
        root: ET.Element = ET.fromstring(text.encode(), parser)
    except ET.ParseError as error:
        raise Unreadable("it is no XML") from error
    if root.tag != "project":
        raise Unreadable("it is no file of a PyCharm project")
    return root


def _text(root: ET.Element) -> str:
    ET.indent(root, "  ")
    return _HEAD + ET.tostring(root, encoding="unicode")
