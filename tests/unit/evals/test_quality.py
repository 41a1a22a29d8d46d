"""The whole evaluation with the fake model: real files, real page, tiny numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gallery
import numpy as np
import pytest
import quality
from measures.drawing import Order, draw_or_read, order_prompts
from measures.page import quality_page
from measures.prompts import read_prompts
from measures.sheet import Cell, contact_sheet, side_by_side, wrap
from PIL import Image, ImageFont

FEW = """# single: animals
fox\tconcept=fox\tgallery
a barn owl\tconcept=owl\tnew
a plesiosaur\tnew
# colours
a blue rocket\tconcept=rocket\tcolour=blue
# styles
a flat house\tconcept=house\tstyle=flat
# emblems
a fox on a circle\tconcept=fox\tshape=circle\tgallery
"""


@pytest.fixture
def few_prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text(FEW, "utf-8")
    return path


def run_quality(picture_set: Path, judge_folder: Path, prompts: Path, out: Path) -> int:
    return quality.main(
        [
            *("--judge", str(judge_folder), "--train-data", str(picture_set)),
            *("--model", "fake", "--prompts", str(prompts), "--side", "128", "--seeds", "2"),
            *("--results", str(out / "quality.jsonl"), "--docs", str(out), "--write-docs"),
            *("--keep", str(out / "drawings.npz")),
        ]
    )


def test_the_fake_model_is_measured_end_to_end(
    picture_set: Path, judge_folder: Path, few_prompts: Path, tmp_path: Path
) -> None:
    assert run_quality(picture_set, judge_folder, few_prompts, tmp_path) == 0
    assert run_quality(picture_set, judge_folder, few_prompts, tmp_path) == 0
    first, second = (tmp_path / "quality.jsonl").read_text("utf-8").splitlines()
    record = json.loads(first)
    assert record["figures"] == json.loads(second)["figures"]  # the drawings were kept
    figures = record["figures"]
    assert figures["model"] == "fake"
    assert figures["concepts"]["not_judged"] == ["a plesiosaur"]
    assert figures["concepts"]["drawn"]["all prompts"]["top1"]["count"] == 10
    assert figures["distribution"]["count"] == 8
    # the held-out pictures of this set equal training pictures: a perfect memory
    assert figures["memorisation"]["pixels"]["near_copies"]["real"]["value"] == 1.0
    assert figures["memorisation"]["pixels"]["near_copies"]["drawn"]["value"] == 0.0
    assert figures["held_out"]["real"]["top1"]["count"] == 8
    page = (tmp_path / "quality.md").read_text("utf-8")
    assert page == quality_page(json.loads(second))
    assert figures["model_sha256"] in page
    assert "“a plesiosaur”" in page
    with Image.open(tmp_path / "nearest.png") as sheet:
        assert sheet.width > 1000


def test_subjects_kept_from_training_whole_are_measured_apart(
    picture_set: Path, judge_folder: Path, few_prompts: Path, tmp_path: Path
) -> None:
    spared = tmp_path / "data"
    shutil.copytree(picture_set, spared)
    rows = [json.loads(line) for line in (spared / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["split"] = "unseen" if row["concept"] == "owl" else row["split"]
    (spared / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_quality(spared, judge_folder, few_prompts, tmp_path) == 0
    figures = json.loads((tmp_path / "quality.jsonl").read_text("utf-8"))["figures"]
    assert figures["unseen"]["real"]["top1"]["count"] == 8  # the owl, four times in two styles
    assert figures["unseen"]["real"]["top1"]["value"] == 1.0
    assert figures["held_out"]["real"]["top1"]["count"] == 6
    assert figures["training_pictures"] == 18
    page = (tmp_path / "quality.md").read_text("utf-8")
    assert "kept from training whole, in every style" in page


def test_a_missing_judge_is_one_line(
    picture_set: Path, few_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_quality(picture_set, tmp_path, few_prompts, tmp_path) == 6
    said = capsys.readouterr().err
    assert "evals/judge.py" in said
    assert said.count("\n") == 1


def test_every_drawing_has_a_seed_of_its_own() -> None:
    orders = order_prompts(["fox", "owl"], 3)
    assert [order.text for order in orders] == ["fox"] * 3 + ["owl"] * 3
    assert len({order.seed for order in orders}) == 6


def test_kept_drawings_are_drawn_again_when_the_orders_change(tmp_path: Path) -> None:
    kept = tmp_path / "drawings.npz"
    first = draw_or_read([Order(text="fox", seed=1)], "fake", 64, kept)
    other = draw_or_read([Order(text="owl", seed=1)], "fake", 64, kept)
    assert not np.array_equal(first.pictures, other.pictures)
    again = draw_or_read([Order(text="owl", seed=1)], "fake", 64, kept)
    assert np.array_equal(again.pictures, other.pictures)
    assert again.model_sha256 == first.model_sha256


# ---------------------------------------------------------------- sheets


def test_a_sheet_shows_every_cell_in_its_place() -> None:
    red = np.zeros((64, 64, 4), np.uint8)
    red[...] = (220, 30, 30, 255)
    cells = [Cell(picture=red, caption=f"picture {i}", is_tinted=i == 0) for i in range(3)]
    sheet = np.asarray(contact_sheet(cells, columns=2, tile=100, footer="two rows"))
    reds = (sheet == (220, 30, 30)).all(axis=2)
    middle = sheet.shape[1] // 2
    per_cell = reds.sum() / 3
    assert per_cell > 60 * 60
    assert reds[:, :middle].sum() == pytest.approx(2 * per_cell, rel=0.01)


def test_captions_are_broken_and_cut() -> None:
    font = ImageFont.load_default(12)
    assert wrap("a fox", font, 200) == ["a fox"]
    lines = wrap("a birthday cake for a social media post of a bakery", font, 100)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(font.getlength(line) <= 100 for line in lines)
    assert wrap("incomprehensibilities", font, 40)[0].endswith("…")


def test_pairs_stand_side_by_side() -> None:
    left, right = np.full((8, 8, 4), 255, np.uint8), np.full((8, 8, 4), 255, np.uint8)
    left[..., 1:3], right[..., :2] = 0, 0
    pair = side_by_side(left, right)
    assert pair.shape == (16, 16, 4)
    assert pair[8, 2].tolist() == [255, 0, 0, 255]
    assert pair[8, 12].tolist() == [0, 0, 255, 255]


def test_the_gallery_is_made_of_the_marked_prompts(few_prompts: Path) -> None:
    prompts = read_prompts(few_prompts)
    marked = gallery.draw_gallery(prompts, "fake", 7, None)
    everything = gallery.draw_sheet(prompts, "fake", 7, "flat")
    assert marked.width > everything.width
    assert len(gallery.encode_below(everything, 60_000)) <= 60_000
    with pytest.raises(ValueError, match="does not fit"):
        gallery.encode_below(everything, 10)
