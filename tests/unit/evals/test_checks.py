"""Measuring the checks: what is planted, what counts as clean, the page."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import checks as checks_script
import numpy as np
import pytest
from planted import EXEMPT, PLANTS, UNPLANTED, Sample, load_themes
from planted.clean import accepted, icons, shown
from planted.copies import wandering
from planted.measure import measure
from planted.placement import moved, smaller

from sfumato.errors import StorageError
from sfumato.registry import CHECKS


@pytest.fixture(scope="module")
def samples(picture_set: Path) -> list[Sample]:
    return list(icons(picture_set, 4))


def test_icons_are_the_held_out_ones_spread_over_the_packs(samples: list[Sample]) -> None:
    assert len({sample.name for sample in samples}) == 4
    assert all(sample.name.endswith(":3") for sample in samples)
    assert {sample.style for sample in samples} == {"flat", "cartoon"}
    assert [max(sample.pixels.shape) for sample in samples] == [512, 1024, 640, 512]


def test_a_folder_without_icons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no icons"):
        list(icons(tmp_path, 4))


def test_the_accepted_drawings_are_prompts_and_seeds() -> None:
    pairs = accepted()
    assert len(pairs) > 50 and len(set(pairs)) == len(pairs)
    assert all(prompt and seed >= 0 for prompt, seed in pairs)


@pytest.mark.parametrize("one", load_themes(), ids=lambda one: f"{one.check}: {one.name}")
def test_each_plant_is_of_a_check_and_grows(one: object) -> None:
    from planted import Plant

    assert isinstance(one, Plant)
    assert one.check in CHECKS
    rising = sorted(one.strengths)
    assert list(one.strengths) in (rising, rising[::-1])
    assert min(one.strengths) <= one.visible <= max(one.strengths)


def test_exemptions_are_of_checks_and_say_why() -> None:
    load_themes()
    assert set(EXEMPT) | set(UNPLANTED) <= set(CHECKS.names())
    assert all(reason for _, reason in EXEMPT.values())
    assert all(UNPLANTED.values())
    assert not set(UNPLANTED) & {one.check for one in PLANTS}


def test_a_plant_is_the_same_every_time_and_leaves_its_sample_clean(samples: list[Sample]) -> None:
    load_themes()
    before = samples[0].pixels.copy()
    (one,) = [one for one in PLANTS if one.name == "crumbs"]
    twice = [one.make(samples[0], 3, np.random.default_rng(1)) for _ in range(2)]
    np.testing.assert_array_equal(twice[0].pixels, twice[1].pixels)
    np.testing.assert_array_equal(samples[0].pixels, before)


def test_moving_and_shrinking_keep_the_canvas() -> None:
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[10:20, 10:30] = 255
    rows, columns = np.nonzero(moved(pixels, 35, -12)[..., 3])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 7, 45, 59)
    assert smaller(pixels, 0.5).shape == pixels.shape
    assert smaller(pixels, 0.5)[..., 3].astype(int).sum() == pytest.approx(255 * 50, rel=0.05)


def test_figures_count_what_was_found_and_what_was_not(samples: list[Sample]) -> None:
    load_themes()
    plants = [one for one in PLANTS if one.name == "blurred"]
    figures = measure(samples, plants, only=["blur"], each=2)
    (name,) = figures
    assert name == "blur"
    by_strength = {row["strength"]: row for row in figures["blur"]["plants"][0]["strengths"]}
    assert by_strength[6]["planted"] == by_strength[6]["found"] == 2
    assert figures["blur"]["clean"] == 4 and figures["blur"]["false_alarms"] == []
    assert figures["blur"]["planted"] == 6  # two pictures at each of the three visible strengths
    assert figures["blur"]["recall"] == figures["blur"]["precision"] == 1
    assert figures["blur"]["severity"] == "warning"


def test_what_nothing_is_planted_for_is_asked_about_clean_pictures(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UNPLANTED, "vanishes", "nobody made any")
    own = measure([*samples, _faint(samples[0])], [], only=["vanishes", "blur"])["vanishes"]
    assert (own["planted"], own["recall"], own["precision"]) == (0, None, None)
    assert own["clean"] == 5 and own["false_alarms"] == ["faint"]


def _faint(sample: Sample) -> Sample:
    pixels = sample.pixels.copy()
    pixels[..., :3] = 250
    return Sample(name="faint", source="icons", pixels=pixels, caption="", style="flat")


def test_copies_are_planted_of_what_the_model_was_shown(
    samples: list[Sample], picture_set: Path, tmp_path: Path
) -> None:
    trained = list(shown(picture_set, 3))
    assert len(trained) == 3
    assert not any(sample.name.endswith(":3") for sample in trained)
    judged = tmp_path / "judge"
    shutil.copytree(picture_set, judged)
    manifest = judged / "manifest.jsonl"
    manifest.write_text(manifest.read_text("utf-8").replace('"heldout"', '"train"'), "utf-8")
    assert list(shown(judged, 3)) == []

    seen: list[str] = []
    plants = [
        replace(one, make=lambda sample, strength, rng: seen.append(sample.name))
        for one in load_themes()
        if one.check == "near_copy"
    ]
    measure(samples, plants, trained=trained, only=["near_copy"])
    assert plants and set(seen) == {sample.name for sample in trained}


def test_lines_wander_as_far_as_was_said() -> None:
    sheet = np.zeros((200, 200, 4), np.uint8)
    sheet[50:150, 50:150] = 255
    one = wandering(sheet, 0.02, np.random.default_rng(0))
    rows, columns = np.nonzero(one[..., 3])
    assert not np.array_equal(one, sheet)
    for edge, was in ((rows.min(), 50), (rows.max(), 149), (columns.min(), 50)):
        assert abs(int(edge) - was) <= 5  # two per cent of 200, and what the curve overshoots
    np.testing.assert_array_equal(wandering(sheet, 0.0, np.random.default_rng(0)), sheet)


def test_unseen_subjects_are_planted_and_known_ones_are_clean(samples: list[Sample]) -> None:
    plants = [one for one in load_themes() if one.check == "unknown_subject"]
    figures = measure(samples, plants, only=["unknown_subject"], each=3)["unknown_subject"]
    assert figures["planted"] == 6 and figures["recall"] == 1
    assert figures["clean"] == 3 and figures["false_alarms"] == []


def test_false_alarms_lower_the_precision(samples: list[Sample]) -> None:
    load_themes()
    dirty = [Sample(name="x", source="icons", pixels=_blurred(samples[0]), caption="", style="")]
    plants = [one for one in PLANTS if one.name == "blurred"]
    figures = measure([*samples, *dirty], plants, only=["blur"], each=2)
    assert figures["blur"]["false_alarms"] == ["x"]
    assert figures["blur"]["precision"] == pytest.approx(1 / 1.2)


def _blurred(sample: Sample) -> np.ndarray:
    (one,) = [one for one in PLANTS if one.name == "blurred"]
    broken = one.make(sample, 6, np.random.default_rng(0))
    return broken.pixels


def test_the_script_writes_record_and_page(
    picture_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--data", str(picture_set), "--icons", "3", "--drawings", "0", "--plants", "1"]
    call += ["--only", "halo,opaque_ground", "--results", str(tmp_path / "r.jsonl")]
    assert checks_script.main([*call, "--write-docs", "--docs", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "r.jsonl").read_text())
    assert record == json.loads(capsys.readouterr().out)
    assert list(record["figures"]["checks"]) == ["halo", "opaque_ground"]
    page = (tmp_path / "checks.md").read_text()
    assert "$" not in page
    assert "| `halo` | a fringe of another ground around the drawing |" in page
    assert "| `blur` |" in page and "not measured" in page


def test_a_missing_folder_ends_with_its_code(tmp_path: Path) -> None:
    assert checks_script.main(["--data", str(tmp_path / "none")]) == StorageError.exit_code
