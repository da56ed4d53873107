"""Which base is taken: what is here, else what a registry serves, else what debootstrap makes."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from exam_cli.config.edition import load_edition
from exam_cli.engine.fake import FakeEngine
from exam_cli.errors import ExamError
from exam_cli.images import base
from exam_cli.images.base import ensure_base

EDITION = load_edition("tf2.21")
PULLED = f"debian@{EDITION.base.digest}"
MADE = base.base_names(EDITION, "x86_64")["made"]


@dataclass
class Registry(FakeEngine):
    """An engine whose registry serves everything."""

    def fetch(self, reference: str, told: Callable[[int, int], None]) -> None:
        self.known.add(reference)


class Heard:
    """Keeps what was said aloud."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def step(self, title: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


def test_a_registry_that_answers_is_asked_by_digest() -> None:
    heard = Heard()
    assert ensure_base(Registry(), EDITION, "x86_64", heard) == PULLED
    assert heard.said == [f"Base: {EDITION.base.image}, pulled by digest."]


def test_without_a_registry_debootstrap_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(base, "make_base", lambda *arguments: made.append(arguments[3]))
    heard = Heard()
    assert ensure_base(FakeEngine(), EDITION, "x86_64", heard) == MADE
    assert made == [MADE]
    assert "no image registry answers" in heard.said[0]


@pytest.mark.parametrize("reference", [PULLED, MADE])
def test_what_is_here_is_taken_without_a_word(reference: str) -> None:
    heard = Heard()
    assert ensure_base(FakeEngine(known={reference}), EDITION, "x86_64", heard) == reference
    assert heard.said == []


def test_neither_a_registry_nor_root_is_told_with_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ExamError, match="sudo exam images build"):
        ensure_base(FakeEngine(), EDITION, "x86_64", Heard())
