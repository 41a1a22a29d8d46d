from __future__ import annotations

import io

import numpy as np
import pytest

from sfumato.errors import StorageError
from sfumato.evals.iconeval.judge import NONE, IconJudge, load_judge, tile_of
from sfumato.evals.iconeval.segment import CANVAS
from sfumato.evals.shapes import SIDE, Pixels, describe, unit
from sfumato.evals.statistics import estimate_mean

KINDS = ("disc", "bar", "ring")


def draw(pixels: Pixels, kind: str, x: int, y: int, radius: int, rgb: tuple[int, ...]) -> None:
    """A shape with its centre at (x, y)."""
    down, across = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    far = np.hypot(down - y, across - x)
    mask = {
        "disc": far < radius,
        "bar": (abs(down - y) < radius) & (abs(across - x) < radius * 0.2),
        "ring": (far < radius) & (far > radius * 0.6),
        "cross": (np.minimum(abs(down - y), abs(across - x)) < radius * 0.2)
        & (np.maximum(abs(down - y), abs(across - x)) < radius),
    }[kind]
    pixels[mask] = (*rgb, 255)


def blank() -> Pixels:
    return np.zeros((CANVAS, CANVAS, 4), np.uint8)


def tile(kind: str) -> Pixels:
    pixels = blank()
    draw(pixels, kind, 128, 128, 100, (200, 40, 40))
    return tile_of(pixels, pixels[..., 3] >= 128)


@pytest.fixture(scope="module")
def shapes() -> IconJudge:
    """Knows three shapes by heart, and that a cross is none of them."""
    features = describe(np.stack([tile(kind) for kind in (*KINDS, "cross")]))
    identity = np.eye(features.shape[1], dtype=np.float32)
    mean = features.mean(axis=0)
    return IconJudge(
        mean=mean,
        projection=identity,
        prototypes=unit(features - mean),
        owner=np.array([0, 1, 2, NONE]),
        concepts=list(KINDS),
        sharpness=8.0,
        doubt=0.0,
        threshold=0.3,
    )


@pytest.mark.parametrize("ground", [None, (255, 255, 255), (30, 40, 90)])
def test_it_names_places_and_colours_what_stands_apart(
    shapes: IconJudge, ground: tuple[int, ...] | None
) -> None:
    scene = blank()
    if ground is not None:
        scene[:] = (*ground, 255)
    draw(scene, "disc", 70, 64, 40, (220, 47, 47))
    draw(scene, "bar", 190, 180, 60, (58, 166, 82))
    found = {one.name: one for one in shapes.find_subjects(scene)}
    assert set(found) == {"disc", "bar"}
    assert found["disc"].colour == "red"
    assert found["bar"].colour == "green"
    left, top, right, bottom = found["disc"].box
    assert [(left + right) / 2, (top + bottom) / 2] == pytest.approx([70 / 256, 64 / 256], abs=0.01)
    assert sum(one.area for one in found.values()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_it_counts(shapes: IconJudge, count: int) -> None:
    scene = blank()
    for i in range(count):
        draw(scene, "ring", 40 + 58 * i, 128, 26, (47, 111, 222))
    assert [one.name for one in shapes.find_subjects(scene)] == ["ring"] * count


def test_what_it_does_not_know_has_no_name(shapes: IconJudge) -> None:
    scene = blank()
    draw(scene, "cross", 128, 128, 90, (0, 0, 0))
    (only,) = shapes.find_subjects(scene)
    assert only.name == ""
    assert only.confidence > 0.5


def test_size_colour_and_mirroring_do_not_matter(shapes: IconJudge) -> None:
    for radius in (30, 110):
        for rgb in ((250, 250, 250), (10, 10, 10)):
            scene = blank()
            draw(scene, "bar", 128, 128, radius, rgb)
            assert [one.name for one in shapes.find_subjects(scene)] == ["bar"]


def test_loose_crumbs_belong_to_their_subject(shapes: IconJudge) -> None:
    scene = blank()
    draw(scene, "disc", 128, 128, 80, (220, 47, 47))
    draw(scene, "disc", 128, 42, 4, (220, 47, 47))
    (only,) = shapes.find_subjects(scene)
    assert (only.name, only.area) == ("disc", 1.0)


def test_a_blank_picture_shows_nothing(shapes: IconJudge) -> None:
    assert shapes.find_subjects(blank()) == ()


def test_probabilities_add_up(shapes: IconJudge) -> None:
    embedded = shapes.embed(np.stack([tile(kind) for kind in (*KINDS, "cross")]))
    chances = shapes.probabilities(embedded)
    assert chances.shape == (4, 4)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    assert chances.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_the_shipped_judge_is_small_and_knows_the_concepts() -> None:
    judge = load_judge()
    assert judge.threshold == 0.3
    assert len(judge.concepts) == 80
    assert set(judge.owner.tolist()) == {NONE, *range(80)}
    scene = blank()
    draw(scene, "disc", 128, 128, 90, (220, 47, 47))
    (only,) = judge.find_subjects(scene)
    assert only.name not in ("key", "horse", "bicycle")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a judge", b"\x93NUMPY"])
def test_a_damaged_judge_is_refused(content: bytes) -> None:
    with pytest.raises(StorageError, match="judge of iconeval"):
        load_judge(io.BytesIO(content))


def test_an_archive_of_something_else_is_refused() -> None:
    file = io.BytesIO()
    np.savez(file, mean=np.zeros(3))
    file.seek(0)
    with pytest.raises(StorageError, match="judge of iconeval"):
        load_judge(file)


def test_tiles_are_centred_and_whole() -> None:
    pixels = blank()
    draw(pixels, "bar", 40, 60, 50, (200, 40, 40))
    picture = tile_of(pixels, pixels[..., 3] > 0)
    rows, columns = np.nonzero(picture[..., 3])
    assert picture.shape == (SIDE, SIDE, 4)
    assert (rows.min(), rows.max()) == (2, 61)
    assert columns.min() + columns.max() == pytest.approx(SIDE - 1, abs=1)


def test_intervals_over_prompts_are_wider_than_over_pictures() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 0.0, 0.0], 4)
    apart = estimate_mean(values)
    together = estimate_mean(values, np.repeat(np.arange(5), 4))
    assert together.value == apart.value == pytest.approx(0.4)
    assert together.high - together.low > apart.high - apart.low
