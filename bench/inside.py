"""Grades made in this process, for what the command line does not tell: hashes, descriptors."""

from __future__ import annotations

from bench.references import References
from bench.stage import Stage
from exam_cli.config.section import Section
from exam_cli.engine.docker import DockerEngine
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.grading.served import Serving
from exam_cli.grading.verdict import Verdict
from exam_cli.sections.vault import read_section_data


class Inside:
    """Grades the references on the probe sets of a session, as often as asked."""

    def __init__(self, stage: Stage, refs: References) -> None:
        self._refs = refs
        self._snapshots = stage.work / "snapshots"
        vault = stage.work / "home" / "sessions" / refs.session / "vault"
        self._data = {
            one.section: read_section_data(vault / one.directory).sets["probe"]
            for one in refs.sections
        }
        self.environment = Environment(
            engine=DockerEngine(),
            image=stage.images.grader,
            edition=stage.edition.edition,
            variant="cpu",
            tensorflow=stage.edition.tensorflow,
            keras=stage.edition.keras,
            labels={"exam.bench": "inside", "exam.session": "bench-inside"},
        )
        for section in refs.sections:
            refs.hand_in(section)

    def grade(self, section: Section, serving: Serving | None = None) -> Verdict:
        """Take the reference in and grade it."""
        submission = take(section, self._refs.workspace, self._snapshots)
        data = self._data[section.section]
        return grade(submission, section, data, self.environment, serving=serving)
