"""What option values and batch cells mean."""

from __future__ import annotations

import re

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.cli import params
from sfumato.errors import ModelError, RequestError
from sfumato.registry import SAMPLERS
from sfumato.request import MAX_SEED, MAX_SIDE, MIN_SIDE

QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(
    width=st.integers(MIN_SIDE, MAX_SIDE),
    height=st.integers(MIN_SIDE, MAX_SIDE),
    sign=st.sampled_from(["x", "X", "×", " x "]),
)
def test_a_size_reads_back(width: int, height: int, sign: str) -> None:
    assert params.SIZE.convert(f"{width}{sign}{height}", None, None) == (width, height)


def test_one_number_is_a_square() -> None:
    assert params.SIZE.convert("512", None, None) == (512, 512)


@pytest.mark.parametrize(
    "text",
    ["12x", "x12", "", "big", "0x0", "-1", "100000x3", "15x16", "4097x16", "9" * 5000, "१२x१२"],
)
def test_what_is_no_size_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write it like 1024x768|16 to 4096 pixels"):
        params.SIZE.convert(text, None, None)


@pytest.mark.parametrize("text", ["-1", "1.5", str(2**70), str(MAX_SEED + 1), "", "seven", "nan"])
def test_what_is_no_seed_is_refused_with_the_range(text: str) -> None:
    with pytest.raises(click.BadParameter, match=f"whole number from 0 to {MAX_SEED}"):
        params.SEED.convert(text, None, None)


@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
def test_a_seed_in_range_is_kept(seed: int) -> None:
    assert params.SEED.convert(str(seed), None, None) == seed


@pytest.mark.parametrize("text", ["16", "16:", "0:9", "a:b", "-1:2", "nan:1", "1:2:3"])
def test_what_is_no_aspect_ratio_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write it like 16:9"):
        params.ASPECT.convert(text, None, None)


def test_names_come_from_the_registry_with_their_choices() -> None:
    assert params.SAMPLER.convert("Euler ", None, None) == "euler"
    assert params.FORMAT.convert("jpg", None, None) == "jpeg"
    with pytest.raises(RequestError, match=re.escape("'oil'")) as refused:
        params.SAMPLER.convert("oil", None, None)
    assert all(name in refused.value.hint for name in SAMPLERS.names())
    with pytest.raises(ModelError):
        params.MODEL.convert("nobody", None, None)


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        (None, None, (None, None)),
        ((64, 32), None, (64, 32)),
        (None, (16.0, 9.0), (1024, 576)),
        (None, (9.0, 16.0), (576, 1024)),
        ((2048, 2048), (2.0, 1.0), (2048, 1024)),
        (None, (1.0, 1.0), (1024, 1024)),
    ],
)
def test_the_longest_side_carries_the_aspect_ratio(
    size: tuple[int, int] | None,
    aspect: tuple[float, float] | None,
    expected: tuple[int | None, int | None],
) -> None:
    assert params.resolve_size(size, aspect) == expected


def test_a_thread_is_no_picture() -> None:
    with pytest.raises(RequestError, match="1024×1"):
        params.resolve_size(None, (1000.0, 1.0))


def test_a_request_takes_every_option() -> None:
    request = params.make_request(
        {
            "prompt": "a fox",
            "negative": "fur",
            "num_images": 3,
            "seed": 5,
            "size": (64, 32),
            "steps": 6,
            "guidance": 2.5,
            "style": "flat",
            "background": "#ff0000",
            "model": "fake",
            "sampler": "heun",
            "scheduler": "cosine",
            "device": "cpu",
            "threads": 2,
        }
    )
    assert (request.prompt, request.negative_prompt, request.num_images) == ("a fox", "fur", 3)
    assert (request.seed, request.width, request.height) == (5, 64, 32)
    assert (request.num_inference_steps, request.guidance_scale) == (6, 2.5)
    assert (request.style, request.background, request.model) == ("flat", "#ff0000", "fake")
    assert (request.sampler, request.scheduler) == ("heun", "cosine")
    assert (request.device, request.threads) == ("cpu", 2)


def test_zero_pictures_are_not_taken_for_one() -> None:
    with pytest.raises(RequestError, match="number of pictures is 0"):
        params.make_request({"prompt": "a fox", "num_images": 0})
