"""Images built again from clean caches: the same to the bit? And what does proof cost?"""

from __future__ import annotations

import os
import time

from bench import timing
from bench.rows import Part, Row, row
from bench.stage import EXAM, Stage
from exam_cli.images.rebuild import rebuilt
from exam_cli.progress import SILENT

# What DOCKER_BUILDKIT says in each round, and whose builder that is.
_ROUNDS = (("0", "classic builder"), ("1", "BuildKit"), ("1", "BuildKit"))
_ABOUT = """\
Both images are built three times under another name, once by the classic builder and twice by
BuildKit, without the builder's cache, on a Debian that debootstrap made anew (unless a registry
serves the base) and on Debian packages fetched anew; wheels come from the cache, by hash. *Digests*
counts the different environment digests and layers of these builds and of the images that are here.
`exam images verify` reads and hashes every layer of both images; it is measured as it is called."""


def measure(stage: Stage) -> Part:
    """Build three times, then verify what is here."""
    here = {
        "grader": stage.engine.image(stage.images.grader),
        "workspace": stage.engine.image(stage.images.workspace),
    }
    digests: dict[str, set[tuple[str, ...]]] = {}
    for role, image in here.items():
        assert image is not None, "the stage has built them"
        digests[role] = {(image.digest, *image.layers)}
    taken: dict[str, list[float]] = {}
    before = os.environ.get("DOCKER_BUILDKIT")
    try:
        for switch, builder in _ROUNDS:
            stage.say(f"building both images from clean caches: {builder}")
            os.environ["DOCKER_BUILDKIT"] = switch
            started = time.perf_counter()
            with rebuilt(stage.engine, stage.edition, SILENT, fresh=True) as images:
                taken.setdefault(builder, []).append(time.perf_counter() - started)
                for role, image in images.items():
                    digests[role].add((image.digest, *image.layers))
    finally:
        if before is None:
            os.environ.pop("DOCKER_BUILDKIT", None)
        else:
            os.environ["DOCKER_BUILDKIT"] = before
    rows = [
        row(
            f"{role} image: digests of {len(_ROUNDS)} rebuilds and of what is here",
            [len(found)],
            "count",
            at_most=1,
        )
        for role, found in digests.items()
    ]
    rows += [
        row(f"both images from clean caches, {builder}", seconds)
        for builder, seconds in taken.items()
    ]
    return Part("builds", "Builds that repeat", _ABOUT, (*rows, _verified(stage)))


def _verified(stage: Stage) -> Row:
    line = [EXAM, "images", "verify", "--edition", stage.edition.edition]
    # 1: something is not as recorded, which takes as long to find out; the rows above tell what.
    seconds = [timing.run(line, ok=(0, 1)).seconds for _ in range(3)]
    return row("`exam images verify`: both images, every layer", seconds, at_most=20.0)
