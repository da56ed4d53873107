"""Make a recorded grade once more, in the image it was made in, and tell precisely what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import OurFault
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import Submission
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.catalog import find_section
from exam_cli.session.session import Session
from exam_cli.sitting import leftovers
from exam_cli.sitting.circumstances import Circumstances
from exam_cli.sitting.editions import grading_edition
from exam_cli.sitting.grade import data_and_environment


@dataclass(frozen=True)
class Again:
    """What came of it: what differs, in words, and what is other without making a difference."""

    differences: tuple[str, ...]
    remarks: tuple[str, ...]


def grade_again(
    recorded: Mapping[str, Any],
    submission: Submission,
    session: Session,
    connect: Callable[[], Engine],
) -> Again:
    """Grade a kept model as its row says that it was graded; nothing is recorded.

    Args:
        recorded: the grade in the ledger.
        submission: the kept copy of its model.
        session: whose data and rules are used.
        connect: returns the engine.

    The candidate's warm containers are left for the candidate.
    Raises `OurFault` when it cannot be graded for a reason of ours, `ExamError` when the section is
    not there any more, or a wall that official grading needs does not stand here.
    """
    section = find_section(session.rules, recorded["section"])
    edition = grading_edition(session)
    around = Circumstances(section, edition, silenced=False)
    official = "walls" in recorded["isolation"]
    data, environment = data_and_environment(section, session, edition, connect(), official)
    environment = _as_recorded(environment, recorded)
    around.found(environment)
    with leftovers.grading(session):
        verdict = grade(submission, section, data.sets[recorded["set"]["name"]], environment)
    if verdict.status == "failed":
        raise OurFault(
            f"Section {section.section} could not be graded again: {verdict.message}",
            reason=verdict.reason,
        )
    now = around.as_json(verdict)
    shy = session.rules.feedback != "full"
    return Again(
        tuple(_differences(recorded, verdict, now, shy)),
        tuple(_remarks(recorded, verdict, section, now)),
    )


def _as_recorded(environment: Environment, recorded: Mapping[str, Any]) -> Environment:
    """Return the environment with the very image of the grade, where the engine still has it."""
    environment = replace(environment, labels={**environment.labels, "exam.purpose": "verify"})
    then = recorded["environment"]["image"]
    if then is None or then == environment.image_id:
        return environment
    image = environment.engine.image(then)
    if image is None:
        return environment
    layers = tuple(image.layers)
    return replace(environment, image=then, image_id=image.id, image_layers=layers)


def _differences(
    recorded: Mapping[str, Any], verdict: Verdict, now: Mapping[str, Any], shy: bool
) -> Iterator[str]:
    """Yield each thing that is not as it was recorded; if `shy`, no more of it than a receipt."""
    then, made = recorded["circumstances"], verdict.as_json(None)
    pairs = [
        ("image", then["layers"], now["layers"]),
        ("edition", recorded["environment"]["edition"], made["environment"]["edition"]),
        ("section.yaml", then["section_yaml_sha256"], now["section_yaml_sha256"]),
        ("hidden set", recorded["set"]["sha256"], made["set"]["sha256"]),
        ("predictions", then["predictions_sha256"], now["predictions_sha256"]),
        ("verdict", recorded["verdict"], made["verdict"]),
        ("reason", recorded["reason"], made["reason"]),
        ("metric", _metric(recorded), _metric(made)),
        ("score", recorded["score"], made["score"]),
    ]
    for name, was, comes in pairs:
        if was != comes and shy and name in ("predictions", "metric"):
            yield f"{name}: other than then"
        elif was != comes:
            yield f"{name}: {_short(was)} then, {_short(comes)} now"


def _remarks(
    recorded: Mapping[str, Any], verdict: Verdict, section: Section, now: Mapping[str, Any]
) -> Iterator[str]:
    then = recorded["circumstances"]
    if then["section_sha256"] != now["section_sha256"]:
        yield f"other files of section {section.section} have changed since"
    if then["hardware"]["cpu"] != now["hardware"]["cpu"]:
        yield f"on another processor, {now['hardware']['cpu']}"


def _metric(grade: Mapping[str, Any]) -> str | None:
    metric = grade["metric"]
    return None if metric is None else f"{metric['name']} {metric['value']:.4g}"


def _short(value: object) -> str:
    """Return a value in words; of many hashes, how many there are and the last one."""
    if isinstance(value, list):
        return f"{len(value)} layers up to {_short(value[-1])}" if value else "no layers"
    text = str(value).removeprefix("sha256:")
    return text[:12] if len(text) == 64 else text
