"""An index of wheels on this machine that can be slow, break off, and say what was asked of it."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exam_cli.fetch.lockfile import Pin


def wheel_of(name: str) -> bytes:
    """Return a wheel of version 1."""
    info = f"{name}-1.dist-info"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file, text in {
            f"{name}.py": "x = 1\n" * 20_000,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            archive.writestr(zipfile.ZipInfo(file), text)
    return content.getvalue()


class Index(ThreadingHTTPServer):
    """Serves wheels by name, one version each.

    Attributes:
        stuck: names whose wheel stops half-way until `go` is set.
        broken: names whose connection is cut half-way, once.
        yanked: names that their authors have withdrawn, and why.
        gone: names of which the index has no file any more.
        asked: how often each wheel was asked for.
        sent: names of the wheels that went out whole.
        together: the most wheels that were on their way at one time.
    """

    daemon_threads = True

    def __init__(self, names: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels = {name: wheel_of(name) for name in names}
        self.stuck: set[str] = set()
        self.broken: set[str] = set()
        self.yanked: dict[str, str] = {}
        self.gone: set[str] = set()
        self.go = threading.Event()
        self.asked: Counter[str] = Counter()
        self.sent: set[str] = set()
        self.now = self.together = 0
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"

    def pins(self) -> list[Pin]:
        """Return what a lock would say of all wheels."""
        return [
            Pin(name, "1", frozenset([hashlib.sha256(content).hexdigest()]))
            for name, content in self.wheels.items()
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Index

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name = Path(self.path.strip("/")).name.split("-")[0]
        if self.path.startswith("/simple/"):
            file = f"{name}-1-py3-none-any.whl"
            why = self.server.yanked.get(name)
            yanked = "" if why is None else f' data-yanked="{why}"'
            link = f'<a href="/files/{file}"{yanked}>{file}</a>'
            self._answer(b"" if name in self.server.gone else link.encode(), "text/html")
        else:
            self._wheel(name)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _wheel(self, name: str) -> None:
        index, body = self.server, self.server.wheels[name]
        with index.guard:
            index.asked[name] += 1
            index.now += 1
            index.together = max(index.together, index.now)
        try:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"1"')
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            middle = (start + len(body)) // 2
            self.wfile.write(body[start:middle])
            self.wfile.flush()
            if name in index.broken:
                index.broken.discard(name)
                self.close_connection = True
                return
            if name in index.stuck:
                index.go.wait(60)
            self.wfile.write(body[middle:])
            index.sent.add(name)
        except OSError:
            pass  # whoever asked is gone
        finally:
            with index.guard:
                index.now -= 1


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index of 20 small wheels and two large ones; pip keeps no cache of its own."""
    server = Index([f"small{number:02}" for number in range(20)] + ["tensorflow", "nvidia"])
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()
