"""Make a recorded grade once more, in the image it was made in, and tell precisely what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from exam_cli.config.edition import LAYERS
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
    """What came of it: what differs, in words, and what is other without making a difference.

    `environment` says in what the environment is another one, and `advice` what to do about that;
    `unknown` that the row does not name its environment, so that nobody can tell.
    """

    differences: tuple[str, ...]
    remarks: tuple[str, ...]
    environment: tuple[str, ...] = ()
    advice: str = ""
    unknown: bool = False

    @property
    def equal(self) -> bool | None:
        """Whether it is the same grade, made in the same environment; None: nobody can tell."""
        if self.differences or self.environment:
            return False
        return None if self.unknown else True


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
    around = Circumstances(section, silenced=False)
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
    other = tuple(other_environment(recorded, verdict.as_json(None)["environment"], now["layers"]))
    return Again(
        tuple(_differences(recorded, verdict, now, shy)),
        tuple(_remarks(recorded, verdict, section, now)),
        other,
        _advice(recorded["environment"]) if other else "",
        recorded["environment"].get("digest") is None,
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
    lock = recorded["environment"].get("lock_sha256")
    if lock is None or not any(tag.endswith(f"-{lock[:12]}") for tag in image.tags):
        lock = environment.lock_sha256  # no name of it says that it was made from that lock
    return replace(environment.of_image(image), image=then, lock_sha256=lock)


def other_environment(
    recorded: Mapping[str, Any], here: Mapping[str, Any], layers: Sequence[str]
) -> Iterator[str]:
    """Yield in what the environment of a recorded grade is not the one that is here.

    Args:
        recorded: the grade in the ledger, or in the examiner's book.
        here: the `environment` object of a grade that would be made here now.
        layers: the diff ids of its image, bottom first.

    Of a row from before environments had a digest, only what it names is compared.
    """
    then = recorded["environment"]
    names = {
        "digest": "environment digest",
        "lock_sha256": "lock",
        "edition": "edition",
        "variant": "variant",
        "tensorflow": "TensorFlow",
        "python": "Python",
    }
    for key, name in names.items():
        if then.get(key) is not None and then[key] != here[key]:
            yield f"{name} {_short(then[key])} then, {_short(here[key])} now"
    was = recorded["circumstances"]["layers"]
    if was is None or was == list(layers):
        return
    if len(was) != len(layers):
        yield f"{len(was)} layers then, {len(layers)} now"
        return
    words = LAYERS["grader"]
    named = words if len(words) == len(was) else [""] * len(was)
    for number, (one, other, word) in enumerate(zip(was, layers, named, strict=True), 1):
        if one != other:
            told = f" ({word})" if word else ""
            yield f"layer {number} of {len(was)}{told} {_short(one)} then, {_short(other)} now"


def _advice(then: Mapping[str, Any]) -> str:
    digest = then.get("digest")
    which = f"the environment {digest}" if digest else f"the image {then['image']}"
    return (
        f"this grade was made in {which} and cannot be confirmed in another: bring that one with "
        "`exam images load` or `exam images pull`, or verify with the version of this program that "
        f"made it (edition {then['edition']}"
        + (f", lock {then['lock_sha256'][:12]}" if then.get("lock_sha256") else "")
        + ")"
    )


def _differences(
    recorded: Mapping[str, Any], verdict: Verdict, now: Mapping[str, Any], shy: bool
) -> Iterator[str]:
    """Yield each thing that is not as it was recorded; if `shy`, no more of it than a receipt."""
    then, made = recorded["circumstances"], verdict.as_json(None)
    pairs = [
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
    """Return a value in words: of a hash its beginning."""
    text = str(value).removeprefix("sha256:")
    return text[:12] if len(text) == 64 else text
