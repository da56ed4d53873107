"""`exam images`."""

from __future__ import annotations

import json

import click

from exam_cli.cli import images_archive, images_bill, images_registry, images_verify
from exam_cli.cli.common import connect, json_option


@click.group()
def command() -> None:
    """Build and list the pinned images."""


@command.command()
@click.option("--edition", default="tf2.21", show_default=True)
@click.option("--gpu", is_flag=True, help="The variant with CUDA.")
@click.option("--again", is_flag=True, help="Build them even where they are here.")
def build(edition: str, gpu: bool, again: bool) -> None:
    """Build an edition's images if they are not here.

    EXAM_DEBIAN_MIRROR names the archive that Debian's packages are taken from, such as the archive
    as it was when the edition was locked; EXAM_DEBIAN_KEYRING a file with the keys of its signers,
    where they are not Debian. DOCKER_BUILDKIT=0 builds with the classic builder.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.images.build import ensure_images

    # First: a wrong name is told with or without an engine.
    wanted = load_edition(edition, "gpu" if gpu else "cpu")
    with showing_progress() as progress:
        images = ensure_images(connect(), wanted, progress, again=again)
    show(f"{images.grader}\n{images.workspace}")


@command.command("list")
@click.option("--security", is_flag=True, help="Known holes in the locked Python packages.")
@click.option("--licences", is_flag=True, help="Licences of all that is in the images here.")
@json_option
def list_images(as_json: bool, security: bool, licences: bool) -> None:
    """List editions, and what of them is on this engine."""
    if security and licences:
        raise click.UsageError("--security and --licences are two lists: ask for one of them.")
    if security or licences:
        (images_bill.show_security if security else images_bill.show_licences)(as_json)
        return
    from exam_cli.cli.screen import show, table_of
    from exam_cli.images.listing import listing

    rows = listing(connect())
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows]))
        return
    table = table_of("Edition", "Variant", "Image", "Here", "Size")
    for row in rows:
        for role, image in row.images.items():
            here, size = ("yes", f"{image.size / 1e9:.2f} GB") if image else ("no", "-")
            table.add_row(row.edition, row.variant, row.names[role], here, size)
    show(table)


@command.command()
@click.argument("edition")
def lock(edition: str) -> None:
    """Resolve an edition's lists of names into locks with exact versions and hashes."""
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.config.edition import load_edition
    from exam_cli.images.lock import write_locks

    wanted = load_edition(edition, locked=False)
    with showing_progress() as progress:
        for path in write_locks(wanted, connect(), progress):
            show(str(path))


command.add_command(images_archive.save)
command.add_command(images_archive.load)
command.add_command(images_verify.verify)
command.add_command(images_registry.push)
command.add_command(images_registry.pull)
command.add_command(images_bill.sbom)
