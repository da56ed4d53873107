"""`exam images save`, `exam images load`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, json_option

if TYPE_CHECKING:
    from exam_cli.images.archive.manifest import Manifest

_HEX = re.compile("[0-9a-f]{64}")


def _hex(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    value = value.strip().lower().removeprefix("sha256:")
    if not _HEX.fullmatch(value):
        raise click.BadParameter("give 64 hexadecimal digits, as `exam images save` printed them.")
    return value


def _told(manifest: Manifest) -> dict[str, object]:
    return {
        "edition": manifest.edition,
        "variant": manifest.variant,
        "architecture": manifest.architecture,
        "lock_sha256": manifest.fingerprint,
        "images": {one.role: one.digest for one in manifest.images},
        "sources": len(manifest.sources),
        "program": manifest.program,
    }


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--edition", default="tf2.21", show_default=True)
@click.option("--gpu", is_flag=True, help="The edition's GPU variant.")
@click.option(
    "--exam",
    "exams",
    multiple=True,
    metavar="FILE",
    help="Also what the sections of this exam.yaml are built from; may be given again.",
)
@json_option
def save(file: Path, edition: str, gpu: bool, exams: tuple[str, ...], as_json: bool) -> None:
    """Write images, locks and the data's sources to one archive, for machines without a network.

    It prints the archive's sha256: tell it to those who load the archive, on another way.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.config.exam import load_exam
    from exam_cli.sitting.moving import save as write

    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    rules = [load_exam(one) for one in exams]
    with showing_progress(quiet=as_json) as progress:
        done = write(file, wanted, rules, connect(), progress)
    if as_json:
        told = {"archive": str(file), "sha256": done.sha256, "bytes": done.bytes}
        click.echo(json.dumps({**told, **_told(done.manifest)}))
        return
    show(f"Archive  {file}, {done.bytes / 1e6:,.0f} MB")
    show(f"sha256   {done.sha256}")
    show(f"There    exam images load {file.name} --sha256 {done.sha256}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--sha256",
    metavar="HEX",
    callback=_hex,
    help="Refuse any archive but this one; `exam images save` printed it.",
)
@json_option
def load(file: Path, sha256: str | None, as_json: bool) -> None:
    """Load an archive that `exam images save` wrote; `-` reads standard input.

    All of it is checked before anything is loaded. Afterwards `exam up` needs no network.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.sitting.moving import load as read

    with showing_progress(quiet=as_json) as progress:
        done = read(None if str(file) == "-" else file, sha256, connect(), progress)
    if as_json:
        told = {
            "archive": done.archive,
            "sha256": done.sha256,
            "vouched": done.vouched,
            "new_images": done.new,
            "new_sources": done.sources,
        }
        click.echo(json.dumps({**told, **_told(done.manifest)}))
        return
    if done.vouched == "nobody":
        click.echo(
            "Nobody vouches for these images: the edition records none for this machine, and no "
            "--sha256 was given.",
            err=True,
        )
    show(f"sha256     {done.sha256}")
    show(f"grader     {done.names.grader}")
    show(f"workspace  {done.names.workspace}")
    edition = "" if done.manifest.edition == "tf2.21" else f" --edition {done.manifest.edition}"
    gpu = " --gpu" if done.manifest.variant == "gpu" else ""
    show(f"{'Loaded' if done.new else 'All was here already'}: exam up{edition}{gpu}")
