"""The two image sections: the same picture-making, before drawings of road signs or of cards."""

from __future__ import annotations

import colorsys
import gzip
import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.sections_data.conftest import OTHER_SEED, SEED, load_dataset

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")
pytest.importorskip("resvg_py")

TRAIN, HIDDEN = 3, 2
WARNING = "warning--"
Sources = dict[str, dict[str, bytes]]


def drawing(number: int) -> bytes:
    """A sign that no other number has: the number's bits as black cells on a colour."""
    red, green, blue = (int(255 * part) for part in colorsys.hsv_to_rgb(number * 0.617 % 1, 0.8, 1))
    cells = "".join(
        f'<rect x="{bit % 3 * 8}" y="{bit // 3 * 8}" width="8" height="8"/>'
        for bit in range(8)
        if number >> bit & 1
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24">'
        f'<rect width="24" height="24" fill="rgb({red},{green},{blue})"/>{cells}</svg>'
    ).encode()


def signs(classes: int = 22, each: int = 6) -> dict[str, bytes]:
    return {
        f"package/{WARNING if name % 2 else 'kind-'}{name:02}--g{one}.svg": drawing(
            name * each + one
        )
        for name in range(classes)
        for one in range(1, each + 1)
    }


def deck(number: int) -> bytes:
    """13 columns and 5 rows of cards, each of its own colour."""
    cards = "".join(
        f'<rect x="{column * 10}" y="{row * 14}" width="9" height="13" '
        f'fill="rgb({column * 19},{row * 60},{number * 20})"/>'
        for row in range(5)
        for column in range(13)
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="130" height="70">{cards}</svg>'
    return gzip.compress(svg.encode(), mtime=0)


def photographs() -> dict[str, bytes]:
    """Three photographs: left two thirds red, right third blue."""
    pixels = np.zeros((320, 480, 3), np.uint8)
    pixels[:, :320, 0] = 200
    pixels[:, 320:, 2] = 200
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return {f"photograph-{number}.jpg": stream.getvalue() for number in range(3)}


def sign_sources() -> Sources:
    return {"signs": signs(), "photographs": photographs()}


def card_sources() -> Sources:
    decks = {f"deck-{number}.svgz": deck(number) for number in range(7)}
    return {"decks": decks, "photographs": photographs()}


@pytest.fixture(params=[("3-images", sign_sources), ("3-images-b", card_sources)], ids=["a", "b"])
def both(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[ModuleType, Sources]:
    """A section that makes small sets, and small sources for it."""
    folder, make = request.param
    module = load_dataset(folder)
    monkeypatch.setattr(module, "TRAIN", TRAIN)
    monkeypatch.setattr(module, "HIDDEN", HIDDEN)
    return module, make()


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_dataset("3-images")
    monkeypatch.setattr(module, "TRAIN", TRAIN)
    monkeypatch.setattr(module, "HIDDEN", HIDDEN)
    return module


def decoded(content: bytes) -> Any:
    return Image.open(io.BytesIO(content))


def as_loaded(content: bytes) -> Any:
    """What `keras.utils.load_img(target_size=(32, 32), interpolation="bilinear")` yields."""
    image = decoded(content).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32)


def test_same_seed_same_bytes_and_another_seed_other_pictures(both: Any) -> None:
    module, sources = both
    one, two, other = (module.build(sources, seed) for seed in (SEED, SEED, OTHER_SEED))
    assert one["train"] == two["train"] != other["train"]
    for name in ("probe", "final"):
        image, again = (built[name]["inputs"]["image"] for built in (one, two))
        assert np.array_equal(image, again)
        assert np.array_equal(one[name]["labels"], two[name]["labels"])
        assert not np.array_equal(image, other[name]["inputs"]["image"])
    assert not np.array_equal(one["probe"]["inputs"]["image"], one["final"]["inputs"]["image"])


def test_arrays_have_the_shapes_and_dtypes_of_the_contract(both: Any) -> None:
    module, sources = both
    built = module.build(sources, SEED)
    for name in ("probe", "final"):
        image, labels = built[name]["inputs"]["image"], built[name]["labels"]
        assert (image.dtype, image.shape) == (np.float32, (20 * HIDDEN, 32, 32, 3))
        assert image.min() >= 0 and 128 < image.max() <= 255
        assert labels.dtype == np.int32
        assert np.array_equal(np.bincount(labels), [HIDDEN] * 20)
        assert not np.array_equal(labels, np.sort(labels)), "the order tells nothing"


def test_pictures_come_by_class_and_in_several_sizes(both: Any) -> None:
    module, sources = both
    train = module.build(sources, SEED)["train"]
    folders = [name.split("/")[1] for name in train]
    assert all(name.startswith("train/") and name.endswith(".png") for name in train)
    assert len(set(folders)) == 20 and all(folders.count(one) == TRAIN for one in folders)
    pictures = [decoded(content) for content in train.values()]
    assert {picture.mode for picture in pictures} == {"RGB"}
    sides = {side for picture in pictures for side in picture.size}
    assert len(sides) > 10 and min(sides) >= 28 and max(sides) <= 60


def test_sample_is_train_pictures_as_the_task_says_they_are_loaded(both: Any) -> None:
    module, sources = both
    built = module.build(sources, SEED)
    loaded = {as_loaded(content).tobytes() for content in built["train"].values()}
    sample = built["sample"]["inputs"]["image"]
    assert sample.shape == (16, 32, 32, 3)
    assert all(row.tobytes() in loaded for row in sample)


def test_a_label_is_the_place_of_its_folder_in_alphabetical_order(both: Any) -> None:
    module, _ = both
    names = [f"kind-{number:02}" for number in range(20)]
    images = [np.full((2, 3, 3), 10 * label, np.uint8) for label in range(20)]
    written = module.files(module.Pictures(images[::-1], np.arange(20)[::-1]), names)
    for label, folder in enumerate(sorted({name.split("/")[1] for name in written})):
        assert decoded(written[f"train/{folder}/0001.png"]).getpixel((0, 0)) == (10 * label,) * 3


def test_png_holds_every_pixel(both: Any) -> None:
    module, _ = both
    pixels = np.arange(5 * 7 * 3, dtype=np.int64) * 97 % 256
    pixels = pixels.astype(np.uint8).reshape(5, 7, 3)
    assert np.array_equal(np.asarray(decoded(module.png(pixels))), pixels)


@pytest.mark.parametrize("columns", ["TRAIN_COLUMNS", "HIDDEN_COLUMNS"])
def test_train_and_hidden_backgrounds_have_no_pixel_in_common(both: Any, columns: str) -> None:
    module, _ = both
    rng = module.generator(SEED)
    packed = module.read_photographs(photographs())
    crops = module.crops(rng, packed, getattr(module, columns), 200)
    red, blue = ((crops[..., channel] == 200).all() for channel in (0, 2))
    assert (red, blue) == ((True, False) if columns == "TRAIN_COLUMNS" else (False, True))


def test_a_drawing_is_looked_up_between_its_pixels(both: Any) -> None:
    module, _ = both
    rng = module.generator(SEED)
    texture = (rng.random((1, 64, 64, 4)) * 256).astype(np.uint8)
    across, down = ((rng.random((1, 50, 50)) * 62.9 * 256).astype(np.int32) for _ in range(2))
    got = module.channels(module.sample(texture.view("<u4")[..., 0], across, down))
    u, v = across[0] / 256, down[0] / 256
    column, row = u.astype(int), v.astype(int)
    u, v = (u - column)[..., None], (v - row)[..., None]
    corners = texture[0].astype(float)
    expected = (corners[row, column] * (1 - u) + corners[row, column + 1] * u) * (1 - v) + (
        corners[row + 1, column] * (1 - u) + corners[row + 1, column + 1] * u
    ) * v
    assert np.abs(got[0] - expected).max() <= 3


def test_shuffled_labels_keep_names_and_pictures_but_not_which_is_whose(both: Any) -> None:
    module, sources = both
    train = module.build(sources, SEED)["train"]
    dealt = module.shuffle_labels(train, SEED)
    assert sorted(dealt) == sorted(train)
    assert sorted(dealt.values()) == sorted(train.values())
    stayed = sum(dealt[name] == train[name] for name in train)
    assert stayed < len(train) / 4


def test_the_seed_chooses_the_classes(both: Any) -> None:
    module, sources = both
    chosen = {
        frozenset(name.split("/")[1] for name in module.build(sources, seed)["train"])
        for seed in (SEED, OTHER_SEED, b"\1" * 32)
    }
    assert len(chosen) > 1


def test_drawings_that_look_alike_in_two_classes_are_in_neither(road: ModuleType) -> None:
    sources = signs()
    one, other = "package/kind-02--g6.svg", "package/kind-04--g6.svg"
    sources[one] = sources[other]
    by_class: dict[str, list[str]] = {}
    for path in sources:
        by_class.setdefault(path.rsplit("--", 1)[0], []).append(path)
    pixels = {path: road.raster(content) for path, content in sources.items()}
    assert road.alike(by_class, pixels) == {one, other}


def test_too_few_classes_are_told(road: ModuleType) -> None:
    with pytest.raises(ValueError, match="only 9 road signs of a kind, and 10 are needed"):
        road.build({"signs": signs(19), "photographs": photographs()}, SEED)


def test_half_of_the_signs_are_warnings(road: ModuleType) -> None:
    for seed in (SEED, OTHER_SEED):
        names = road.choose(road.generator(seed), signs(30)).names
        assert sum(name.startswith(WARNING) for name in names) == 10 and names == sorted(names)


def test_a_card_has_the_name_of_its_row_and_column() -> None:
    module = load_dataset("3-images-b")
    cut = module.cards(deck(3))
    assert len(cut) == 52
    middle = {name: tuple(texture[32, 32]) for name, texture in cut.items()}
    assert middle["ace-of-clubs"] == (0, 0, 60, 255)
    assert middle["king-of-clubs"] == (12 * 19, 0, 60, 255)
    assert middle["10-of-hearts"] == (9 * 19, 120, 60, 255)


def test_every_seed_has_four_suits_and_a_court_card() -> None:
    module = load_dataset("3-images-b")
    decks = card_sources()["decks"]
    choose: Callable[..., Any] = module.choose
    for seed in (SEED, OTHER_SEED):
        names = choose(module.generator(seed), decks).names
        ranks = {name.split("-")[0] for name in names}
        assert len(names) == 20 and names == sorted(names)
        assert len(ranks & {"jack", "queen", "king"}) == 1 and len(ranks) == 5
