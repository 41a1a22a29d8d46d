"""Embed the names that pictures are described with, for the picture-text model that ships.

    python evals/vocabulary.py

Writes ``src/sfumato/clip/data/<model>.npz`` and takes the file of an older model away. To be run
after new weights of ``sguardo``, or when the built-in model was shown other subjects.
"""

from __future__ import annotations

from sfumato import clip
from sfumato.clip.labels import TEMPLATES, embed_labels
from sfumato.clip.vocabulary import SHIPPED, file_name, subject_names, write_vectors


def main() -> None:
    """Write the file and say how large it is."""
    model, names = clip.load(), subject_names()
    path = SHIPPED / file_name(model)
    for old in SHIPPED.glob("*.npz"):
        if old != path:
            old.unlink()
    write_vectors(path, names, embed_labels(names, model, TEMPLATES))
    print(f"{path}: {len(names):,} names, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
