"""With a GPU or without: what is asked for, what a session has, and what its engine can give."""

from __future__ import annotations

from exam_cli.config.edition import Variant, load_edition
from exam_cli.config.exam import Exam
from exam_cli.engine.port import Engine
from exam_cli.images.build import architecture_of
from exam_cli.images.gpu import Gpu, NoGpu, need_gpus
from exam_cli.images.variants import require
from exam_cli.progress import Progress
from exam_cli.session.ledger import Ledger
from exam_cli.session.session import Session, change_variant
from exam_cli.workspace.container import runs_variant

CHANGED = "variant"  # the ledger's event


def wanted(asked: Variant | None, known: Session | None) -> Variant:
    """Return the variant to work in: what is asked for, else what the session has, else cpu."""
    if asked is not None:
        return asked
    return "gpu" if known is not None and known.variant == "gpu" else "cpu"


def gpus_for(
    variant: Variant, edition_name: str, rules: Exam, known: Session | None, engine: Engine
) -> tuple[Gpu, ...]:
    """Return the GPUs to work or grade on; none where none are wanted, or only an image can tell.

    Raises `NoGpu` with what is missing and how to go on without, `UsageError` where the edition has
    no such variant.
    """
    if "gpu" not in (variant, rules.grade_on):
        return ()
    edition = load_edition(edition_name, "gpu")
    require(edition, architecture_of(engine))
    try:
        return need_gpus(engine, edition)
    except NoGpu as missing:
        raise NoGpu(f"{missing} {_without(rules, known)}") from missing


def _without(rules: Exam, known: Session | None) -> str:
    if rules.grade_on == "gpu":
        return f"The exam {rules.exam} is graded on a GPU, so it cannot be sat here without one."
    if known is not None and known.variant == "gpu":
        return "To go on without a GPU: `exam up --cpu`."
    return "Without a GPU: `exam up`."


def go_on_in(variant: Variant, session: Session, engine: Engine, progress: Progress) -> Session:
    """Note in record and ledger that a session goes on in a variant; return it as it is now.

    Nothing of the candidate's is lost but what runs: the container is made anew around the same
    directory and home. Raises what writing raises.
    """
    if session.variant == variant:
        return session
    if runs_variant(engine, session) not in (None, variant):
        progress.say(
            f"The workspace starts anew {'with' if variant == 'gpu' else 'without'} a GPU: your "
            "files and your home stay, notebooks and programs that run in it end."
        )
    with Ledger(session.ledger_path) as ledger:
        ledger.append(CHANGED, {"variant": variant, "before": session.variant})
    return change_variant(session, variant)
