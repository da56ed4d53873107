"""Images that come from elsewhere: does the edition's own record know them?"""

from __future__ import annotations

from collections.abc import Mapping

from exam_cli.config.edition import Architecture, Edition, Role


def is_recorded(
    edition: Edition, architecture: Architecture, digests: Mapping[Role, str]
) -> bool | None:
    """Say whether the edition records these environment digests, on whichever kind of base.

    None when it records none for this architecture and its variant.
    """
    records = [
        {"grader": one.grader.digest, "workspace": one.workspace.digest}
        for one in edition.digests
        if (one.architecture, one.variant) == (architecture, edition.variant)
    ]
    if not records:
        return None
    return any(all(record[role] == digests[role] for role in digests) for record in records)
