"""Planted: not what the words demand: number, lettering, seams, symmetry, the subject itself.

Strength 0 keeps the demand: it is the clean picture beside the broken ones, and counts as one.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from planted.registry import Broken, Pixels, Sample, exempt, plant
from sfumato.checks import Look
from sfumato.regions import find_regions

SIDE = 512
WORDS = ("OPEN", "HELLO", "SALE", "NORTH", "MUSIC", "PARK", "GARDEN", "BREAD")
LETTERS = "ABDEGHMNRTX"  # none is another one's twin
OTHERS = (
    *("bicycle", "pineapple", "violin", "castle", "octopus", "umbrella", "guitar", "snail"),
    *("bus", "cactus", "whale", "ladder", "mushroom", "hammer", "anchor", "tiger", "candle"),
    *("trumpet", "windmill", "teapot", "scissors", "helicopter", "banana", "penguin"),
)
PAPER = (250, 240, 220, 255)
_CUT = (0.0, 0.03, 0.08, 0.2)
_MISSING, _PIECE = "a piece missing on one side", (0.0, 0.03, 0.06, 0.12)

for _check in ("tileable", "symmetrical"):
    exempt(
        _check,
        "it answers a question, and most pictures are not; only those made to be so are clean",
        lambda sample: True,
    )


def cropped(sample: Sample, side: int) -> Image.Image | None:
    """The drawing alone, at most ``side`` pixels; None where it is not on a clear canvas."""
    if not sample.free:
        return None
    rows, columns = np.nonzero(sample.pixels[..., 3] >= 128)
    if len(rows) == 0:
        return None
    inner = sample.pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = side / max(inner.shape[:2])
    height, width = (max(1, round(length * scale)) for length in inner.shape[:2])
    return Image.fromarray(inner).resize((width, height), Image.Resampling.LANCZOS)


@plant("wrong_count", "one too many or few", unit="subjects off", strengths=(0, 1, 2), visible=1)
def miscounted(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    shown = int(rng.integers(1, 7))
    columns = int(np.ceil(np.sqrt(shown)))
    cell = SIDE // columns
    drawing = cropped(sample, int(cell * 0.86))
    if drawing is None or len(find_regions(np.asarray(drawing)[..., 3] >= 128).areas) != 2:
        return None  # in several parts: what is one subject is anybody's guess
    sheet = Image.new("RGBA", (SIDE, SIDE))
    for place in range(shown):
        down, across = divmod(place, columns)
        sheet.paste(drawing, (across * cell + cell // 14, down * cell + cell // 14))
    wanted = shown + int(strength) * (1 if shown <= strength or rng.random() < 0.5 else -1)
    noun = "thing" if wanted == 1 else "things"
    return Look(np.asarray(sheet), prompt=f"{'one' if wanted == 1 else wanted} {noun}")


@plant("tileable", "cut off", unit="share of the tile", strengths=_CUT, visible=0.03)
@plant("broken_seam", "cut off", unit="share of the tile", strengths=_CUT, visible=0.03)
def cut_tile(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    drawing = cropped(sample, int(rng.integers(110, 200)))
    if drawing is None:
        return None
    wide = Image.new("RGBA", (3 * SIDE, 3 * SIDE), PAPER)
    for across, down in rng.integers(0, SIDE, (9, 2)).tolist():
        for tile in range(9):  # the same drawing in every tile: what leaves one enters the next
            place = across + tile % 3 * SIDE, down + tile // 3 * SIDE
            wide.alpha_composite(drawing, place) if max(place) < 3 * SIDE else None
    middle = np.asarray(wide)[SIDE : 2 * SIDE, SIDE : 2 * SIDE]
    return Look(middle[:, : SIDE - round(strength * SIDE)], prompt="a seamless pattern")


@plant("symmetrical", _MISSING, unit="share of the drawing", strengths=_PIECE, visible=0.06)
@plant("asymmetry", _MISSING, unit="share of the drawing", strengths=_PIECE, visible=0.06)
def lopsided(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    if not sample.free:
        return None
    pixels = sample.pixels.copy()
    height, width = pixels.shape[:2]
    half = width // 2
    pixels[:, width - half :] = pixels[:, :half][:, ::-1]
    rows, columns = np.nonzero(pixels[..., 3] >= 128)
    if len(rows) == 0 or columns.min() > 0.4 * width:
        return None  # all that was drawn lay on the other side
    radius = np.sqrt(strength * len(rows) / np.pi)
    left = np.flatnonzero(columns < half - radius)
    if len(left) == 0:
        return None
    at = int(rng.choice(left))
    y, x = np.mgrid[:height, :width]
    pixels[(y - rows[at]) ** 2 + (x - columns[at]) ** 2 < radius**2] = 0
    return Look(pixels, prompt="a symmetrical drawing")


@plant("misread_lettering", "misspelt", unit="wrong letters", strengths=(0, 1, 2), visible=1)
def misspelt(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    word = str(rng.choice(WORDS))
    drawn = list(word)
    for at in rng.permutation(len(word))[: int(strength)]:
        drawn[at] = str(rng.choice([letter for letter in LETTERS if letter != word[at]]))
    sheet = lettered(sample, "".join(drawn), rng)
    return None if sheet is None else Look(sheet, prompt=f'a sign that says "{word}"')


@plant("stray_lettering", "a word", unit="words", strengths=(0, 1), visible=1)
def signed(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    sheet = lettered(sample, str(rng.choice(WORDS)) if strength else "", rng)
    return None if sheet is None else Look(sheet, prompt=sample.caption)


def lettered(sample: Sample, text: str, rng: np.random.Generator) -> Pixels | None:
    """The drawing on paper with a line of lettering below it."""
    drawing = cropped(sample, 330)
    if drawing is None:
        return None
    sheet = Image.new("RGBA", (SIDE, SIDE), PAPER)
    sheet.alpha_composite(drawing, ((SIDE - drawing.width) // 2, 10 + (330 - drawing.height) // 2))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(float(rng.uniform(60, 100)))
    colour = tuple(int(value) for value in rng.integers(0, 120, 3))
    pen.text(((SIDE - pen.textlength(text, font)) / 2, 370), text, colour, font)
    return np.asarray(sheet)


@plant("subject_mismatch", "another subject asked for", unit="", strengths=(1,), visible=1)
def other_subject(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    other = str(rng.choice([word for word in OTHERS if word not in sample.caption]))
    return sample.look(prompt=other, subject=other, tint=None, tint_name=None)
