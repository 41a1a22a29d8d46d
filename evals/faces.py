"""Measure ``malformed_face`` on faces broken on purpose and on clean ones, and write its page.

    python evals/faces.py --photos photos --write-docs

The photographs are the sample pictures of seven public repositories, as ``photographs.txt`` lists
them; they show people, so they are not kept here. ``photos`` holds each of them as
``OWNER+REPOSITORY/PATH``. The check's limits were set on one half of the pictures: only the other
half is planted with defects, and counts. Prints one JSON line and adds it to
``benchmarks/results/faces.jsonl``.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from measures.crooked import PLANTS, Anatomy, Plant
from measures.publishing import add_publishing, publish
from measures.record import make_record
from numpy.typing import NDArray
from PIL import Image
from planted import clean

from sfumato.checks import Look
from sfumato.checks.faces import Face, faces_of, finding_about, malformed_face
from sfumato.checks.landmarks import LEFT_EYE, LIPS, RIGHT_EYE, eye_distance
from sfumato.errors import SfumatoError

HERE = Path(__file__).parent
LISTED = HERE / "photographs.txt"

_LARGEST = 1280  # pixels: what the check looks at, and what is planted in
_AROUND = 4.0  # eye distances to each side of a face: the portrait that is broken
_PORTRAIT = 512  # pixels of its longer side

Photograph = tuple[str, NDArray[np.uint8], list[Face]]


def photographs(folder: Path) -> Iterator[Photograph]:
    """The listed pictures that show a face that can be judged, at most 1280 pixels long."""
    for name in LISTED.read_text("utf-8").split():
        image = Image.open(folder / name).convert("RGBA")
        image.thumbnail((_LARGEST, _LARGEST))
        pixels = np.asarray(image)
        faces = faces_of(Look(pixels))
        if faces:
            yield name, pixels, faces


def held_out(name: str) -> bool:
    """Whether the check's limits were set without this picture."""
    return zlib.crc32(flat(name).encode()) % 2 == 1


def flat(name: str) -> str:
    """``vladmandic+human/samples/in/a.jpg`` as ``human__a.jpg``."""
    repository, _, path = name.partition("/")
    return f"{repository.partition('+')[2]}__{Path(path).name}"


def portrait(photograph: Photograph) -> tuple[NDArray[np.uint8], Anatomy]:
    """The picture around its largest face, at most 512 pixels long, and where things are in it."""
    _, pixels, faces = photograph
    face = max(faces, key=lambda face: eye_distance(face.points))
    middle = face.points[:, :2].mean(axis=0)
    reach = _AROUND * eye_distance(face.points)
    left, top = corner = np.maximum(0, middle - reach).astype(int)
    right, bottom = (middle + reach).astype(int)
    image = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right, :3]))
    shrunk = min(1.0, _PORTRAIT / max(image.size))
    image = image.resize((round(image.width * shrunk), round(image.height * shrunk)))
    points = (face.points[:, :2] - corner) * shrunk
    anatomy = Anatomy(
        right=points[[*RIGHT_EYE]].mean(axis=0),
        left=points[[*LEFT_EYE]].mean(axis=0),
        mouth=points[[*LIPS]].mean(axis=0),
        middle=points.mean(axis=0),
    )
    return np.asarray(image), anatomy


def planted(photograph: Photograph, plant: Plant, strength: float) -> bool:
    """Whether the check speaks about the largest face, broken."""
    clean_one, anatomy = portrait(photograph)
    seed = zlib.crc32(f"{plant.name} {photograph[0]}".encode())
    broken = plant.make(clean_one, anatomy, strength, np.random.default_rng(seed))
    opaque = np.full((*broken.shape[:2], 1), 255, np.uint8)
    found = malformed_face(Look(np.concatenate([broken, opaque], axis=2)))
    return any(_around(one.box, anatomy.middle) for one in found)


def _around(box: tuple[int, int, int, int] | None, point: NDArray[np.float64]) -> bool:
    """Whether a point lies in a box."""
    if box is None:
        return False
    x, y = point
    return bool(box[0] <= x < box[2] and box[1] <= y < box[3])


def measure(photos: Sequence[Photograph], icons: Sequence[clean.Sample], each: int) -> Any:
    """Clean pictures that it speaks about, and how many broken ones, by defect and strength."""
    figures: dict[str, Any] = {}
    for half, own in (
        ("held_out", [one for one in photos if held_out(one[0])]),
        ("set_on", [one for one in photos if not held_out(one[0])]),
    ):
        alarms = {name: sum(map(bool, map(finding_about, faces))) for name, _, faces in own}
        figures[half] = {
            "pictures": len(own),
            "faces": sum(len(faces) for _, _, faces in own),
            "faces_said": sum(alarms.values()),
            "false_alarms": [flat(name) for name, said in alarms.items() if said],
        }
    figures["icons"] = len(icons)
    figures["icons_said"] = [one.name for one in icons if malformed_face(Look(one.pixels))]
    broken = sorted(
        (one for one in photos if held_out(one[0])), key=lambda one: zlib.crc32(one[0].encode())
    )[:each]
    figures["plants"] = []
    for plant in PLANTS:
        rows = [
            {
                "strength": strength,
                "planted": len(broken),
                "found": sum(planted(one, plant, strength) for one in broken),
            }
            for strength in plant.strengths
        ]
        own = {"name": plant.name, "unit": plant.unit, "visible": plant.visible, "strengths": rows}
        figures["plants"].append(own)
        print(plant.name, rows, file=sys.stderr, flush=True)
    seen = [
        row
        for own in figures["plants"]
        for row in own["strengths"]
        if row["strength"] >= own["visible"]
    ]
    rate = figures["held_out"]["faces_said"] / figures["held_out"]["faces"]
    recall = sum(row["found"] for row in seen) / sum(row["planted"] for row in seen)
    figures |= {"recall": recall, "precision": recall / (recall + rate), "false_alarm_rate": rate}
    return figures


def page(record: dict[str, Any]) -> str:
    """The page with the figures filled in."""
    figures = record["figures"]
    rows = [
        "| planted | recall, visible ones | found of those planted, by strength |",
        "|---|---|---|",
    ]
    for own in figures["plants"]:
        cells = " · ".join(
            f"{row['strength']:g}: {row['found']}/{row['planted']}" for row in own["strengths"]
        )
        seen = [row for row in own["strengths"] if row["strength"] >= own["visible"]]
        recall = sum(row["found"] for row in seen) / sum(row["planted"] for row in seen)
        unit = f" ({own['unit']}; visible from {own['visible']:g})" if own["unit"] else ""
        rows.append(f"| {own['name']}{unit} | {recall:.0%} | {cells} |")
    return Template((HERE / "faces-page.md").read_text("utf-8")).substitute(
        plants="\n".join(rows),
        recall=f"{figures['recall']:.0%}",
        precision=f"{figures['precision']:.0%}",
        rate=f"{figures['false_alarm_rate']:.0%}",
        faces=figures["held_out"]["faces"],
        said=figures["held_out"]["faces_said"],
        pictures=figures["held_out"]["pictures"],
        set_faces=figures["set_on"]["faces"],
        set_said=figures["set_on"]["faces_said"],
        set_pictures=figures["set_on"]["pictures"],
        each=figures["plants"][0]["strengths"][0]["planted"],
        icons=figures["icons"],
        icons_said=len(figures["icons_said"]),
        alarms=", ".join(figures["held_out"]["false_alarms"]) or "none",
        command=record["command"],
        commit=record["commit"],
        date=record["date"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photographs")
    parser.add_argument("--data", type=Path, required=True, help="folder of icons")
    parser.add_argument("--icons", type=int, default=100, help="icons of it")
    parser.add_argument("--plants", type=int, default=30, help="pictures broken at each strength")
    add_publishing(parser, "faces")
    asked = parser.parse_args(arguments)
    try:
        photos = list(photographs(asked.photos))
        icons = list(clean.icons(asked.data, asked.icons))
        figures = measure(photos, icons, asked.plants)
    except (SfumatoError, OSError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, SfumatoError) else 1
    command = (
        "python evals/faces.py --photos photos --data data/judge "
        f"--icons {asked.icons} --plants {asked.plants} --write-docs"
    )
    publish(make_record("faces", command, figures), asked, "checks-faces.md", page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
