"""What the model was shown: the nearest subject, how near, and files that are no such list."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from sfumato.backends.concepts import Concepts, lean_towards
from sfumato.errors import ModelError


def unit(*values: float) -> np.ndarray:
    """A unit vector (384,) whose first numbers are given."""
    vector = np.zeros(384, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def stored(**changes: Any) -> io.BytesIO:
    """``concepts.npz`` of three captions on the first three axes, ``changes`` made."""
    columns = {
        "captions": np.array("apple\nfruit\nship"),
        "concept_of": np.array([0, 0, 1], np.int16),
        "concepts": np.array("apple\nship"),
        "styles": np.array("flat,glyph\nflat\nsoft"),
        "directions": np.eye(3, 384, dtype=np.float16),
        "vectors": np.eye(3, dtype=np.int8) * 127,
    }
    file = io.BytesIO()
    np.savez_compressed(file, **{k: v for k, v in (columns | changes).items() if v is not None})
    file.seek(0)
    return file


def test_the_nearest_caption_brings_its_subject_and_its_own_styles() -> None:
    concepts = Concepts(stored())
    match = concepts.nearest(unit(0.1, 1.0, 0.2))
    assert (match.caption, match.concept) == ("fruit", "apple")
    assert match.styles == {"flat"}
    assert match.similarity == pytest.approx(1.0 / np.sqrt(1.05), abs=1e-3)
    assert concepts.nearest(unit(0.0, 0.1, 1.0)).concept == "ship"


def test_only_what_was_shown_in_a_style_counts_where_one_is_asked_for() -> None:
    concepts = Concepts(stored())
    towards_fruit = unit(0.3, 1.0, 0.2)
    assert concepts.nearest(towards_fruit).caption == "fruit"
    match = concepts.nearest(towards_fruit, "glyph")
    assert (match.caption, match.styles) == ("apple", {"flat", "glyph"})
    assert match.similarity < concepts.nearest(towards_fruit).similarity
    assert concepts.nearest(towards_fruit, "watercolour").caption == "fruit"  # nothing was


def test_what_resembles_nothing_is_known_not_at_all() -> None:
    assert Concepts(stored()).nearest(unit(0.0, 0.0, 0.0, 1.0)).similarity == 0.0
    assert Concepts(stored()).nearest(unit(-1.0, -1.0, -1.0)).similarity == 0.0


@pytest.mark.parametrize(
    "column", ["captions", "concept_of", "concepts", "styles", "directions", "vectors"]
)
def test_a_missing_column_is_a_model_error(column: str) -> None:
    with pytest.raises(ModelError, match=r"concepts\.npz is damaged") as caught:
        Concepts(stored(**{column: None}))
    assert column in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"captions": np.array("apple\nfruit")},
        {"concept_of": np.array([0, 1], np.int16)},
        {"styles": np.array("flat")},
        {"vectors": np.eye(2, 3, dtype=np.int8)},
    ],
)
def test_columns_of_different_lengths_are_a_model_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="differ in length"):
        Concepts(stored(**changes))


class Trap:
    """Says so when it is unpickled."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (_spring, ())


def _spring() -> None:
    Trap.sprung = True


def test_pickled_objects_are_refused_and_never_loaded() -> None:
    trapped = np.empty(3, object)
    trapped[:] = [Trap(), Trap(), Trap()]
    with pytest.raises(ModelError, match="damaged"):
        Concepts(stored(vectors=trapped))
    alone = io.BytesIO()
    np.save(alone, trapped, allow_pickle=True)
    alone.seek(0)
    with pytest.raises(ModelError, match="damaged"):
        Concepts(alone)
    assert not Trap.sprung


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.eye(3))
    return file.getvalue()


WHOLE = stored().getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a list",
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-1],
        WHOLE[:200] + bytes(40) + WHOLE[240:],
        one_array(),
    ],
    ids=["empty", "text", "half", "last byte", "hole", "npy"],
)
def test_a_damaged_file_is_a_model_error(content: bytes) -> None:
    with pytest.raises(ModelError, match="damaged") as caught:
        Concepts(io.BytesIO(content))
    assert "again" in caught.value.hint


# ---------------------------------------------------------------- leaning


@pytest.mark.parametrize("similarity", [0.0, 0.2, 0.35])
def test_strangers_do_not_pull(similarity: float) -> None:
    np.testing.assert_allclose(lean_towards(unit(1), unit(0, 1), similarity), unit(1), atol=1e-6)


def test_the_nearer_the_known_words_the_more_they_say() -> None:
    known = unit(0, 1)
    pull = [float(lean_towards(unit(1), known, s) @ known) for s in (0.36, 0.4, 0.45, 0.5, 0.53)]
    assert all(after > before + 0.02 for before, after in pairwise(pull))


def test_known_words_never_silence_the_asked_ones() -> None:
    mixed = lean_towards(unit(1), unit(0, 1), 1.0)
    assert float(mixed @ unit(1)) == pytest.approx(0.1 / np.hypot(0.1, 0.9), abs=1e-3)
    assert float(np.linalg.norm(mixed)) == pytest.approx(1.0, abs=1e-6)


def test_the_same_words_stay_as_they_are() -> None:
    np.testing.assert_allclose(lean_towards(unit(1, 2), unit(1, 2), 1.0), unit(1, 2), atol=1e-6)
