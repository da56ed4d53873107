"""Files that are called .keras, or .h5, and are zips that no Keras has written."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.attacks.collection import Attack, Format

Members = dict[str, bytes]
Change = Callable[[bytes], bytes]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CENTRAL, _LOCAL, _END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
_ZEROS = 210 << 20  # more than four times what any section allows but one
_NOT_KERAS = "Keras would not have written"
_DAMAGED = "damaged or incomplete"


def members_of(honest: bytes) -> Members:
    """Return the members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(
    members: Members, compression: int = zipfile.ZIP_STORED, zip64: bool = False, **attributes: int
) -> bytes:
    """Return a zip of members; `attributes` are of each member's ZipInfo."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = compression, 0o600 << 16
            for key, value in attributes.items():
                setattr(info, key, value)
            with archive.open(info, "w", force_zip64=zip64) as stream:
                stream.write(content)
    return packed.getvalue()


def with_members(**more: bytes) -> Change:
    """Return a change that packs an honest model with more, or other, members, compressed."""
    return lambda honest: pack({**members_of(honest), **more}, zipfile.ZIP_DEFLATED)


def entry(
    name: bytes, crc: int, packed: int, size: int, *, offset: int | None = None, extra: bytes = b""
) -> bytes:
    """Return a local header, or with an offset an entry of the central directory, of deflate."""
    common = struct.pack("<3H", 0, 8, 0) + struct.pack("<H3I", 33, crc, packed, size)
    lengths = struct.pack("<2H", len(name), len(extra))
    if offset is None:
        return _LOCAL + struct.pack("<H", 20) + common + lengths + name + extra
    rest = struct.pack("<3H2I", 0, 0, 0, 0o600 << 16, offset)
    return _CENTRAL + struct.pack("<2H", 20 | 3 << 8, 20) + common + lengths + rest + name + extra


def end(count: int, size: int, offset: int) -> bytes:
    """Return the end of a zip."""
    return _END + struct.pack("<4H2IH", 0, 0, min(count, 65535), min(count, 65535), size, offset, 0)


@cache
def deflated(size: int) -> tuple[bytes, int]:
    """Return so many zeros, deflated, with their checksum."""
    deflate, crc, piece = zlib.compressobj(9, wbits=-15), 0, bytes(1 << 20)
    packed = []
    for _ in range(size >> 20):
        packed.append(deflate.compress(piece))
        crc = zlib.crc32(piece, crc)
    return b"".join([*packed, deflate.flush()]), crc


def quoting_bomb(names: list[str], kernel_bytes: int) -> bytes:
    """Return a zip whose members overlap: each quotes the next one's header and shares its bytes.

    After D. Fifield, A better zip bomb, WOOT 2019.
    """
    body, content, entries = deflated(kernel_bytes)[0], bytes(kernel_bytes), []
    header = b""
    for name in reversed(names):
        if header:  # as a stored block before all that follows
            quote = struct.pack("<B2H", 0, len(header), 0xFFFF ^ len(header))
            body, content = quote + header + body, header + content
        told = (name.encode(), zlib.crc32(content), len(body), len(content))
        header = entry(*told)
        entries.append((told, len(header) + len(body)))
    whole = header + body
    directory = b"".join(entry(*told, offset=len(whole) - start) for told, start in entries)
    return whole + directory + end(len(names), len(directory), len(whole))


def encrypted(content: bytes) -> bytes:
    """Set the bit that says so in every header."""
    changed = bytearray(content)
    for mark, place in ((_CENTRAL, 8), (_LOCAL, 6)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            changed[at + place] |= 1
    return bytes(changed)


def _twice(honest: bytes) -> bytes:
    other = pack({**members_of(honest), "konfig.json": b'{"other": 1}'})
    return other.replace(b"konfig.json", b"config.json")


def _other_local_name(honest: bytes) -> bytes:
    content = pack(members_of(honest))
    at = content.index(b"config.json")
    return content[:at] + b"konfig.json" + content[at + 11 :]


def _elsewhere(honest: bytes) -> bytes:
    """Let the central directory say that all members begin where the file ends."""
    content = bytearray(pack(members_of(honest)))
    at = content.index(_CENTRAL)
    content[at + 42 : at + 46] = struct.pack("<I", len(content))
    return bytes(content)


def lying_zip64(content: bytes, size: int) -> bytes:
    """Let the first member say in a zip64 field that it unpacks to so much."""
    at = content.index(_CENTRAL)
    name, extra, note = struct.unpack("<3H", content[at + 28 : at + 34])
    first_end = at + 46 + name + extra + note
    first = bytearray(content[at : at + 46 + name])
    first[24:28] = b"\xff" * 4
    first[30:34] = struct.pack("<2H", 12, 0)
    first += struct.pack("<2HQ", 1, 8, size)
    count = content.count(_CENTRAL)
    directory = bytes(first) + content[first_end : content.rindex(_END)]
    return content[:at] + directory + end(count, len(directory), at)


def long_zip64_list(content: bytes, size: int) -> bytes:
    """Let the end say in zip64 fields that the list of members is so long."""
    at = content.index(_CENTRAL)
    last = content.rindex(_END)
    record = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, size, at)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, last, 1)
    closing = _END + struct.pack("<4H2IH", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return content[:last] + record + locator + closing


def many_entries(count: int) -> Change:
    """Return a change that makes the list of members so long, of members without bytes."""

    def change(content: bytes) -> bytes:
        at, last = content.index(_CENTRAL), content.rindex(_END)
        more = b"".join(entry(b"%d" % number, 0, 0, 0, offset=0) for number in range(count))
        directory = content[at:last] + more
        return content[:at] + directory + end(0xFFFF, len(directory), at)

    return change


def _small_metadata_claimed(honest: bytes) -> bytes:
    """Put a bomb in metadata.json that says it is small."""
    packed, crc = deflated(_ZEROS)
    members = members_of(honest)
    members.pop("metadata.json")
    rest = pack(members)
    at, last = rest.index(_CENTRAL), rest.rindex(_END)
    header = entry(b"metadata.json", crc, len(packed), 100)
    directory = rest[at:last] + entry(b"metadata.json", crc, len(packed), 100, offset=at)
    start = at + len(header) + len(packed)
    return rest[:at] + header + packed + directory + end(len(members) + 1, len(directory), start)


def _linked(honest: bytes) -> bytes:
    return pack(
        {**members_of(honest), "assets/vault": b"/etc/passwd"},
        external_attr=(stat.S_IFLNK | 0o777) << 16,
    )


def _of_kind(number: int) -> Change:
    """Return a change that says that the members are compressed in another way."""

    def change(honest: bytes) -> bytes:
        content = bytearray(pack(members_of(honest)))
        for mark, place in ((_CENTRAL, 10), (_LOCAL, 8)):
            at = content.index(mark)
            content[at + place : at + place + 2] = struct.pack("<H", number)
        return bytes(content)

    return change


_NAMES = [f"assets/{number}" for number in range(100)]


def _overlapping(honest: bytes) -> bytes:
    needed = ["config.json", "metadata.json", "model.weights.h5"]
    return quoting_bomb([*needed, *_NAMES], 3 << 20)


# name -> (known, reason, what the sentence says, what is done to an honest file)
_KERAS: dict[str, tuple[str, str | None, str, Change]] = {
    "1,000:1": (
        "bombs",
        "too_large",
        "unpacks to more than 4 times",
        with_members(**{"model.weights.h5": bytes(_ZEROS)}),
    ),
    "overlapping members": ("bombs", "too_large", "unpacks to more than 4 times", _overlapping),
    "bomb that says it is small": ("bombs", "not_a_model", _DAMAGED, _small_metadata_claimed),
    "100,000 entries": ("bombs", "not_a_model", _NOT_KERAS, many_entries(100_000)),
    "3,000 entries": ("bombs", "not_a_model", _NOT_KERAS, many_entries(3_000)),
    "zip64 of 4 exabytes": (
        "bombs",
        "too_large",
        "unpacks to more than 4 times",
        lambda honest: lying_zip64(pack(members_of(honest)), 1 << 62),
    ),
    "zip64 with a list of 1 TB": (
        "bombs",
        "not_a_model",
        "",
        lambda honest: long_zip64_list(honest, 1 << 40),
    ),
    "nested metadata": (
        "bombs",
        "not_a_model",
        _DAMAGED,
        with_members(**{"metadata.json": b"[" * 60_000}),
    ),
    "metadata of 10 MB of digits": (
        "bombs",
        "not_a_model",
        _DAMAGED,
        with_members(**{"metadata.json": b"1" * (10 << 20)}),
    ),
    "metadata of 60,000 digits": (
        "bombs",
        "not_a_model",
        _DAMAGED,
        with_members(**{"metadata.json": b'{"keras_version": ' + b"1" * 60_000 + b"}"}),
    ),
    "honest zip64": (
        "odd names and files",
        None,
        "",
        lambda honest: pack(members_of(honest), zip64=True),
    ),
    "bytes after the end": (
        "odd names and files",
        None,
        "",
        lambda honest: honest + b"\x00" * 1000,
    ),
    "bytes before the start": (
        "odd names and files",
        "not_a_model",
        "is not a Keras model",
        lambda honest: b"#!/bin/sh\nexit 0\n" + honest,
    ),
    "name twice": ("odd names and files", "not_a_model", _NOT_KERAS, _twice),
    "encrypted": ("odd names and files", "not_a_model", _NOT_KERAS, encrypted),
    "two names of one member": ("odd names and files", "not_a_model", _DAMAGED, _other_local_name),
    "member behind the end": ("odd names and files", "not_a_model", _DAMAGED, _elsewhere),
    "absolute name": (
        "odd names and files",
        "not_a_model",
        _NOT_KERAS,
        with_members(**{"/etc/passwd": b"x"}),
    ),
    "name that leads up": (
        "odd names and files",
        "not_a_model",
        _NOT_KERAS,
        with_members(**{"assets/../../../x": b"x"}),
    ),
    "links as members": ("odd names and files", "not_a_model", _NOT_KERAS, _linked),
    "zip in a zip": (
        "odd names and files",
        "not_a_model",
        "without config.json",
        lambda honest: pack({"model.keras": honest}),
    ),
    "empty zip": (
        "odd names and files",
        "not_a_model",
        "without config.json",
        lambda honest: end(0, 0, 0),
    ),
    "half a file": (
        "odd names and files",
        "not_a_model",
        _DAMAGED,
        lambda honest: honest[: len(honest) // 2],
    ),
    "HDF5 that is a zip, too": (
        "odd names and files",
        "not_a_model",
        "HDF5 file by content",
        lambda honest: _HDF5 + bytes(504) + honest,
    ),
    **{
        f"compression {number}": (
            "odd names and files",
            "not_a_model",
            _NOT_KERAS,
            _of_kind(number),
        )
        for number in (1, 9, 12, 14, 93, 99, 65535)
    },
}


def _made(change: Change, name: str) -> Callable[[Path, Path], None]:
    def make(directory: Path, honest: Path) -> None:
        (directory / name).write_bytes(change(honest.read_bytes()))

    return make


def _attacks() -> Iterator[Attack]:
    form: Format = "keras"
    for name, (known, reason, says, change) in _KERAS.items():
        make = _made(change, "model.keras")
        yield Attack(name, form, known, reason, says=says, make=make, honest=reason is None)
    kinds: dict[str, tuple[str, Change]] = {
        "zip": ("name it model.keras", lambda honest: honest),
        "zip with HDF5 in it": (
            "name it model.keras",
            lambda honest: pack({"a" * 482: _HDF5, **members_of(honest)}),
        ),
        "text": ("not an HDF5 file", lambda honest: b"\x80\x04a pickle."),
    }
    for name, (says, change) in kinds.items():
        make = _made(change, "model.h5")
        yield Attack(
            f"{name} as HDF5",
            "directory",
            "odd names and files",
            "not_a_model",
            says=says,
            make=make,
        )


ZIPS: tuple[Attack, ...] = tuple(_attacks())
