"""`exam images verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exam_cli.cli.common import connect, json_option

if TYPE_CHECKING:
    from exam_cli.images.verify import Finding


@click.command("verify")
@click.option("--edition", default="tf2.21", show_default=True)
@click.option("--gpu", is_flag=True, help="The variant with CUDA.")
@click.option("--rebuild", is_flag=True, help="Build again without caches, and compare with that.")
@click.option(
    "--fresh", is_flag=True, help="With --rebuild: Debian's base and packages are new, too."
)
@click.option("--record", is_flag=True, help="Write the digests into the edition's file.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    edition: str,
    gpu: bool,
    rebuild: bool,
    fresh: bool,
    record: bool,
    as_json: bool,
) -> None:
    """Check that an edition's images are what its file records, to the bit.

    Every layer is read and hashed. With --rebuild both images are built again from clean caches;
    what differs is told by layer and file, and what was built is removed.

    Exit status: 0 the same, 1 something differs or nothing is recorded, 3 our fault.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.images.rebuild import compare_with_rebuilt
    from exam_cli.images.recorded import record as write
    from exam_cli.images.verify import inspect

    if fresh and not rebuild:
        raise click.UsageError("--fresh goes with --rebuild.")
    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    engine = connect()
    with showing_progress(quiet=as_json) as progress:
        found = inspect(engine, wanted, progress)
        if rebuild:
            found = compare_with_rebuilt(engine, wanted, found, progress, fresh=fresh)
        written = write(engine, wanted, found) if record else None
    if as_json:
        told = {**found.as_json(), "written": str(written) if written else None}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print(found)
        if written:
            show(f"Recorded in {written}.")
    ctx.exit(0 if found.same or written else 1)


def _print(found: Finding) -> None:
    from exam_cli.cli.screen import show

    for image in found.images:
        show(f"{image.role}  {image.name}  {image.digest}")
        width = max(len(layer.name) for layer in image.layers)
        for layer in image.layers:
            show(f"  {layer.name:{width}}  {_word(layer.same, layer.recorded or layer.rebuilt)}")
            if layer.content not in (layer.digest, None):
                show(f"    its bytes are {layer.content}, and the engine says {layer.digest}")
            elif layer.content is None:
                show("    its bytes cannot be read")
            for word, other in (("recorded", layer.recorded), ("rebuilt", layer.rebuilt)):
                if other not in (layer.digest, None):
                    show(f"    here {layer.digest}, {word} {other}")
            for one in layer.differences:
                show(f"    {one.path}: {', '.join(one.how)}")
            if layer.more:
                show(f"    and {layer.more} more files")
        for words in image.settings:
            show(f"  settings differ: {words}")
    for note in found.notes:
        show(note)
    if found.compared:
        show("All is the same." if found.same else "These images are not the recorded ones.")


def _word(same: bool, compared: object) -> str:
    if not same:
        return "DIFFERS"
    return "same" if compared else "whole"
