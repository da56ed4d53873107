"""What a candidate may hand in as an archive: links, odd names, lies about sizes, bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.attacks.collection import Attack
from tests.attacks.zips import encrypted, lying_zip64, many_entries, pack, quoting_bomb

_MODEL = "1-regression/model.keras"
_BLOCK = 512
_UNSAFE = "no safe name"
_LINK = "a link or special file"
_BOMB = "unpacks to over"
_BROKEN = "cannot be read to its end"
_OTHER = "compressed in a way that is not read here"


# --- tars, from headers of any content


def header(
    name: str, size: int = 0, kind: bytes = b"0", link: str = "", mode: int = 0o644
) -> bytes:
    """Return one block as GNU tar writes it; sizes that do not fit are in base 256."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = size, kind, link, mode
    return info.tobuf(tarfile.GNU_FORMAT)


def with_size(block: bytes, field: bytes) -> bytes:
    """Return a header with other bytes for its size, and the checksum that fits."""
    block = block[:124] + field + block[136:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(content: bytes) -> bytes:
    """Fill up to whole blocks."""
    return content + bytes(-len(content) % _BLOCK)


def member(name: str, content: bytes, kind: bytes = b"0", mode: int = 0o644) -> bytes:
    """Return a member's header and blocks."""
    return header(name, len(content), kind, mode=mode) + padded(content)


def record(key: str, value: str) -> bytes:
    """Return a line of a PAX header."""
    line = f" {key}={value}\n".encode()
    size = len(line) + len(str(len(line)))
    size = len(line) + len(str(size))
    return f"{size}".encode() + line


_END = bytes(2 * _BLOCK)


def _flushed(content: bytes) -> bytes:
    """Deflate so that anything deflated may follow."""
    deflate = zlib.compressobj(9, wbits=-15)
    return deflate.compress(content) + deflate.flush(zlib.Z_FULL_FLUSH)


@cache
def zeros(count: int) -> bytes:
    """Return so many zeros (a multiple of 16 MB), deflated 1,000:1, for more to follow."""
    return _flushed(bytes(16 << 20)) * (count >> 24)


def _tar(*parts: Callable[[bytes], bytes] | bytes) -> Callable[[bytes], bytes]:
    """Return what makes a tar of an honest model's bytes; a part may ask for them."""
    return lambda honest: b"".join(
        part if isinstance(part, bytes) else part(honest) for part in (*parts, _END)
    )


def _honest(honest: bytes) -> bytes:
    return member(_MODEL, honest)


def _link_and_through(honest: bytes) -> bytes:
    return (
        header("1-regression", kind=b"2", link="/tmp")
        + member("1-regression/model.keras", honest)
        + _END
    )


def _bomb(size: int, before: bytes, after: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return what makes a .tar.gz of a start, so many zeros, and an end; its checksum is wrong."""
    head = b"\x1f\x8b\x08" + bytes(7)
    return lambda honest: head + _flushed(before) + zeros(size) + _flushed(after(honest)) + bytes(8)


def _rest(honest: bytes) -> bytes:
    return _honest(honest) + _END


def _many(count: int) -> Callable[[bytes], bytes]:
    return lambda honest: header("7-other/x") * count + _rest(honest)


def _gzipped(make: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda honest: gzip.compress(make(honest), 1, mtime=0)


def _sparse_header(count: int) -> bytes:
    """Return a sparse file's header with so many further blocks of its map, of 21 holes each."""
    first = bytearray(header(_MODEL, 0, tarfile.GNUTYPE_SPARSE))
    first[482] = 1
    first[483:495] = b"%011o\0" % (1 << 30)
    block = bytes(first)
    block = with_size(block, block[124:136])
    more = (b"%011o\0" % 512 + b"%011o\0" % 0) * 21 + b"\1" + bytes(7)
    return block + more * count


def _pax(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return member("pax", b"".join(records), kind)


def _global_bloat(honest: bytes) -> bytes:
    """Make each of many members carry a copy of thousands of global headers."""
    keys = b"".join(record(f"k{number}", "") for number in range(4000))
    each = b"".join(_pax(record("mtime", "1")) + header(f"7-other/{n}") for n in range(3000))
    return _pax(keys, kind=tarfile.XGLTYPE) + each + _rest(honest)


def _deep(honest: bytes) -> bytes:
    paths = (f"1-regression/{number}/" + "d/" * 15 + "m" for number in range(19_000))
    return b"".join(_pax(record("path", path)) + header("m") for path in paths) + _rest(honest)


_LONG_DIGITS = b"1" * 50_000

# name -> (file, reason, what the sentence says, what makes the archive)
_Row = tuple[str, str | None, str, Callable[[bytes], bytes]]

_TARS: dict[str, _Row] = {
    "symbolic link": (
        "eve.tar",
        "not_a_model",
        _LINK,
        _tar(header(_MODEL, kind=b"2", link="/etc/passwd")),
    ),
    "hard link": (
        "eve.tar",
        "not_a_model",
        _LINK,
        _tar(header(_MODEL, kind=b"1", link="/etc/passwd")),
    ),
    "link and a file through it": ("eve.tar", "not_a_model", _LINK, _link_and_through),
    "FIFO": ("eve.tar", "not_a_model", _LINK, _tar(header(_MODEL, kind=b"6"))),
    "device": ("eve.tar", "not_a_model", _LINK, _tar(header(_MODEL, kind=b"3"))),
    "sparse file": ("eve.tar", "not_a_model", _LINK, _tar(_sparse_header(1))),
    "sparse file with a long map": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _gzipped(_tar(_sparse_header(100_000))),
    ),
    "sparse file in PAX": (
        "eve.tar",
        "not_a_model",
        _LINK,
        _tar(
            _pax(
                record("GNU.sparse.major", "1"),
                record("GNU.sparse.minor", "0"),
                record("GNU.sparse.realsize", str(1 << 40)),
            ),
            member(_MODEL, padded(b"1\n0\n512\n") + bytes(512)),
        ),
    ),
    "absolute name": ("eve.tar", "not_a_model", _UNSAFE, _tar(member("/1-regression/m.h5", b"x"))),
    "name that leads up": (
        "eve.tar.gz",
        "not_a_model",
        _UNSAFE,
        _gzipped(_tar(member("1-regression/../../m.h5", b"x"))),
    ),
    "name with a backslash": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(member("1-regression\\..\\m.h5", b"x")),
    ),
    "name with a newline": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(member("1-regression/a\nb.h5", b"x")),
    ),
    "name with escape codes": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(member("1-regression/\x1b[2J.h5", b"x")),
    ),
    "name from right to left": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(member("1-regression/\u202e5h.h5", b"x")),
    ),
    "name from a PAX header": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(_pax(record("path", "../../out")), member(_MODEL, b"x")),
    ),
    "name longer than a disk takes": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(_pax(record("path", "1-regression/" + "m" * 300)), member(_MODEL, b"x")),
    ),
    "2,000 directories deep": (
        "eve.tar",
        "not_a_model",
        _UNSAFE,
        _tar(_pax(record("path", "1-regression/" + "d/" * 2000 + "m.h5")), member(_MODEL, b"x")),
    ),
    "files in 19,000 deep directories": (
        "eve.tar.gz",
        "not_a_model",
        "in over 500 directories",
        _gzipped(_deep),
    ),
    "name of 1 GB": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _bomb(1 << 30, header("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME), _rest),
    ),
    "PAX header of 1 GB": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _bomb(1 << 30, header("pax", 1 << 30, tarfile.XHDTYPE), _rest),
    ),
    "names of names": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _gzipped(_tar(member("././@LongLink", b"x\0", tarfile.GNUTYPE_LONGNAME) * 5000, _honest)),
    ),
    "PAX header of digits": (
        "eve.tar",
        "not_a_model",
        _BOMB,
        _tar(_pax(_LONG_DIGITS), _honest),
    ),
    "global headers in each member": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _gzipped(_global_bloat),
    ),
    "PAX size that is negative": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(_pax(record("size", "-1024")), member(_MODEL, b"x"), _honest),
    ),
    "PAX size of 8 exabytes": (
        "eve.tar",
        "not_a_model",
        _BROKEN,
        _tar(_pax(record("size", str(1 << 62))), member(_MODEL, b"x")),
    ),
    "negative size": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(with_size(header("7-other/x"), b"\xff" * 10 + b"\xfc\x00"), _honest),
    ),
    "negative size of a header": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(with_size(header("pax", 0, tarfile.XHDTYPE), b"\xff" * 10 + b"\xfc\x00"), _honest),
    ),
    "size of 8 GB in octal": (
        "eve.tar",
        "not_a_model",
        _BROKEN,
        _tar(with_size(header(_MODEL), b"77777777777\0")),
    ),
    "size of 64 bits": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(with_size(header("7-other/x"), b"\x80\0\0\0\x7f" + b"\xff" * 7), _honest),
    ),
    "size that is no number": (
        "eve.tar",
        "not_a_model",
        _BROKEN,
        _tar(_honest, with_size(header("7-other/x"), b"many bytes\0\0"), _honest),
    ),
    "1,000:1": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _bomb(8 << 30, header(_MODEL, 8 << 30), _rest),
    ),
    "1,000:1 beside the model": (
        "eve.tar.gz",
        "not_a_model",
        _BOMB,
        _bomb(8 << 30, header("7-other/README", 8 << 30), _rest),
    ),
    "gzip in gzip": ("eve.tar.gz", "not_a_model", _BROKEN, _gzipped(_gzipped(_tar(_honest)))),
    "xz": ("eve.tar", "not_a_model", _OTHER, lambda honest: lzma.compress(_rest(honest))),
    "bzip2": ("eve.tar.gz", "not_a_model", _OTHER, lambda honest: bz2.compress(_rest(honest))),
    "100,000 entries": (
        "eve.tar.gz",
        "not_a_model",
        "over 20000 members",
        _gzipped(_many(100_000)),
    ),
    "name twice": ("eve.tar", "not_a_model", "two files of one name", _tar(_honest, _honest)),
    "file and directory of one name": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(member("1-regression/m.h5", b"x"), member("1-regression/m.h5/m.h5", b"x")),
    ),
    "directory and file of one name": (
        "eve.tar",
        "not_a_model",
        "",
        _tar(member("1-regression/m.h5/m.h5", b"x"), member("1-regression/m.h5", b"x")),
    ),
    "names that fold alike": (
        "eve.tar",
        "several_models",
        "",
        _tar(_honest, member("1-regression/MODEL.KERAS", b"x")),
    ),
    "names that normalise alike": (
        "eve.tar",
        "several_models",
        "",
        _tar(member("1-regression/\u00e8.h5", b"x"), member("1-regression/e\u0300.h5", b"x")),
    ),
    "garbage in the middle": (
        "eve.tar",
        "not_a_model",
        _BROKEN,
        _tar(_honest, b"garbage!" * 64, member("1-regression/other.h5", b"x")),
    ),
    "cut off": ("eve.tar", "not_a_model", _BROKEN, lambda honest: _honest(honest)[:-_BLOCK]),
    "cut off in a header": (
        "eve.tar",
        "not_a_model",
        _BROKEN,
        lambda honest: _honest(honest) + header(_MODEL)[:100],
    ),
    "cut off between members": ("eve.tar", "not_a_model", _BROKEN, _honest),
    "cut off gzip": (
        "eve.tar.gz",
        "not_a_model",
        _BROKEN,
        lambda honest: gzip.compress(_rest(honest), mtime=0)[:-400],
    ),
    "wrong checksum of gzip": (
        "eve.tar.gz",
        "not_a_model",
        _BROKEN,
        lambda honest: gzip.compress(_rest(honest), mtime=0)[:-8] + bytes(8),
    ),
    "2,000,000 gzips in a row": (
        "eve.tar.gz",
        "not_a_model",
        _BROKEN,
        lambda honest: gzip.compress(_honest(honest), mtime=0) + gzip.compress(b"") * 2_000_000,
    ),
    "nothing": ("eve.tar", "not_a_model", _BROKEN, lambda honest: b""),
    "text": ("eve.tar.gz", "not_a_model", _BROKEN, lambda honest: b"no archive" * 100),
    "nothing in it": ("eve.tar", "no_model", "", _tar()),
    "rights of root": (
        "eve.tar",
        None,
        "",
        lambda honest: member(_MODEL, honest, mode=0o6777) + _END,
    ),
    "garbage after the end": ("eve.tar", None, "", lambda honest: _rest(honest) + b"x" * 9999),
    "directory of no name": ("eve.tar", None, "", _tar(header("./", kind=b"5"), _honest)),
}


# --- zips


def _zip(members: dict[str, bytes]) -> bytes:
    return pack(members, zipfile.ZIP_DEFLATED)


def _zeros(honest: bytes) -> bytes:
    return _zip({_MODEL: bytes(300 << 20)})


def _linked(honest: bytes) -> bytes:
    return pack({_MODEL: b"/etc/passwd"}, external_attr=0o120777 << 16)


def _huge_dictionary(honest: bytes) -> bytes:
    """Say that a dictionary of 4 GB is needed to read an LZMA member."""
    content = pack({_MODEL: honest}, zipfile.ZIP_LZMA)
    at = content.index(_MODEL.encode()) + len(_MODEL) + 5
    return content[:at] + b"\xff" * 4 + content[at + 4 :]


def _file_and_directory(honest: bytes) -> bytes:
    return _zip({"1-regression/m.h5": b"x", "1-regression/m.h5/m.h5": b"x"})


def _twice(honest: bytes) -> bytes:
    other = "1-regression/konfi.keras"
    return pack({_MODEL: honest, other: honest}).replace(other.encode(), _MODEL.encode())


def _says_more(honest: bytes) -> bytes:
    """Say that a member's bytes go on to 1 GB."""
    content = bytearray(pack({_MODEL: honest}))
    at = content.index(b"PK\x01\x02")
    content[at + 20 : at + 28] = struct.pack("<2I", 1 << 30, 1 << 30)
    return bytes(content)


def _says_less(honest: bytes) -> bytes:
    """Say of a bomb that it is as small as the model."""
    packed, size = zlib.compress(bytes(300 << 20), 9, wbits=-15), 300 << 20
    content = bytearray(_zip({_MODEL: bytes(size)}))
    assert packed[:64] in content
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.index(mark)
        content[at + place : at + place + 4] = struct.pack("<I", 1000)
    return bytes(content)


_ZIPS: dict[str, _Row] = {
    "link in a zip": ("eve.zip", "not_a_model", _LINK, _linked),
    "absolute name in a zip": (
        "eve.zip",
        "not_a_model",
        _UNSAFE,
        lambda honest: _zip({"/1-regression/m.h5": b"x"}),
    ),
    "name that leads up in a zip": (
        "eve.zip",
        "not_a_model",
        _UNSAFE,
        lambda honest: _zip({"1-regression/../../m.h5": b"x"}),
    ),
    "name with a backslash in a zip": (
        "eve.zip",
        "not_a_model",
        _UNSAFE,
        lambda honest: _zip({"1-regression\\..\\m.h5": b"x"}),
    ),
    "name longer than a disk takes in a zip": (
        "eve.zip",
        "not_a_model",
        _UNSAFE,
        lambda honest: _zip({"1-regression/" + "m" * 300: b"x"}),
    ),
    "encrypted zip": (
        "eve.zip",
        "not_a_model",
        "is encrypted",
        lambda honest: encrypted(_zip({_MODEL: honest})),
    ),
    "1,000:1 in a zip": ("eve.zip", "not_a_model", _BOMB, _zeros),
    "bomb that says it is small": ("eve.zip", "not_a_model", _BROKEN, _says_less),
    "member that goes on behind the end": ("eve.zip", "not_a_model", _BROKEN, _says_more),
    "overlapping members": (  # newer Pythons see that they overlap
        "eve.zip",
        "not_a_model",
        "",
        lambda honest: quoting_bomb([f"1-regression/m/{n}" for n in range(100)], 4 << 20),
    ),
    "100,000 entries in a zip": (
        "eve.zip",
        "not_a_model",
        "",
        lambda honest: many_entries(100_000)(_zip({_MODEL: honest})),
    ),
    "300,000 entries in a zip": (
        "eve.zip",
        "not_a_model",
        _BOMB,
        lambda honest: many_entries(300_000)(_zip({_MODEL: honest})),
    ),
    "zip64 of 4 exabytes": (
        "eve.zip",
        "not_a_model",
        _BROKEN,
        lambda honest: lying_zip64(pack({_MODEL: honest}), 1 << 62),
    ),
    "dictionary of 4 GB": ("eve.zip", "not_a_model", _OTHER, _huge_dictionary),
    "name twice in a zip": ("eve.zip", "not_a_model", "two files of one name", _twice),
    "file and directory of one name in a zip": ("eve.zip", "not_a_model", "", _file_and_directory),
    "zip in a zip": (
        "eve.zip",
        "no_model",
        "",
        lambda honest: _zip({"1-regression/eve.zip": _zip({_MODEL: honest})}),
    ),
    "cut off zip": ("eve.zip", "not_a_model", _BROKEN, lambda honest: _zip({_MODEL: honest})[:-9]),
    "tar named as a zip": ("eve.zip", "no_model", "", _rest),
    "honest zip64": (
        "eve.zip",
        None,
        "",
        lambda honest: pack({_MODEL: honest}, zip64=True),
    ),
}


def _attacks(rows: Iterable[tuple[str, _Row]]) -> Iterator[Attack]:
    for name, (file, reason, says, build) in rows:

        def make(
            directory: Path,
            honest: Path,
            file: str = file,
            build: Callable[[bytes], bytes] = build,
        ) -> None:
            (directory / file).write_bytes(build(honest.read_bytes()))

        bomb = says == _BOMB or "entries" in name or "overlapping" in name
        known = "links" if says == _LINK else "bombs" if bomb else "odd names and files"
        yield Attack(name, "archive", known, reason, says=says, make=make, honest=reason is None)


ARCHIVES: tuple[Attack, ...] = tuple(_attacks((*_TARS.items(), *_ZIPS.items())))
