"""`exam verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from exam_cli.cli.common import connect, current_session, json_option, workspace_option


@click.command()
@click.argument("receipt", type=click.Path(path_type=Path), required=False)
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public key (PEM) of whoever graded: no other is believed.",
)
@click.option("--no-grade", is_flag=True, help="Check signature and ledger, and grade nothing.")
@click.option("--public-key", is_flag=True, help="Print this machine's public key, to give away.")
@workspace_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    receipt: Path | None,
    key: Path | None,
    no_grade: bool,
    public_key: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Check RECEIPT, a receipt or a badge: who signed it, and whether the grade is what it says.

    The model that was kept is graded again, in the same image on the same hidden rows. Without
    RECEIPT, the ledger and all receipts of the current session are checked, and nothing is graded.

    Exit status: 0 all is well, 1 something differs, was forged or is unknown, 3 our fault.
    """
    from exam_cli.cli.screen import show, showing_progress
    from exam_cli.sitting.verify import verify, verify_session

    if public_key:
        _show_key(as_json)
        return
    if receipt is None:
        if key is not None:
            raise click.UsageError("--key needs a RECEIPT to check.")
        session = current_session(workspace)
        place = session.directory / "receipts"
        found = verify_session(session)
    else:
        place = receipt
        with showing_progress(quiet=as_json) as progress:
            found = verify(receipt, key, not no_grade, connect, progress)
    if as_json:
        click.echo(json.dumps(found.as_json(place), ensure_ascii=False))
    else:
        width = max(len(one.topic) for one in found.findings)
        for one in found.findings:
            word = {True: "ok", False: "WRONG", None: "-"}[one.good]
            show(f"{one.topic:{width}}  {word:5}  {one.text}")
    ctx.exit(0 if found.good else 1)


def _show_key(as_json: bool) -> None:
    from exam_cli.receipts.data_integrity import did_key
    from exam_cli.receipts.keys import signing_key

    public = signing_key().public
    if as_json:
        told = {"keyid": public.keyid, "did": did_key(public), "pem": public.pem}
        click.echo(json.dumps(told))
    else:
        click.echo(public.pem, nl=False)
