"""A folder of training data, read back: pictures, captions, styles, text vectors.

The folder is what ``sfumato train data icons`` writes (``manifest.jsonl`` and
``pictures-64.npy``). Text vectors are computed once and kept in the run's own folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.errors import StorageError
from sfumato.training.text import encode_texts, export_text_encoder


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows of the manifest and the pictures they describe, in the same order."""

    rows: list[dict]
    pictures: NDArray[np.uint8]  # (N, 64, 64, 4) straight alpha
    styles: list[str]  # the style names in use, sorted
    numbers: NDArray[np.int64]  # (N,) each picture's row in the folder's own files

    def style_numbers(self) -> NDArray[np.int64]:
        """Index into ``styles`` for every row."""
        return np.array([self.styles.index(row["style"]) for row in self.rows], np.int64)


def read_corpus(folder: Path, split: str | None = "train") -> Corpus:
    """Rows of one split (``None``: all) and their pictures.

    Raises: StorageError: the folder is not a data set, or its files disagree.
    """
    try:
        lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        pictures = np.load(folder / "pictures-64.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{folder} is not a training set ({error}).",
            hint="Build one with: sfumato train data icons --out DIR",
        ) from None
    if len(rows) != len(pictures):
        raise StorageError(
            f"{folder}: the manifest names {len(rows)} pictures, the file holds {len(pictures)}."
        )
    sort_captions(rows)
    keep = [i for i, row in enumerate(rows) if split is None or row["split"] == split]
    return Corpus(
        [rows[i] for i in keep],
        np.asarray(pictures[keep]),
        sorted({row["style"] for row in rows}),
        np.array(keep, np.int64),
    )


def sort_captions(rows: list[dict], most: int = 3) -> None:
    """Change captions in place so that words do not teach one subject on another's picture.

    The head noun is added ("tree" of a palm tree). Tags are generous, though: a bone is tagged
    "skull", two dozen animals "animal". So, within a style, a caption belongs to the pictures whose
    own name it is; where there is none, to all that carry it if they are of few subjects, else to
    those named after it.
    """
    for row in rows:
        head = row["concept"].rpartition(" ")[2]
        if head not in row["captions"]:
            row["captions"] = [*row["captions"][:1], head, *row["captions"][1:]]
    named = {(row["concept"], row["style"]) for row in rows}
    sharing: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for caption in row["captions"]:
            sharing.setdefault((caption, row["style"]), set()).add(row["concept"])

    def belongs(caption: str, own: str, style: str) -> bool:
        if caption == own:
            return True
        if (caption, style) in named:
            return False
        return len(sharing[caption, style]) <= most or own.endswith(f" {caption}")

    for row in rows:
        own, style = row["concept"], row["style"]
        row["captions"] = [c for c in row["captions"] if belongs(c, own, style)] or [own]


def text_vectors(corpus: Corpus, run: Path, most: int = 8) -> list[NDArray[np.float32]]:
    """Sentence vectors of up to ``most`` captions a picture: a list of (C_i, 384) float32.

    Builds the int8 text encoder into ``run/text`` first when it is not there yet.
    """
    encoder = run / "text"
    if not (encoder / "vocab.txt").exists():
        encoder.mkdir(parents=True, exist_ok=True)
        export_text_encoder(encoder, [c for row in corpus.rows for c in row["captions"]])
    wanted = sorted({c for row in corpus.rows for c in row["captions"][:most]})
    names, table = run / "captions.json", run / "captions.npy"
    if not names.exists() or json.loads(names.read_text("utf-8")) != wanted:
        names.unlink(missing_ok=True)  # from here on the old names are not the table's
        with replacing(table) as temporary, temporary.open("wb") as file:
            np.save(file, encode_texts(encoder, wanted))
        with replacing(names) as temporary:
            temporary.write_text(json.dumps(wanted), "utf-8")
    vectors = np.load(table)
    index = {caption: i for i, caption in enumerate(wanted)}
    return [vectors[[index[c] for c in row["captions"][:most]]] for row in corpus.rows]
