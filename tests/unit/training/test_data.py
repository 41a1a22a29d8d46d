"""The training-data builder, on tiny packs made here; nothing touches the network or npm."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.errors import RequestError, StorageError
from sfumato.training.data import icons, packs, pictures
from sfumato.training.data.archives import Icon, LoadedPack, parse_pack
from sfumato.training.data.captions import (
    EmojiRecord,
    clean_phrase,
    make_captions,
    make_slug,
    parse_emoji,
    strip_selectors,
)
from sfumato.training.data.choose import make_entry
from sfumato.training.data.icons import Preset, build_data, hold_out, make_set
from sfumato.training.data.pictures import (
    render_pictures,
)
from sfumato.training.data.subjects import (
    GlyphChoice,
    is_brand,
    load_glyphs,
    parse_glyphs,
    refuse_emoji,
)

COLOURS = {"fox": "#f80", "wolf": "#888", "whale": "#08f", "owl": "#840", "cat-face": "#fc0"}


def make_pack(name: str, drawings: dict[str, str], **extra: Any) -> LoadedPack:
    """A loaded pack that borrows a pinned pack's name, licence and style."""
    data = {
        "width": 32,
        "height": 32,
        "icons": {icon: {"body": body} for icon, body in drawings.items()},
        **extra,
    }
    return parse_pack(packs.pack_named(name), data, {})


def blob(colour: str, shape: int) -> str:
    """A drawing unlike those of other shapes: a bar whose place depends on ``shape``."""
    x, y = (shape * 7) % 20, (shape * 11) % 20
    return f'<rect x="{x}" y="{y}" width="11" height="12" fill="{colour}"/>'


def emoji(label: str, *, hexcode: str = "", subgroup: str = "animal-mammal", **extra: Any) -> Any:
    """An emoji record with the fields a test does not care about filled in."""
    fields: dict[str, Any] = {
        "hexcode": hexcode or hashlib.sha256(label.encode()).hexdigest()[:5],
        "label": label,
        "group": "animals-nature",
        "subgroup": subgroup,
        "tags": (),
        "shortcodes": (),
        "keywords": (),
    }
    return EmojiRecord(**{**fields, **extra})


ANIMALS = [emoji(label) for label in ("fox", "wolf", "whale", "owl")]
PRESET = Preset(
    name="tiny",
    colour=("twemoji", "noto"),
    mono=("mdi",),
    min_packs=2,
    strict=True,
    heldout=False,
)


def two_packs(**more: str) -> dict[str, LoadedPack]:
    """Two colour packs with four animals each, and an empty one-colour pack."""
    names = ["fox", "wolf", "whale", "owl"]
    return {
        "twemoji": make_pack(
            "twemoji", {n: blob(COLOURS[n], i) for i, n in enumerate(names)} | more
        ),
        "noto": make_pack("noto", {n: blob(COLOURS[n], i + 8) for i, n in enumerate(names)}),
        "mdi": make_pack("mdi", {"anvil": blob("currentColor", 5), "github": blob("#000", 6)}),
    }


def build(out: Path, **changes: Any) -> dict[str, Any]:
    """Build a tiny set with the defaults above."""
    options: dict[str, Any] = {
        "preset": PRESET,
        "packs": two_packs(),
        "emoji": ANIMALS,
        "chars": [],
        "glyphs": [],
    }
    return make_set(out, **{**options, **changes})


def manifest(out: Path) -> list[dict[str, Any]]:
    return pictures.read_manifest(out)


# --- what is written ---------------------------------------------------------------------------


def test_a_set_holds_a_line_an_svg_and_a_picture_for_every_drawing(tmp_path: Path) -> None:
    stats = build(tmp_path / "set")
    lines = manifest(tmp_path / "set")
    array = np.load(tmp_path / "set" / "pictures-64.npy")
    with gzip.open(tmp_path / "set" / "svg.jsonl.gz", "rt") as stream:
        svgs = [json.loads(line) for line in stream]
    assert len(lines) == len(array) == len(svgs) == stats["pictures"] == 8
    assert array.shape == (8, 64, 64, 4)
    assert array.dtype == np.uint8
    assert [line["id"] for line in lines] == [svg["id"] for svg in svgs]
    assert set(lines[0]) == {
        "id", "pack", "icon", "concept", "group", "style", "captions", "licence", "author",
        "split", "svg_sha256",
    }  # fmt: skip
    for line, svg in zip(lines, svgs, strict=True):
        assert line["svg_sha256"] == hashlib.sha256(svg["svg"].encode()).hexdigest()
    fox = next(line for line in lines if line["id"] == "twemoji:fox")
    assert fox["concept"] == "fox"
    assert fox["style"] == "cartoon"
    assert fox["licence"] == "CC-BY-4.0"
    assert fox["author"] == "Twitter"
    assert fox["group"] == "animals-nature/animal-mammal"


def test_pictures_lie_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    build(tmp_path / "set")
    array = np.load(tmp_path / "set" / "pictures-64.npy")
    for line, picture in zip(manifest(tmp_path / "set"), array, strict=True):
        wanted = COLOURS[line["concept"]]
        rgb = [int(digit * 2, 16) for digit in wanted[1:]]
        inside = picture[picture[..., 3] == 255][:, :3]
        assert len(inside)
        assert np.abs(inside.astype(int) - rgb).max() <= 1


def test_every_pack_used_is_attributed_with_its_licence(tmp_path: Path) -> None:
    build(tmp_path / "set")
    text = (tmp_path / "set" / "ATTRIBUTION.md").read_text()
    assert "**twemoji**" in text
    assert "CC-BY-4.0" in text
    assert "**noto**" in text
    assert "Apache-2.0" in text
    assert "openmoji" not in text


def test_a_failed_build_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(icons.np, "save", full_disk)
    with pytest.raises(StorageError, match="no space left"):
        build(tmp_path / "sets" / "set")
    assert list((tmp_path / "sets").iterdir()) == []


def test_the_set_appears_only_when_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets"
    seen: list[bool] = []
    inodes: list[int] = []
    write = icons.make_attribution

    def watch(entries: Any) -> str:
        seen.append((folder / "set").exists())
        inodes.extend(path.stat().st_ino for path in folder.iterdir())
        return write(entries)

    monkeypatch.setattr(icons, "make_attribution", watch)
    build(folder / "set")
    assert seen == [False]
    assert (folder / "set" / "stats.json").is_file()
    assert inodes == [(folder / "set").stat().st_ino], "renamed, not copied"


def test_an_existing_directory_and_an_unknown_preset_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="exists already"):
        build_data(tmp_path, preset="curated", cache=tmp_path / "cache")
    with pytest.raises(RequestError, match="no data preset called 'huge'"):
        build_data(tmp_path / "new", preset="huge", cache=tmp_path / "cache")


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    build(tmp_path / "set", on_progress=lambda *call: calls.append(call))
    assert calls[-1] == (8, 8, "draw")


# --- which drawings take part ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "subgroup", "kept"),
    [
        ("fox", "animal-mammal", True),
        ("astronaut", "person-role", True),
        ("woman astronaut", "person-role", False),
        ("woman dancing", "person-activity", True),
        ("person walking: facing right", "person-activity", False),
        ("thumbs up", "hand-fingers-closed", True),
        ("left-facing fist", "hand-fingers-closed", False),
        ("ten o’clock", "time", False),
        ("alarm clock", "time", True),
        ("keycap: 5", "keycap", False),
        ("flag: Italy", "country-flag", False),
        ("family: man, woman, boy", "family", False),
        ("play button", "av-symbol", False),
        ("recycling symbol", "other-symbol", True),
        ("red heart", "heart", True),
        ("white flower", "plant-flower", False),
    ],
)
def test_emoji_rules(label: str, subgroup: str, kept: bool) -> None:
    assert (refuse_emoji(label, subgroup) is None) is kept


def test_without_strictness_only_the_plainly_useless_go() -> None:
    assert refuse_emoji("cow", "animal-mammal", strict=False) is None
    assert refuse_emoji("white flower", "plant-flower", strict=False) is None
    assert refuse_emoji("flag: Italy", "country-flag", strict=False)
    assert refuse_emoji("keycap: 5", "keycap", strict=False)


def test_a_refused_emoji_is_not_drawn_and_is_counted(tmp_path: Path) -> None:
    extra = emoji("flag: Italy", subgroup="country-flag")
    changed = two_packs(**{"flag-italy": blob("#0f0", 3)})
    stats = build(tmp_path / "set", emoji=[*ANIMALS, extra], packs=changed)
    assert "flag italy" not in {line["concept"] for line in manifest(tmp_path / "set")}
    assert stats["dropped"]["subgroup country-flag"] == 1


def test_a_subject_that_too_few_packs_draw_is_left_out(tmp_path: Path) -> None:
    changed = two_packs(otter=blob("#a52", 3))
    stats = build(tmp_path / "set", emoji=[*ANIMALS, emoji("otter")], packs=changed)
    assert "otter" not in {line["concept"] for line in manifest(tmp_path / "set")}
    assert stats["dropped"]["in too few packs"] == 1


def test_code_points_find_a_drawing_whose_name_differs(tmp_path: Path) -> None:
    changed = two_packs(reynard=blob("#f80", 1))
    del changed["twemoji"].icons["fox"]
    changed["twemoji"].chars = {"1f98a-fe0f": "reynard"}
    records = [emoji("fox", hexcode="1f98a"), *ANIMALS[1:]]
    build(tmp_path / "set", packs=changed, emoji=records)
    by_id = {line["id"]: line for line in manifest(tmp_path / "set")}
    assert by_id["twemoji:reynard"]["concept"] == by_id["noto:fox"]["concept"] == "fox"


def test_a_pack_alias_may_not_steal_another_subjects_drawing(tmp_path: Path) -> None:
    bats = {"cricket-game": blob("#a52", 3)}
    changed = {
        "twemoji": make_pack("twemoji", bats, aliases={"cricket": {"parent": "cricket-game"}}),
        "noto": make_pack("noto", {"cricket": blob("#080", 4), "cricket-game": blob("#a52", 9)}),
        "mdi": make_pack("mdi", {}),
    }
    records = [emoji("cricket", subgroup="animal-bug"), emoji("cricket game", subgroup="sport")]
    build(tmp_path / "set", packs=changed, emoji=records, preset=replace(PRESET, min_packs=1))
    found = {line["id"]: line["concept"] for line in manifest(tmp_path / "set")}
    assert found == {
        "noto:cricket": "cricket",
        "twemoji:cricket-game": "cricket game",
        "noto:cricket-game": "cricket game",
    }


def test_hidden_and_turned_drawings_are_not_offered() -> None:
    pack = make_pack(
        "mdi",
        {"anvil": blob("#000", 1)},
        aliases={
            "smith": {"parent": "anvil"},
            "anvil-turned": {"parent": "anvil", "rotate": 1},
        },
    )
    assert pack.find("smith") is pack.find("anvil")
    assert pack.find("anvil-turned") is None
    hidden = parse_pack(pack.pack, {"icons": {"old": {"body": "", "hidden": True}}}, {})
    assert hidden.icons == {}


@pytest.mark.parametrize(
    ("name", "brand"),
    [
        ("github", True),
        ("apple", True),
        ("apple-finder", True),
        ("food-apple", False),
        ("bing-logo", True),
        ("raspberry-pi", True),
        ("raspberry", False),
        ("space-invaders", True),
        ("anvil", False),
    ],
)
def test_brands(name: str, brand: bool) -> None:
    assert is_brand(name) is brand


def test_the_loose_preset_leaves_brands_variants_and_flags_out(tmp_path: Path) -> None:
    changed = two_packs()
    shapes = ["anvil", "github", "anvil-outline", "flag-italy", "a-1", "lighthouse", "vibes"]
    changed["mdi"] = make_pack(
        "mdi", {name: blob("currentColor", i + 3) for i, name in enumerate(shapes)}
    )
    changed["mdi"].categories = {"vibes": {"Music", "Brand / Logo"}, "anvil": {"Music"}}
    build(tmp_path / "set", packs=changed, preset=replace(PRESET, strict=False, min_packs=1))
    drawn = {line["icon"] for line in manifest(tmp_path / "set") if line["pack"] == "mdi"}
    assert drawn == {"anvil", "lighthouse"}


# --- glyphs ------------------------------------------------------------------------------------


def test_glyphs_are_parsed_with_subject_and_synonyms() -> None:
    text = ["# a comment", "[mdi]", "sofa=sofa|couch, light-house", "[ph]", "barn-fill=barn"]
    assert list(parse_glyphs(text)) == [
        GlyphChoice(pack="mdi", icon="sofa", subject="sofa", synonyms=("couch",)),
        GlyphChoice(pack="mdi", icon="light-house", subject="light house", synonyms=()),
        GlyphChoice(pack="ph", icon="barn-fill", subject="barn", synonyms=()),
    ]
    with pytest.raises(StorageError, match="before any"):
        list(parse_glyphs(["sofa"]))


def test_the_shipped_glyph_list_names_known_packs_and_no_other_products() -> None:
    choices = load_glyphs()
    assert len(choices) > 900
    assert {choice.pack for choice in choices} <= set(icons.PRESETS["curated"].mono)
    # Things spelled like a product, looked at one by one; nothing else may be.
    suspicious = {choice.icon for choice in choices if is_brand(choice.icon)}
    assert suspicious == {"apple-core", "blender", "fedora", "go-kart", "steam-locomotive"}


def test_one_black_glyph_a_subject_named_like_the_emoji(tmp_path: Path) -> None:
    changed = two_packs()
    changed["mdi"] = make_pack(
        "mdi", {"vulpes": blob("currentColor", 5), "fox-two": blob("currentColor", 2)}
    )
    choices = parse_glyphs(["[mdi]", "vulpes=fox|reynard, fox-two=fox, missing=owl"])
    stats = build(tmp_path / "set", packs=changed, glyphs=choices)
    glyphs = [line for line in manifest(tmp_path / "set") if line["style"] == "glyph"]
    assert [line["icon"] for line in glyphs] == ["vulpes"]
    assert glyphs[0]["concept"] == "fox"
    assert glyphs[0]["captions"][:2] == ["fox", "reynard"]
    assert glyphs[0]["group"] == "animals-nature/animal-mammal"
    assert stats["dropped"]["glyph of a subject drawn already"] == 1
    assert stats["dropped"]["glyph not in its pack"] == 1
    place = [line["style"] for line in manifest(tmp_path / "set")].index("glyph")
    picture = np.load(tmp_path / "set" / "pictures-64.npy")[place]
    assert picture[picture[..., 3] > 0][:, :3].max() == 0


# --- blanks and duplicates ---------------------------------------------------------------------


def test_blank_drawings_are_dropped(tmp_path: Path) -> None:
    changed = two_packs(otter="<g/>")
    changed["noto"].icons["otter"] = Icon(name="otter", body="<g></g>", box=(0, 0, 32, 32))
    stats = build(tmp_path / "set", emoji=[*ANIMALS, emoji("otter")], packs=changed)
    assert stats["dropped"]["blank"] == 2
    assert stats["pictures"] == 8


def test_an_exact_duplicate_keeps_the_plainer_name(tmp_path: Path) -> None:
    same = blob(COLOURS["cat-face"], 3)
    changed = two_packs(**{"grinning-cat": same, "cat-face": same})
    changed["noto"] = make_pack(
        "noto", {"cat-face": blob("#000", 1), "grinning-cat": blob("#f00", 9)}
    )
    records = [emoji("grinning cat"), emoji("cat face")]
    stats = build(
        tmp_path / "set", emoji=records, packs=changed, preset=replace(PRESET, min_packs=1)
    )
    assert stats["dropped"]["exact duplicate"] == 1
    found = {line["id"]: line["concept"] for line in manifest(tmp_path / "set")}
    assert found["twemoji:cat-face"] == "cat face"
    assert "twemoji:grinning-cat" not in found


def test_a_near_duplicate_is_dropped_and_a_lone_subject_goes_with_it(tmp_path: Path) -> None:
    nearly = blob(COLOURS["fox"], 0).replace('height="12"', 'height="12.2"')
    changed = two_packs(jackal=nearly)
    changed["noto"].icons["jackal"] = Icon(name="jackal", body=blob("#123", 14), box=(0, 0, 32, 32))
    stats = build(tmp_path / "set", emoji=[*ANIMALS, emoji("jackal")], packs=changed)
    assert stats["dropped"]["near duplicate"] == 1
    assert "jackal" not in {line["concept"] for line in manifest(tmp_path / "set")}
    assert stats["pictures"] == 8


# --- names and captions ------------------------------------------------------------------------


def test_captions_run_from_the_name_to_the_tags() -> None:
    fox = emoji(
        "fox", shortcodes=("fox_face",), tags=("animal", "sly"), keywords=("sly", "vixen", "lion")
    )
    lion = emoji("lion", tags=("animal", "mane"))
    others = [emoji(name, tags=("animal", "wild")) for name in ("wolf", "boar", "owl", "bat")]
    captions = make_captions([fox, lion, *others])
    assert captions["fox"] == ["fox", "fox face", "sly", "vixen"]
    assert captions["lion"] == ["lion", "mane"]
    assert captions["wolf"] == ["wolf"], "a tag of many subjects names none of them"


def test_names_a_person_would_write() -> None:
    assert emoji("hot beverage").concept == "coffee cup"
    assert emoji("Santa Claus").concept == "santa claus"
    captions = make_captions([emoji("hot beverage")])
    assert captions["coffee cup"] == ["coffee cup", "hot beverage"]
    assert clean_phrase("Woman’s  Hat!") == "woman's hat"
    assert make_slug("woman’s hat") == "womans-hat"
    assert make_slug("piñata") == "pinata"
    assert strip_selectors("2764-FE0F") == "2764"


def test_emoji_sources_are_joined_by_code_point() -> None:
    data = [
        {"label": "red heart", "hexcode": "2764", "emoji": "❤️", "group": 0, "subgroup": 9,
         "tags": ["love"]},
        {"label": "regional indicator A", "hexcode": "1F1E6", "emoji": "🇦"},
    ]  # fmt: skip
    groups = {"groups": {"0": "smileys-emotion"}, "subgroups": {"9": "heart"}}
    found = parse_emoji(
        data, groups, [{"2764": "heart"}, {"2764": ["red_heart"]}], {"❤": {"default": ["emotion"]}}
    )
    assert [record.label for record in found] == ["red heart"]
    assert found[0].shortcodes == ("heart", "red_heart")
    assert found[0].keywords == ("emotion",)
    assert found[0].subgroup == "heart"


# --- the split ---------------------------------------------------------------------------------


def test_held_out_cells_are_few_stable_and_never_a_subjects_last() -> None:
    packs_here = two_packs()
    entries = []
    for number in range(1200):
        for name in ("twemoji", "noto"):
            icon = Icon(name=f"thing-{number}", body=f"<g id='{number}'/>", box=(0, 0, 8, 8))
            concept = f"thing {number}"
            entries.append(
                make_entry(packs_here[name], icon, concept=concept, captions=[concept], group=None)
            )
    lone = make_entry(
        packs_here["mdi"], packs_here["mdi"].icons["anvil"], concept="x", captions=[], group=None
    )
    hold_out([*entries, lone])
    held = {entry.id for entry in entries if entry.split == "heldout"}
    assert 0.02 < len(held) / len(entries) < 0.04
    assert lone.split == "train"
    trained = Counter(entry.concept for entry in entries if entry.split == "train")
    assert set(trained) == {entry.concept for entry in entries}
    again = [replace(entry, split="train") for entry in reversed(entries)]
    hold_out(again)
    assert {entry.id for entry in again if entry.split == "heldout"} == held


def test_lone_subjects_are_never_held_out() -> None:
    pack = two_packs()["mdi"]
    lone = [
        make_entry(
            pack,
            Icon(name=f"thing-{number}", body="<g/>", box=(0, 0, 8, 8)),
            concept=f"thing {number}",
            captions=[],
            group=None,
        )
        for number in range(400)
    ]
    hold_out(lone)
    assert {entry.split for entry in lone} == {"train"}


def test_whole_subjects_are_kept_from_training_in_every_style() -> None:
    here = two_packs()
    entries = [
        make_entry(
            here[pack],
            Icon(name=f"thing-{number}", body="<g/>", box=(0, 0, 8, 8)),
            concept=f"thing {number}",
            captions=[],
            group=None,
        )
        for number in range(2000)
        for pack in ("twemoji", "noto")
    ]
    hold_out(entries, 10)
    splits: dict[str, set[str]] = {}
    for entry in entries:
        splits.setdefault(entry.concept, set()).add(entry.split)
    unseen = [concept for concept, found in splits.items() if "unseen" in found]
    assert 10 <= len(unseen) <= 30
    assert all(splits[concept] == {"unseen"} for concept in unseen)
    assert "heldout" in set().union(*splits.values())


def test_judge_packs_never_train() -> None:
    for name, preset in icons.PRESETS.items():
        roles = {packs.pack_named(pack).role for pack in (*preset.colour, *preset.mono)}
        assert roles == ({"judge"} if name == "judge" else {"colour", "mono"})
    assert all("SA" not in pack.licence for pack in packs.PACKS if pack.role != "judge")


# --- pixels ------------------------------------------------------------------------------------


def test_other_sizes_are_drawn_once_and_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "set")
    big = render_pictures(tmp_path / "set", 96)
    assert big.shape == (8, 96, 96, 4)
    assert isinstance(big, np.memmap)
    small = np.load(tmp_path / "set" / "pictures-64.npy")
    assert np.abs(big[..., 3].mean(axis=(1, 2)) - small[..., 3].mean(axis=(1, 2))).max() < 2

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("drawn twice")

    monkeypatch.setattr(pictures, "render_all", fail)
    np.testing.assert_array_equal(render_pictures(tmp_path / "set", 96), big)
    with pytest.raises(AssertionError, match="drawn twice"):
        render_pictures(tmp_path / "set", 32)
    assert not list((tmp_path / "set").glob("*32*"))
    assert not list((tmp_path / "set").glob(".*partial"))


def test_a_directory_without_a_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no picture set"):
        render_pictures(tmp_path, 64)
