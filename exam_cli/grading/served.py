"""Several grades from one import: a predictor that serves one candidate, a scorer that serves all.

Each answer comes from a fork of a program that has done its imports (images/programs/serve.py).
Only a clean one is taken from here. Whatever else happens, be it the model's fault or ours, the
container is destroyed and nothing is concluded: the model is graded again in containers of its own,
and the evidence found there decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar

from exam_cli.config.section import Section
from exam_cli.errors import OurFault
from exam_cli.grading.box import Box
from exam_cli.grading.environment import Environment, Needs
from exam_cli.grading.predictor import (
    Predictions,
    PredictorRun,
    Question,
    answer_to,
    ask,
    predictions_in,
    predictor_needs,
)
from exam_cli.grading.scorer import SCORER_NEEDS, Scored, score
from exam_cli.grading.verdict import Rejection
from exam_cli.sections.vault import Tensor

T = TypeVar("T")


class Server:
    """A container that answers again and again; it is started when it is first needed.

    Use it as a context manager: the container is gone afterwards.
    """

    def __init__(self, environment: Environment, program: str) -> None:
        self._environment = environment
        self._program = program
        self._needs: Needs | None = None
        self._box: Box | None = None

    def box(self, needs: Needs) -> Box:
        """Return the container; one with other caps than needed is replaced. Raises `OurFault`."""
        if needs != self._needs:
            self.close()
        if self._box is None:
            spec = self._environment.container(self._program, needs, "--serve")
            self._box = Box.fresh(self._environment.engine, spec)
            self._needs = needs
        return self._box

    def close(self) -> None:
        """Destroy the container; when there is need again, another is started."""
        box, self._box = self._box, None
        if box is not None:
            with box:
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Serving:
    """What grades quickly the models of one candidate.

    Args:
        predictor: serves this candidate alone.
        scorer: may serve any number of them, one at a time; it never meets a model.
        stopped: says whether nothing more is to be begun.
    """

    def __init__(self, predictor: Server, scorer: Server, stopped: Callable[[], bool]) -> None:
        self._predictor = predictor
        self._scorer = scorer
        self._stopped = stopped

    def answer(
        self, question: Question, labels: Tensor, run: PredictorRun
    ) -> tuple[Predictions, Scored] | None:
        """Return a model's predictions and what they score, or None if it must be graded alone.

        Raises `OurFault` when the grading was stopped.
        """
        predictions = self._tried(self._predictor, lambda: self._predict(question, run))
        if predictions is None:
            return None
        section = question.section
        found = self._tried(self._scorer, lambda: self._score(predictions, labels, section))
        return None if found is None else (predictions, found)

    def _predict(self, question: Question, run: PredictorRun) -> Predictions:
        needs = predictor_needs(question.section)
        box = self._predictor.box(needs)
        ask(question, box, run)
        return predictions_in(answer_to(question, box, run), question)

    def _score(self, predictions: Predictions, labels: Tensor, section: Section) -> Scored:
        return score(self._scorer.box(SCORER_NEEDS), predictions, labels, section)

    def _tried(self, server: Server, answer: Callable[[], T]) -> T | None:
        """Return a clean answer; if there is none, destroy the server and return None."""
        try:
            return answer()
        except (Rejection, OurFault):
            server.close()
            if self._stopped():
                raise OurFault("The grading was stopped.") from None
            return None
