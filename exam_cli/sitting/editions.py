"""Which of its edition's variants a session works in, and which its models are graded in."""

from __future__ import annotations

from exam_cli.config.edition import Edition, load_edition
from exam_cli.session.session import Session


def workspace_edition(session: Session) -> Edition:
    """Return the edition as the candidate works in it: with a GPU after `exam up --gpu`."""
    return load_edition(session.edition, session.variant)


def grading_edition(session: Session) -> Edition:
    """Return the edition as models are graded in it, which the exam says: `grade_on`.

    Hidden data is made in it, too, and reports are drawn: nobody's scores, nor what they look like,
    depend on where the candidate trained.
    """
    return load_edition(session.edition, session.rules.grade_on)
