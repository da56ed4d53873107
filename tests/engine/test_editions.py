"""The older editions: what is promised of the default one holds on Keras 2, and on Python 3.9.

`exam up`, Jupyter with the exam's part in it, starters and references of all five
sections, the end of an exam; and a handful of verdicts, for models of each edition's own Keras and
of another's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exam_cli.config.edition import DEFAULT_EDITION, Edition, Role, edition_names, load_edition
from exam_cli.config.section import Section
from exam_cli.engine.port import Engine
from exam_cli.grading.environment import Environment
from exam_cli.grading.grade import grade
from exam_cli.grading.intake import take
from exam_cli.grading.verdict import Verdict
from exam_cli.images.bill import bill_of, strays
from exam_cli.images.build import architecture_of, ensure_images
from exam_cli.images.listing import subject_of
from exam_cli.progress import SILENT
from exam_cli.sections.catalog import shipped_section
from exam_cli.sections.vault import SectionData, section_data
from tests.bills import check_bill
from tests.conftest import SEED
from tests.engine.models import run_script
from tests.engine.road import Road, candidate, http
from tests.sentence import check_sentence

pytestmark = [pytest.mark.engine, pytest.mark.slow]

OLD = [name for name in edition_names() if name != DEFAULT_EDITION]
SECTIONS = [shipped_section(number) for number in range(1, 6)]
IDS = [one.slug for one in SECTIONS]
QUICK = 6  # seconds
EXECUTE = """
import nbclient, nbformat
notebook = nbformat.read("starter.ipynb", 4)
nbclient.NotebookClient(notebook).execute()
"""
VERSIONS = """
import importlib.metadata, json, keras, tensorflow, tensorflow_datasets
names = ("tensorflow-datasets", "Pillow", "pandas", "numpy", "scipy")
found = {name.lower(): importlib.metadata.version(name) for name in names}
print(json.dumps({**found, "tensorflow": tensorflow.__version__, "keras": keras.__version__}))
"""
PINS = {
    "cert-2022": ("4.6.0", "9.1.1", "1.4.2", "1.22.4", "1.7.3"),
    "cert-2023": ("4.9.2", "10.0.0", "2.0.3", "1.24.3", "1.10.1"),
}


@pytest.fixture(scope="module", params=OLD)
def old(request: pytest.FixtureRequest, docker_engine: Engine) -> Edition:
    """An edition that exists for the engine's architecture."""
    edition = load_edition(request.param)
    if architecture_of(docker_engine) not in edition.architectures:
        pytest.skip(f"{edition.edition} does not exist for this architecture")
    ensure_images(docker_engine, edition, SILENT)  # `exam up` would; a busy machine takes minutes
    return edition


@pytest.fixture(scope="module")
def sitting(
    old: Edition, docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Road]:
    """A candidate who has typed `exam up --edition` of it, and nothing else."""
    places = tmp_path_factory.mktemp("sitting"), tmp_path_factory.mktemp("home")
    with candidate(docker_engine, *places, "--edition", old.edition) as road:
        yield road


def test_jupyter_answers_with_the_exam_in_it_and_so_does_ssh(sitting: Road) -> None:
    there = sitting.exam("attach", "jupyter", "--json").json
    root = there["url"].split("/lab")[0]
    shown = http(f"{root}/exam/now", token=there["token"])
    assert [one["section"] for one in shown.json["exam"]["sections"]] == [1, 2, 3, 4, 5]
    page = http(there["url"]).body.decode()
    assert '"name": "exam"' in page, "the exam's extension is served with JupyterLab"
    door = sitting.exam("attach", "pycharm", "--json").json
    line = ["ssh", "-i", door["key"], "-p", str(door["port"]), "-o", "StrictHostKeyChecking=no"]
    line += ["-o", "UserKnownHostsFile=/dev/null", f"{door['user']}@{door['host']}", "python -V"]
    said = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.startswith("Python 3.")


def test_it_holds_what_it_promises(sitting: Road, old: Edition) -> None:
    (sitting.workspace / "versions.py").write_text(VERSIONS)
    done = sitting.exam("run", "versions.py")
    assert done.status == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    assert tuple(found[one] for one in ("tensorflow", "keras")) == (old.tensorflow, old.keras)
    names = ("tensorflow-datasets", "pillow", "pandas", "numpy", "scipy")
    assert tuple(found[name] for name in names) == PINS[old.edition]


@pytest.mark.parametrize("role", ["grader", "workspace"])
def test_its_bill_of_materials_is_what_its_locks_say(
    docker_engine: Engine, old: Edition, role: Role
) -> None:
    subject = subject_of(docker_engine, old, role)
    assert strays(subject) == []
    check_bill(bill_of(subject))


@pytest.mark.parametrize("section", SECTIONS, ids=IDS)
def test_the_starter_is_worth_something_and_the_reference_a_five(
    sitting: Road, old: Edition, section: Section
) -> None:
    place = sitting.workspace / section.directory
    (place / "execute.py").write_text(EXECUTE)
    assert sitting.exam("run", f"{section.directory}/execute.py").status == 0
    started = sitting.exam("grade", str(section.section), "--json").json
    assert started["verdict"] == "scored" and started["score"] in range(1, 5), started
    (place / "model.keras").unlink()
    shutil.copy(section.folder / "reference.py", place)
    done = sitting.exam("run", f"{section.directory}/reference.py", timeout=600)
    assert done.status == 0, done.err
    answer = sitting.exam("grade", str(section.section), "--json").json
    assert (answer["verdict"], answer["score"]) == ("scored", 5), answer
    told = answer["environment"]
    assert (told["edition"], told["tensorflow"]) == (old.edition, old.tensorflow)
    assert told["python"].startswith(old.python)


def test_five_references_pass_the_exam(sitting: Road) -> None:
    done = sitting.exam("submit", "--yes", "--json").json
    assert (done["total"], done["passed"]) == (100, True)
    assert (sitting.workspace / "result" / "report.html").is_file()


# Verdicts, in the predictor and the scorer themselves.


@pytest.fixture(scope="module")
def grader(old: Edition, docker_engine: Engine) -> Environment:
    return place_of(old, docker_engine)


def place_of(edition: Edition, engine: Engine) -> Environment:
    return Environment(
        engine=engine,
        image=ensure_images(engine, edition, SILENT).grader,
        edition=edition.edition,
        variant="cpu",
        tensorflow=edition.tensorflow,
        keras=edition.keras,
        labels={"exam.session": f"test-editions-{os.getpid()}"},
    )


@pytest.fixture(scope="module")
def own(
    old: Edition,
    docker_engine: Engine,
    data: dict[int, SectionData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Models that the edition's own Keras has saved."""
    return made(old, docker_engine, data, tmp_path_factory.mktemp(old.edition))


@pytest.fixture(scope="module")
def modern(
    edition: Edition,
    docker_engine: Engine,
    data: dict[int, SectionData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The same of the default edition's."""
    return made(edition, docker_engine, data, tmp_path_factory.mktemp("modern"))


def made(edition: Edition, engine: Engine, data: dict[int, SectionData], to: Path) -> Path:
    shutil.copy(Path(__file__).with_name("edition_models.py"), to)
    shutil.copy(data[1].train["train.csv"], to / "train.csv")
    image = ensure_images(engine, edition, SILENT).workspace
    run_script(engine, image, to, ["edition_models.py", "made", "train.csv"])
    return to / "made"


def judged(
    models: Path, name: str, grader: Environment, data: dict[int, SectionData], to: Path
) -> Verdict:
    section = shipped_section(1)
    limits = replace(section.limits, predict_seconds=QUICK)
    section = replace(section, limits=limits, bands=(1500.0, 1000.0, 750.0, 550.0, 400.0))
    probe = data[1].sets["probe"]
    verdict = grade(take(section, models / name, to), section, probe, grader)
    check_sentence(verdict, probe.inputs[0].path.read_bytes())
    return verdict


@pytest.mark.parametrize(
    ("name", "reason", "says"),
    [
        ("narrow", "wrong_input", "float32 (None, 8); it must take float32 (rows, 9)"),
        ("nan", "not_finite", "not finite"),
        ("ends", "crashed", "exit status 7"),
        # Keras 2 calls every layer while it loads: what is refused there is told of loading.
        ("lies_dead", "load_failed", ""),
        ("sleeps", "timeout", "6 s"),
        ("eats", "out_of_memory", "memory"),
        ("looks_out", "load_failed", ""),
    ],
)
def test_what_is_at_fault_is_told_as_on_any_edition(
    own: Path,
    grader: Environment,
    data: dict[int, SectionData],
    tmp_path: Path,
    name: str,
    reason: str,
    says: str,
) -> None:
    verdict = judged(own, name, grader, data, tmp_path)
    assert (verdict.status, verdict.reason) == ("rejected", reason), verdict
    assert (verdict.score, verdict.measured) == (0, None)
    assert says in verdict.message


def test_an_honest_model_is_answered_for_alike_every_time_and_in_every_format(
    own: Path, grader: Environment, data: dict[int, SectionData], tmp_path: Path
) -> None:
    names = ("good_keras", "good_keras", "good_h5", "good_savedmodel")
    verdicts = [judged(own, name, grader, data, tmp_path) for name in names]
    assert all(one.status == "scored" and (one.score or 0) >= 1 for one in verdicts), verdicts
    assert verdicts[0].predictions_sha256 == verdicts[1].predictions_sha256
    values = [one.measured.value for one in verdicts if one.measured]
    assert max(values) == pytest.approx(min(values), rel=1e-4)


def test_a_model_of_another_keras_is_told_for_which_edition_it_was_made(
    modern: Path,
    own: Path,
    old: Edition,
    grader: Environment,
    edition: Edition,
    docker_engine: Engine,
    data: dict[int, SectionData],
    tmp_path: Path,
) -> None:
    newer = judged(modern, "good_keras", grader, data, tmp_path)
    assert (newer.status, newer.reason) == ("rejected", "version_mismatch"), newer
    assert f"does not load in this edition's Keras {old.keras}" in newer.message
    assert f"tensorflow=={old.tensorflow} keras=={old.keras}" in newer.message
    assert f"made for the edition {edition.edition}" in newer.message
    here = place_of(edition, docker_engine)
    older = judged(own, "good_keras", here, data, tmp_path)
    if older.status == "rejected":  # a newer Keras may load what an older one has saved
        assert "name it model.h5" in older.message or older.reason == "version_mismatch", older
    if older.reason == "version_mismatch":
        assert f"made for the edition {old.edition}" in older.message


def test_the_hidden_rows_of_a_seed_are_the_same_on_every_edition(
    old: Edition,
    docker_engine: Engine,
    data: dict[int, SectionData],
    tmp_path: Path,
) -> None:
    """All but pictures, which the edition's own Pillow decodes and scales."""
    image = ensure_images(docker_engine, old, SILENT).workspace
    for number, there in data.items():
        vault, architecture = tmp_path / str(number), architecture_of(docker_engine)
        vault.mkdir()
        here = section_data(
            shipped_section(number), SEED, vault, docker_engine, image, architecture
        )
        assert {name: one.sha256 for name, one in here.sets.items()} == {
            name: one.sha256 for name, one in there.sets.items()
        }
