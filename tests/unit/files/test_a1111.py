"""The A1111 text: printed as A1111 prints it, parsed as A1111 parses it, and stable."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfumato import __version__
from sfumato.files.a1111 import Parameters, normalise, parse_parameters, print_parameters
from sfumato.files.metadata import a1111_parameters
from sfumato.request import GeneratedImage

MakeImage = Callable[..., GeneratedImage]


def test_text_of_a_plan_is_exactly_this(make_image: MakeImage) -> None:
    image = make_image(prompt="a red fox,\nrunning", negative_prompt="blurry", guidance_scale=7.0)
    assert a1111_parameters(image.plan) == (
        "a red fox,\nrunning\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: Euler a, Schedule type: Uniform, CFG scale: 7, Seed: 7, "
        f"Size: 24x24, Model hash: 0123456789, Model: fake, Version: sfumato {__version__}"
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("euler", "Euler"), ("heun", "Heun"), ("dpmpp_2m", "DPM++ 2M"), ("other", "other")],
)
def test_samplers_are_translated_both_ways(ours: str, theirs: str, make_image: MakeImage) -> None:
    text = a1111_parameters(make_image(sampler=ours).plan)
    assert f"Sampler: {theirs}," in text
    assert normalise(parse_parameters(text))["sampler"] == ours


def test_empty_negative_prompt_has_no_line(make_image: MakeImage) -> None:
    assert "Negative" not in a1111_parameters(make_image().plan)


@pytest.mark.parametrize("model", ["a, b", "a: b", 'say "x", y', "a\nb"])
def test_values_with_marks_are_quoted(model: str, make_image: MakeImage) -> None:
    text = a1111_parameters(make_image(model=model).plan)
    assert normalise(parse_parameters(text))["model"] == model


def test_a_real_text_is_understood() -> None:
    text = (
        "masterpiece, (girl:1.2),\nwith an artist's beret\n"
        "Negative prompt: bad, [hands:0.5],\nworse\n"
        "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 3416538420, "
        'Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Lora hashes: "a: 1, b: 2", '
        "Denoising strength: 0.7, Version: v1.10.1"
    )
    assert normalise(parse_parameters(text)) == {
        "prompt": "masterpiece, (girl:1.2),\nwith an artist's beret",
        "negative_prompt": "bad, [hands:0.5],\nworse",
        "steps": 28,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "cfg_scale": 7.5,
        "seed": 3416538420,
        "width": 512,
        "height": 768,
        "model_hash": "6ce0161689",
        "model": "v1-5",
        "Lora hashes": "a: 1, b: 2",
        "denoising_strength": 0.7,
        "version": "v1.10.1",
    }


@pytest.mark.parametrize("last", ["Steps: 20, Seed: 1", "just words, more: words", ""])
def test_fewer_than_three_pairs_are_prompt(last: str) -> None:
    parsed = parse_parameters(f"a fox\n{last}")
    assert parsed.values == {}
    assert parsed.prompt == f"a fox\n{last}".strip()


def test_values_that_do_not_convert_stay_as_they_are() -> None:
    text = "x\nSteps: many, Size: wide, CFG scale: nan, Seed: 1e9"
    assert normalise(parse_parameters(text)) == {
        "prompt": "x",
        "negative_prompt": "",
        "Steps": "many",
        "Size": "wide",
        "CFG scale": "nan",
        "Seed": "1e9",
    }


PIECES = st.sampled_from(
    [
        "Steps: 20, Sampler: Euler a, Seed: 1",
        "Negative prompt:",
        "  Negative prompt: x",
        'A b: "q, \\"r\\": s", C d: " t ", E-f: ""',
        'G: "open, H: 1, I: 2',
        "a\\b",
        "\n",
        ", ",
        "\x85",
        " ",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=8).map("".join))
@example("Negative prompt: a\nNegative prompt: Negative prompt: b\nAa: 1, Bb: 2, Cc: 3")
@example('Aa: "\\"x\\"", Bb: "abc\\q", Cc: "1" 2')
@example("Aa : 1, Bb\t: 2, Cc: 3")
def test_parse_print_parse_is_parse(text: str) -> None:
    once = parse_parameters(text)
    assert parse_parameters(print_parameters(once)) == once


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z \-/]{0,8}[A-Za-z]", fullmatch=True),
        st.text(max_size=20),
        min_size=3,
        max_size=8,
    )
)
def test_any_value_survives(values: dict[str, str]) -> None:
    text = print_parameters(Parameters(prompt="fox", values=values))
    assert parse_parameters(text) == Parameters(prompt="fox", values=values)


def test_hostile_lines_are_prose() -> None:
    """Open quotes would make a scanner start over at every pair; such lines are not scanned."""
    for line in ('ab: "\\",' * 5_000, "ab: 1," * 300, "x" * 100_000):
        assert parse_parameters(line).values == {}
