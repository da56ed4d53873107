"""What a poor score most likely comes from, as far as the predictions show it.

The scorer says one word (`images/programs/hints.py`); the sentence is ours and fixed.
"""

from __future__ import annotations

from exam_cli.config.section import Section

POOR = 1  # the highest score that a hint comes with

_SENTENCES = {
    "constant": "The model gives every row the same answer: check that its inputs come as in "
    "training, and that the loss fell.",
    "shifted": "Moved by one class, the predictions would be right far more often: classes count "
    "from 0.",
    "reordered": "With the classes in another order, the predictions would be right far more "
    "often: use the order in task.md (loaders of directories sort names as text).",
    "certain": "The model returns only two different numbers: return how likely a class is, not "
    "which is chosen.",
    "scaled": "Multiplied by one number and moved by another, the predictions would fit far "
    "better: if the targets were scaled in training, scale back and return {unit}; if not, train "
    "longer.",
    "logarithm": "The predictions look like logarithms: the model must return {unit}, so let it "
    "end with the exponential.",
    "reversed": "The two classes look swapped: class 1 must get the larger score.",
}
WORDS = frozenset(_SENTENCES)


def sentence(word: object, score: int, section: Section) -> str | None:
    """Return what to tell about predictions of a score, or None when there is nothing to tell."""
    if score > POOR or not isinstance(word, str) or word not in _SENTENCES:
        return None
    return _SENTENCES[word].format(unit=section.metric.unit or "the units of task.md")
