"""Train, probe and final sets of the image section: photographs of road signs, made by drawing.

The sources are 1,543 drawings of the road signs of many countries (SVG; the class is the file's
name before `--g`) and ten photographs. `build` does this:

1. Of the classes with at least five different drawings the seed chooses ten warning signs, which
   are hard to tell apart, and ten others, so that one seed is as hard as another; then five
   drawings of each. Drawings that look alike in two classes are left out of both.
2. Every picture is composed anew: a drawing, tilted, turned and shifted in perspective, stands
   before a crop of a photograph; light, shadow, haze, something that hides a part of it, few
   pixels and their noise are added. Then it is enlarged to a size of its own.
3. Train pictures have crops from the left two thirds of the photographs, hidden ones from the right
   third, in every session: no background is ever in both. No two pictures share their random
   numbers, so none is a near-duplicate of another (a near-duplicate would be a picture with the
   same drawing whose pixels differ by less than the noise).
4. Each set is shuffled; all classes have the same number of pictures.

**Same seed, same bytes.** All randomness comes from one PCG64 generator and from its `random`
method. Geometry takes +, -, * and / on arrays, which IEEE 754 rounds alike everywhere; a rotation
needs no sine (see `directions`). From the first sampled pixel on, all is integers. PNGs are written
here, with the zlib of Python, for imaging libraries bring compressors that differ by processor.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
import resvg_py
from PIL import Image, ImageOps

CLASSES = 20
WARNINGS = 10  # of the classes; their names begin so
WARNING = "warning--"
DRAWINGS = 5  # of each class
TRAIN, HIDDEN = 320, 75  # pictures of each class
SAMPLE_ROWS = 16
INPUT = 32  # side of the model's input, pixels

CANVAS = 64  # side on which pictures are composed
TEXTURE = 64  # side of a rasterised drawing, with a transparent margin of two pixels
MARGIN = 2
PHOTO = (480, 320)
TRAIN_COLUMNS, HIDDEN_COLUMNS = (0, 320), (320, 480)
CHUNK = 128  # pictures composed at once, so that arrays stay in the processor's cache

SMALLEST, LARGEST = 28, 60  # sides of a finished picture
FEWEST, MOST = 20, 40  # pixels a side that it really had
ALIKE = 8.0  # mean difference of pixels, of 255, below which two drawings are taken for one

LANES = np.uint32(0x00FF00FF)  # two of the four channels of a packed pixel


class Artworks(NamedTuple):
    """The classes' names, and their drawings: packed pixels, uint32 (classes * 5, 64, 64)."""

    names: list[str]
    pixels: np.ndarray


class Pictures(NamedTuple):
    """Finished pictures, uint8 (height, width, 3) each, and their classes, int32 (rows,)."""

    images: list[np.ndarray]
    labels: np.ndarray


def build(sources: dict[str, dict[str, bytes]], seed: bytes) -> dict[str, Any]:
    """Make the files of the train set and the arrays of the sample, probe and final sets.

    `sources["signs"]` holds SVG files by path, `sources["photographs"]` JPEG files by path; `seed`
    is 32 secret bytes. Inputs are float32 of shape (rows, 32, 32, 3) from 0 to 255, labels int32 of
    shape (rows,). Raises ValueError if too few classes have enough drawings.
    """
    rng = generator(seed)
    artworks = choose(rng, sources["signs"])
    photographs = read_photographs(sources["photographs"])
    train = make(rng, artworks, photographs, TRAIN_COLUMNS, TRAIN)
    sample = Pictures(train.images[:SAMPLE_ROWS], train.labels[:SAMPLE_ROWS])
    hidden = [make(rng, artworks, photographs, HIDDEN_COLUMNS, HIDDEN) for _ in range(2)]
    data: dict[str, Any] = {
        name: {"inputs": {"image": inputs(part)}, "labels": part.labels}
        for name, part in zip(("probe", "final"), hidden)  # noqa: B905
    }
    return {
        "train": files(train, artworks.names),
        "sample": {"inputs": {"image": inputs(sample)}},
        **data,
    }


def shuffle_labels(train: dict[str, bytes], seed: bytes) -> dict[str, bytes]:
    """Return the train files with pictures dealt out anew among the names, and so the classes."""
    names = sorted(train)
    dealt = shuffled(generator(seed), len(names))
    return {name: train[names[other]] for name, other in zip(names, dealt)}  # noqa: B905


def generator(seed: bytes) -> np.random.Generator:
    """Return the one source of randomness of this section."""
    digest = hashlib.sha256(b"images:" + seed).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def shuffled(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return the numbers 0..count-1 in random order."""
    return np.argsort(rng.random(count), kind="stable")


def between(low: float, high: float, unit: np.ndarray) -> np.ndarray:
    """Stretch numbers from 0..1 to low..high."""
    return low + (high - low) * unit


# Drawings and photographs


def choose(rng: np.random.Generator, signs: dict[str, bytes]) -> Artworks:
    """Rasterise the drawings that can be told apart; choose classes, and drawings of each."""
    by_class: dict[str, list[str]] = {}
    for path in sorted(signs):
        name = re.sub(r"^.*/|--g\d+\.svg$", "", path)
        by_class.setdefault(name, []).append(path)
    enough = {name: paths for name, paths in by_class.items() if len(paths) >= DRAWINGS}
    pixels = {path: raster(signs[path]) for paths in enough.values() for path in paths}
    for path in alike(enough, pixels):
        del pixels[path]
    by_class = {name: [path for path in enough[name] if path in pixels] for name in enough}
    eligible = [name for name in sorted(by_class) if len(by_class[name]) >= DRAWINGS]
    names = sorted(
        take(rng, [name for name in eligible if name.startswith(WARNING)], WARNINGS)
        + take(rng, [name for name in eligible if not name.startswith(WARNING)], CLASSES - WARNINGS)
    )
    chosen = []
    for name in names:
        chosen += [pixels[path] for path in take(rng, by_class[name], DRAWINGS)]
    packed = np.ascontiguousarray(np.stack(chosen)).view("<u4")[..., 0]
    return Artworks(names, packed)


def take(rng: np.random.Generator, names: list[str], count: int) -> list[str]:
    """Draw some of the names. Raises ValueError if there are fewer."""
    if len(names) < count:
        raise ValueError(f"only {len(names)} road signs of a kind, and {count} are needed: {names}")
    return [names[index] for index in shuffled(rng, len(names))[:count]]


def raster(svg: bytes) -> np.ndarray:
    """Draw an SVG: uint8 (64, 64, 4), red, green, blue and alpha, colours multiplied by alpha."""
    side = TEXTURE - 2 * MARGIN
    drawn = resvg_py.svg_to_bytes(svg_string=svg.decode("utf-8"), width=256, skip_system_fonts=True)
    image = ImageOps.contain(Image.open(io.BytesIO(drawn)).convert("RGBA"), (side, side))
    rgba = np.asarray(image).astype(np.int32)
    rgba[..., :3] = (rgba[..., :3] * rgba[..., 3:] + 127) // 255
    texture = np.zeros((TEXTURE, TEXTURE, 4), np.uint8)
    top, left = (TEXTURE - rgba.shape[0]) // 2, (TEXTURE - rgba.shape[1]) // 2
    texture[top : top + rgba.shape[0], left : left + rgba.shape[1]] = rgba
    return texture


def alike(by_class: dict[str, list[str]], pixels: dict[str, np.ndarray]) -> set[str]:
    """Return the drawings that look like one of another class."""
    paths = [path for name in sorted(by_class) for path in by_class[name]]
    classes = np.array([name for name in sorted(by_class) for _ in by_class[name]])
    # Means over blocks of 4x4 pixels are enough to tell drawings apart.
    small = np.stack([pixels[path] for path in paths]).astype(np.int32)
    small = small.reshape(len(paths), 16, 4, 16, 4, 4).sum(axis=(2, 4)).reshape(len(paths), -1)
    found = set()
    for index, path in enumerate(paths):
        differences = np.abs(small - small[index]).mean(axis=1) / 16
        if np.any((differences < ALIKE) & (classes != classes[index])):
            found.add(path)
    return found


def read_photographs(photographs: dict[str, bytes]) -> np.ndarray:
    """Return photographs, cut to one size: packed pixels, uint32 (photographs, 320, 480)."""
    pixels = []
    for path in sorted(photographs):
        image = Image.open(io.BytesIO(photographs[path]))
        image.draft("RGB", PHOTO)  # decodes large files at a fraction of their size
        pixels.append(np.asarray(ImageOps.fit(image.convert("RGBA"), PHOTO, Image.BILINEAR)))
    return np.stack(pixels).view("<u4")[..., 0]


# Composing


def make(
    rng: np.random.Generator,
    artworks: Artworks,
    photographs: np.ndarray,
    columns: tuple[int, int],
    each: int,
) -> Pictures:
    """Make `each` pictures of each class, in random order, before crops from these columns."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int32), each)[shuffled(rng, CLASSES * each)]
    drawing = labels * DRAWINGS + (rng.random(len(labels)) * DRAWINGS).astype(np.int32)
    images: list[np.ndarray] = []
    for start in range(0, len(labels), CHUNK):
        chosen = artworks.pixels[drawing[start : start + CHUNK]]
        images += develop(rng, compose(rng, chosen, photographs, columns))
    return Pictures(images, labels)


def compose(
    rng: np.random.Generator,
    drawings: np.ndarray,
    photographs: np.ndarray,
    columns: tuple[int, int],
) -> np.ndarray:
    """Put drawings, packed (n, 64, 64), before photographs: uint8 (n, 64, 64, 3)."""
    count = len(drawings)
    sign = channels(sample(drawings, *view(rng, count)))
    alpha = sign[..., 3:]
    gain = between(0.55, 1.0, rng.random((count, 1, 1, 1)))  # a sign in the shade, or dirty
    scene = crops(rng, photographs, columns, count)[..., :3]
    picture = (sign[..., :3] * fixed(gain) + scene * (256 - alpha - (alpha >> 7))) >> 8
    hidden = crops(rng, photographs, columns, count)[..., :3]
    picture = np.where(occlusion(rng, count), hidden, picture)
    return lit(rng, picture)


def view(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each of the canvas's pixels looks on a drawing, in 1/256 of its pixels.

    Both int32 (count, 64, 64). A point of the canvas, from -1 to 1, is shifted, turned, sheared,
    scaled and divided by a linear function of itself: a homography.
    """
    unit = rng.random((10, count, 1, 1))
    cos, sin = directions(between(-0.14, 0.14, unit[0]))  # up to 18 degrees
    scale = between(0.68, 1.0, unit[1])
    stretch = between(0.8, 1.25, unit[2])
    shear = between(-0.2, 0.2, unit[3])
    x, y = grid()
    x = x - between(-0.15, 0.15, unit[4])
    y = y - between(-0.15, 0.15, unit[5])
    depth = (1 + between(-0.3, 0.3, unit[6]) * x + between(-0.3, 0.3, unit[7]) * y) * scale
    across = (cos * x - sin * y + shear * y) / (depth * stretch)
    down = (sin * x + cos * y) * stretch / depth
    last = TEXTURE * 256 - 257
    return tuple(  # type: ignore[return-value]
        np.clip((place + 1) * (128 * TEXTURE) - 128, 0, last).astype(np.int32)
        for place in (across, down)
    )


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the canvas's x, (1, 1, 64), and y, (1, 64, 1): from -1 to 1."""
    places = (2 * np.arange(CANVAS) + 1 - CANVAS) / CANVAS
    return places.reshape(1, 1, -1), places.reshape(1, -1, 1)


def directions(tangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and sine of an angle whose half has this tangent."""
    square = tangent * tangent
    return (1 - square) / (1 + square), 2 * tangent / (1 + square)


def sample(textures: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Look drawings up between their pixels (bilinear): packed uint32, shaped as `across`.

    The four weights sum up to 256, so two channels at a time fit into one number side by side.
    """
    u, v = across & 255, down & 255
    place = np.arange(len(textures), dtype=np.int32)[:, None, None] * (TEXTURE * TEXTURE)
    place = place + (down >> 8) * TEXTURE + (across >> 8)
    both = (u * v) >> 8
    flat = textures.reshape(-1)
    odd = even = np.uint32(0)
    for step, weight in ((0, 256 - u - v + both), (1, u - both), (TEXTURE, v - both)):
        odd, even = blended(odd, even, flat[place + step], weight)
    odd, even = blended(odd, even, flat[place + TEXTURE + 1], both)
    return ((odd >> np.uint32(8)) & LANES) | (even & ~LANES)


def blended(
    odd: Any, even: Any, pixels: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add weighted pixels: channels 0 and 2 to `odd`, channels 1 and 3 to `even`."""
    weight = weight.astype(np.uint32)
    return odd + (pixels & LANES) * weight, even + ((pixels >> np.uint32(8)) & LANES) * weight


def channels(packed: np.ndarray) -> np.ndarray:
    """Unpack pixels to int32 (..., 4)."""
    parts = packed.astype("<u4")[..., None].view(np.uint8)
    return parts.astype(np.int32)


def crops(
    rng: np.random.Generator, photographs: np.ndarray, columns: tuple[int, int], count: int
) -> np.ndarray:
    """Cut canvases from random places of photographs, within columns: int32 (count, 64, 64, 4)."""
    unit = rng.random((3, count))
    which = (unit[0] * len(photographs)).astype(np.int32)
    left = columns[0] + (unit[1] * (columns[1] - columns[0] - CANVAS + 1)).astype(np.int32)
    top = (unit[2] * (photographs.shape[1] - CANVAS + 1)).astype(np.int32)
    steps = np.arange(CANVAS, dtype=np.int32)
    rows = (which * photographs.shape[1] + top)[:, None] + steps
    place = rows[:, :, None] * photographs.shape[2] + (left[:, None] + steps)[:, None, :]
    return channels(photographs.reshape(-1)[place])


def occlusion(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return where something stands before the sign, a straight strip: bool (count, 64, 64, 1)."""
    unit = rng.random((4, count, 1, 1))
    x, y = grid()
    cos, sin = directions(between(-1, 1, unit[0]))
    distance = np.abs(cos * x + sin * y - between(-0.6, 0.6, unit[1]))
    return ((distance < between(0.04, 0.16, unit[2])) & (unit[3] < 0.5))[..., None]


def lit(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Give pictures, int32 (n, 64, 64, 3), the light of a day, shadows and haze: uint8."""
    count = len(picture)
    unit = rng.random((7, count, 1, 1))
    x, y = grid()
    cos, sin = directions(between(-1, 1, unit[0]))
    beyond = (cos * x + sin * y > between(-0.5, 0.5, unit[1])) & (unit[2] < 0.5)
    light = np.where(beyond, between(0.4, 0.9, unit[3]), 1.0) * between(0.45, 1.25, unit[4])
    cast = between(0.85, 1.15, rng.random((count, 1, 1, 3)))
    haze = between(0, 70, unit[5] * unit[5])[..., None].astype(np.int32)
    picture = (picture * fixed(light[..., None]) >> 8) * fixed(cast) >> 8
    picture = haze + (picture * (255 - haze) >> 8)
    return np.clip(picture, 0, 255).astype(np.uint8)


def fixed(factor: np.ndarray) -> np.ndarray:
    """Return factors in 1/256: int32."""
    return (factor * 256).astype(np.int32)


def develop(rng: np.random.Generator, composed: np.ndarray) -> list[np.ndarray]:
    """Scale pictures to few pixels, add the noise of the sensor, enlarge each to its own size."""
    unit = rng.random((4, len(composed)))
    pixels = between(FEWEST, MOST + 1, unit[0]).astype(int)
    noise = between(2, 20, unit[1] * unit[1])
    width = between(SMALLEST, LARGEST + 1, unit[2] * unit[2]).astype(int)
    height = np.clip(width + between(-4, 5, unit[3]).astype(int), SMALLEST, LARGEST)
    finished = []
    for index, picture in enumerate(composed):
        side = pixels[index]
        small = np.asarray(Image.fromarray(picture).resize((side, side), Image.BILINEAR))
        grain = (between(-1, 1, rng.random(small.shape)) * noise[index]).astype(np.int32)
        small = np.clip(small + grain, 0, 255).astype(np.uint8)
        size = (int(width[index]), int(height[index]))
        finished.append(np.asarray(Image.fromarray(small).resize(size, Image.BILINEAR)))
    return finished


# What candidates and models get


def inputs(pictures: Pictures) -> np.ndarray:
    """Return the model's input, float32 (rows, 32, 32, 3), resized as `load_img` does."""
    scaled = [
        np.asarray(Image.fromarray(image).resize((INPUT, INPUT), Image.BILINEAR))
        for image in pictures.images
    ]
    return np.stack(scaled).astype(np.float32)


def files(pictures: Pictures, names: list[str]) -> dict[str, bytes]:
    """Return PNG files by name, `train/<class>/<number>.png`."""
    written: dict[str, bytes] = {}
    counts = [0] * len(names)
    for image, label in zip(pictures.images, pictures.labels):  # noqa: B905
        counts[label] += 1
        written[f"train/{names[label]}/{counts[label]:04d}.png"] = png(image)
    return written


def png(image: np.ndarray) -> bytes:
    """Write a picture, uint8 (height, width, 3), as PNG (ISO/IEC 15948), with filter Up."""
    height, width, _ = image.shape
    rows = image.reshape(height, -1)
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
