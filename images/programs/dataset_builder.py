"""Build a section's data from its sources and a secret seed, in a container without network.

One frame in: {"seed", "sources": [{"name", "registry", "member", "members", "bytes"}], "dataset":
bytes of dataset.py} and then the archives and dataset.py one after another. Members are taken out
of the archives; no code of a package runs. One frame out: {"parts": [...]} and their bytes, where a
part is a file for the candidate, a directory of such files (a tar archive) or a hidden set's
tensor.
"""

from __future__ import annotations

import fnmatch
import io
import os
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import tensors
import wire

MAX_BODY = 2 << 30


class Archive:
    """The members of a wheel or sdist, of a .deb, or of an npm archive."""

    def __init__(self, registry, content):
        if registry == "debian":
            content = _tree_of_deb(content)
        self._zip = self._tar = None
        if registry == "pypi" and zipfile.is_zipfile(io.BytesIO(content)):
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            self.names = self._zip.namelist()
        else:
            self._tar = tarfile.open(fileobj=io.BytesIO(content))  # noqa: SIM115, memory only
            # A .deb names its members "./usr/...": paths are given as they are when unpacked.
            self._members = {
                member.name[2:] if member.name.startswith("./") else member.name: member
                for member in self._tar.getmembers()
                if member.isfile()
            }
            self.names = list(self._members)

    def read(self, name):
        """Return the bytes of a member. Raises KeyError."""
        if self._zip is not None:
            return self._zip.read(name)
        return self._tar.extractfile(self._members[name]).read()


def _tree_of_deb(content):
    path = Path("/tmp/package.deb")
    path.write_bytes(content)
    line = ["dpkg-deb", "--fsys-tarfile", str(path)]
    tree = subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout
    path.unlink()
    return tree


def taken(source, archive):
    """Return what a source's `member` or `members` name, or end with a sentence."""
    archive = Archive(source["registry"], archive)
    if source["member"] is not None:
        try:
            return archive.read(source["member"])
        except KeyError:
            raise SystemExit("the source {name} has no member {member}".format(**source)) from None
    found = {}
    for pattern in source["members"]:
        names = fnmatch.filter(archive.names, pattern)
        if not names:
            raise SystemExit(f"the source {source['name']} has no member that matches {pattern}")
        found.update((name, archive.read(name)) for name in names)
    return dict(sorted(found.items()))


def sources_of(header, body):
    """Return ({source name: bytes, or bytes by member}, text of dataset.py)."""
    sources, start = {}, 0
    for source in header["sources"]:
        end = start + source["bytes"]
        sources[source["name"]] = taken(source, body[start:end])
        start = end
    return sources, body[start : start + header["dataset"]].decode("utf-8")


def train_parts(files):
    """Yield the files for the candidate; those of one directory together, as one archive."""
    trees = {}
    for name in sorted(files):
        top, slash, rest = name.partition("/")
        if slash:
            trees.setdefault(top, {})[rest] = files[name]
        else:
            yield {"kind": "file", "name": name}, files[name]
    for top, inside in trees.items():
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in inside.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        yield {"kind": "tree", "name": top, "files": len(inside)}, archive.getvalue()


def parts_of(data):
    """Yield (description, bytes) of everything that a section's `build` returned."""
    for description, content in train_parts(data["train"]):
        yield {**description, "bytes": len(content)}, content
    for which in ("sample", "probe", "final"):
        chosen = data[which]
        for name in sorted(chosen["inputs"]):
            description, content = tensors.encode(name, chosen["inputs"][name])
            yield {"kind": "input", "set": which, **description}, content
        if "labels" in chosen:
            description, content = tensors.encode("labels", chosen["labels"])
            yield {"kind": "labels", "set": which, **description}, content


def main():
    """Answer one request."""
    frame = wire.read_frame(sys.stdin.buffer, MAX_BODY)
    answer, sys.stdout = os.dup(1), sys.stderr
    sources, code = sources_of(frame.header, frame.body)
    module = types.ModuleType("dataset")
    exec(compile(code, "dataset.py", "exec"), module.__dict__)
    data = module.build(sources, bytes.fromhex(frame.header["seed"]))
    parts = list(parts_of(data))
    start = wire.frame_start(
        {"parts": [description for description, _ in parts]},
        sum(len(content) for _, content in parts),
    )
    with os.fdopen(answer, "wb") as stream:
        stream.write(start)
        for _, content in parts:
            stream.write(content)


if __name__ == "__main__":
    main()
