from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from measures.prompts import of_section, parse_line, read_prompts

from sfumato.colours import BASIC_TERMS

USES = {
    *("logo", "banner", "social post", "book cover", "card", "teaching aid", "product shot"),
    *("concept art", "interior", "architecture", "fashion", "industrial design"),
}
TOPICS = {
    *("animals", "food", "tools", "buildings", "vehicles", "nature", "faces", "fantasy"),
    "symbols",
}


def test_the_file_holds_the_promised_prompts() -> None:
    prompts = read_prompts()
    counts = Counter(prompt.section for prompt in prompts)
    assert counts == {"single": 120, "colours": 40, "styles": 20, "emblems": 20}
    assert len({prompt.text for prompt in prompts}) == 200
    assert {prompt.topic for prompt in prompts if prompt.section == "single"} == TOPICS
    assert {prompt.use for prompt in prompts if prompt.use} == USES
    assert sum(prompt.is_new for prompt in prompts if prompt.section == "single") >= 25
    assert sum(prompt.in_gallery for prompt in prompts) == 48


def test_every_section_says_what_it_expects() -> None:
    prompts = read_prompts()
    assert all(prompts[i].colour in BASIC_TERMS for i in of_section(prompts, "colours"))
    assert all(prompts[i].style for i in of_section(prompts, "styles"))
    assert all(prompts[i].shape for i in of_section(prompts, "emblems"))


def test_a_line_is_read_whole() -> None:
    prompt = parse_line("a blue fox\tconcept=fox,wolf\tcolour=blue\tuse=logo\tnew", "colours")
    assert (prompt.text, prompt.concepts, prompt.colour) == ("a blue fox", ("fox", "wolf"), "blue")
    assert prompt.use == "logo"
    assert prompt.is_new
    assert not prompt.in_gallery


@pytest.mark.parametrize("part", ["size=3", "colour=", "newer", ""])
def test_a_misspelt_expectation_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="no expectation"):
        parse_line(f"a fox\t{part}", "single")


def test_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("# single: animals\nfox\n\nowl\tshade=2\n", "utf-8")
    with pytest.raises(ValueError, match=r"txt:4: .shade=2. is no expectation"):
        read_prompts(path)
    path.write_text("fox\n", "utf-8")
    with pytest.raises(ValueError, match="before the first section"):
        read_prompts(path)
