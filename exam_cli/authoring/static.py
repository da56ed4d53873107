"""What can be told of a section without training: its files, its words, its data's bytes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from exam_cli.authoring.notebook import NOTEBOOK, SCRIPT, is_in_step
from exam_cli.authoring.results import data_key, seed_bytes
from exam_cli.authoring.rules import Judgement
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.errors import ExamError
from exam_cli.files import write_file
from exam_cli.images.build import architecture_of
from exam_cli.paths import cache_dir
from exam_cli.sections.vault import SectionData, section_data

FILES = ("task.md", SCRIPT, NOTEBOOK, "dataset.py")

_BAND = re.compile(r"^\| *at (most|least) +([\d.,]+) *\| *(\d) *\|$", re.MULTILINE)


def file_problems(section: Section) -> list[Judgement]:
    """Return what the rules about files and text say."""
    return [
        Judgement("all files are there", tuple(_missing(section))),
        Judgement("task.md tells bands and limits", tuple(_task_text(section))),
        Judgement(f"{NOTEBOOK} is that of {SCRIPT}", tuple(_notebook(section.folder))),
    ]


def _missing(section: Section) -> Iterator[str]:
    wanted = [*FILES, *(f"{rung}.py" for rung in section.ladder)]
    if section.metric.file:
        wanted.append(section.metric.file)
    for name in dict.fromkeys(wanted):
        if not (section.folder / name).is_file():
            yield f"There is no {name}."


def _task_text(section: Section) -> Iterator[str]:
    path = section.folder / "task.md"
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    told = {int(score): float(value.replace(",", "")) for _, value, score in _BAND.findall(text)}
    bands = dict(enumerate(section.bands, 1))
    word = "most" if section.metric.better == "lower" else "least"
    if told != bands:
        yield (
            f"task.md says {_bands(told)} and section.yaml {_bands(bands)}: write one line "
            f"`| at {word} THRESHOLD | SCORE |` for each."
        )
    elif any(found != word for found, _, _ in _BAND.findall(text)):
        yield f"task.md must say `at {word}` of its bands: {section.metric.better} is better."
    limit = f"at most {section.contract.max_megabytes} MB"
    if limit not in text:
        yield f"task.md does not say `{limit}`, the largest model that is accepted."


def _bands(bands: dict[int, float]) -> str:
    return ", ".join(f"{score}: {value:g}" for score, value in sorted(bands.items())) or "no bands"


def _notebook(folder: Path) -> Iterator[str]:
    if not (folder / NOTEBOOK).is_file() or not (folder / SCRIPT).is_file():
        return  # told as missing
    try:
        if not is_in_step(folder):
            yield f"{NOTEBOOK} is not that of {SCRIPT}: run `exam author notebook {folder}`."
    except ExamError as error:
        yield str(error)


def data_problems(section: Section, data: SectionData) -> Judgement:
    """Return whether what dataset.py makes is what section.yaml and task.md say."""
    problems = [*_sets(section, data)]
    task = section.folder / "task.md"
    text = task.read_text(encoding="utf-8") if task.is_file() else ""
    problems += [
        f"task.md does not tell of `{name}`, which the candidate gets."
        for name in [*data.train, *data.trees]
        if name not in text
    ]
    return Judgement("the data is as section.yaml and task.md say", tuple(problems))


def _sets(section: Section, data: SectionData) -> Iterator[str]:
    wanted = {form.name: (form.dtype, list(form.shape)) for form in section.contract.inputs}
    for name, found in data.sets.items():
        forms = {
            str(tensor.description["name"]): (
                tensor.description["dtype"],
                list(tensor.description["shape"][1:]),
            )
            for tensor in found.inputs
        }
        if forms != wanted:
            yield f"The {name} set has inputs {_forms(forms)}, section.yaml has {_forms(wanted)}."
        rows = [tensor.description["shape"][0] for tensor in found.inputs]
        if found.labels is not None:
            rows.append(found.labels.description["shape"][0])
        if len(set(rows)) > 1:
            yield f"The {name} set has parts of {' and '.join(map(str, sorted(set(rows))))} rows."
        if (found.labels is None) != (name == "sample"):
            yield f"The {name} set {'lacks' if found.labels is None else 'must not have'} labels."


def _forms(forms: Mapping[str, tuple[str, list[int]]]) -> str:
    told = (f"{name} ({dtype} {shape})" for name, (dtype, shape) in sorted(forms.items()))
    return ", ".join(told)


def same_bytes_twice(section: Section, engine: Engine, image: str) -> list[Judgement]:
    """Build seed 1 anew and compare it with what is kept; what was found equal once is not again.

    Raises what building raises.
    """
    rule = "the same seed gives the same bytes"
    kept = cache_dir() / "ladder" / "data" / data_key(section, 1)
    mark = kept / "same-bytes-twice"
    if mark.is_file():
        return [Judgement(rule, ())]
    architecture = architecture_of(engine)
    section_data(section, seed_bytes(1), kept, engine, image, architecture)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        section_data(section, seed_bytes(1), Path(scratch), engine, image, architecture)
        one, other = (_hashes(place / section.directory) for place in (kept, Path(scratch)))
    problems = tuple(
        f"dataset.py gives another {part} when it runs again with the same seed."
        for part in sorted({*one, *other})
        if one.get(part) != other.get(part)
    )
    if not problems:
        write_file(mark, b"")
    return [Judgement(rule, problems)]


def _hashes(directory: Path) -> dict[str, str]:
    manifest = json.loads((directory / "manifest.json").read_bytes())
    return {
        " ".join(filter(None, [part.get("set"), part["kind"], part["name"]])): part["sha256"]
        for part in manifest["parts"]
    }
