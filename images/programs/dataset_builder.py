"""Build a section's data from its sources and a secret seed, in a container without network.

One frame in: {"seed", "sources": [{"name", "registry", "member", "bytes"}], "dataset": bytes of
dataset.py} and then the archives and dataset.py one after another. Single members are taken out of
the archives; no code of a package runs. One frame out: {"parts": [...]} and their bytes, where a
part is a file for the candidate or a hidden set's tensor.
"""

from __future__ import annotations

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


def member_of(registry, archive, member):
    """Return the bytes of one member of a wheel (zip), .deb or npm archive (tar.gz)."""
    if registry == "pypi":
        if zipfile.is_zipfile(io.BytesIO(archive)):
            with zipfile.ZipFile(io.BytesIO(archive)) as package:
                return package.read(member)
        return _from_tar(archive, member)
    if registry == "npm":
        return _from_tar(archive, member)
    if registry == "debian":
        path = Path("/tmp/package.deb")
        path.write_bytes(archive)
        line = ["dpkg-deb", "--fsys-tarfile", str(path)]
        tree = subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout
        path.unlink()
        return _from_tar(tree, "./" + member)
    raise ValueError(f"unknown registry {registry!r}")


def _from_tar(archive, member):
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        found = package.extractfile(member)
        if found is None:
            raise KeyError(member)
        return found.read()


def sources_of(header, body):
    """Return ({source name: member's bytes}, text of dataset.py)."""
    sources, start = {}, 0
    for source in header["sources"]:
        end = start + source["bytes"]
        name, member = source["name"], source["member"]
        try:
            sources[name] = member_of(source["registry"], body[start:end], member)
        except KeyError:
            raise SystemExit(f"the source {name} has no member {member}") from None
        start = end
    return sources, body[start : start + header["dataset"]].decode("utf-8")


def parts_of(data):
    """Yield (description, bytes) of everything that a section's `build` returned."""
    for name in sorted(data["train"]):
        content = data["train"][name]
        yield {"kind": "file", "name": name, "bytes": len(content)}, content
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
