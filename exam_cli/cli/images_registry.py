"""`exam images push`, `exam images pull`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exam_cli.config.edition import Edition
    from exam_cli.images.registry import Remote

_edition = click.option("--edition", default="tf2.21", show_default=True)
_gpu = click.option("--gpu", is_flag=True, help="The edition's GPU variant.")


@click.command()
@click.argument("place")
@_edition
@_gpu
@json_option
def push(place: str, edition: str, gpu: bool, as_json: bool) -> None:
    """Send an edition's images to PLACE in a registry, such as registry.example/exams.

    It prints their references by digest: give those to `exam images pull`. Who may send is the
    registry's affair: `docker login` first.
    """
    from exam_cli.cli.screen import showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.images.registry import push as send

    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    with showing_progress(quiet=as_json) as progress:
        done = send(connect(), wanted, place, progress)
    _show(done, wanted, as_json)
    if not as_json:
        click.echo(f"There      exam images pull {' '.join(one.reference for one in done)}")


@click.command()
@click.argument("references", nargs=-1, required=True)
@_edition
@_gpu
@click.option(
    "--unrecorded",
    is_flag=True,
    help="Take images that the edition does not record, on the word of who gave you the digests.",
)
@json_option
def pull(
    references: tuple[str, ...], edition: str, gpu: bool, unrecorded: bool, as_json: bool
) -> None:
    """Fetch an edition's images from a registry, each by its digest, never by a tag."""
    from exam_cli.cli.screen import showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.images.registry import pull as fetch

    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    with showing_progress(quiet=as_json) as progress:
        done = fetch(connect(), wanted, references, progress, unrecorded=unrecorded)
    _show(done, wanted, as_json)


def _show(done: Sequence[Remote], edition: Edition, as_json: bool) -> None:
    if as_json:
        images = {one.role: {"reference": one.reference, "digest": one.digest} for one in done}
        told = {"edition": edition.edition, "variant": edition.variant, "images": images}
        click.echo(json.dumps(told))
        return
    for one in done:
        click.echo(f"{one.role:<9}  {one.reference}")
