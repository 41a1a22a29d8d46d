"""The three objects of a drawing, never merged.

``GenerationRequest`` is what was asked, ``GenerationPlan`` is everything resolved (it is written
into the file and can be replayed), ``GenerationResult`` is what came out. All are frozen: change
one with ``dataclasses.replace``.
"""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from sfumato.errors import RequestError
from sfumato.registry import Entry

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MAX_PROMPT_CHARACTERS = 10_000
MIN_SIDE, MAX_SIDE = 16, 4096
MAX_SEED = 2**32 - 1
MAX_IMAGES = 64
MAX_STEPS = 150
MAX_GUIDANCE = 30.0
MAX_TEMPERATURE = 2.0
MAX_KINDS = 4  # different things in one picture
MAX_THINGS = 9  # all in all
MIN_BOX = 1e-4  # share of the canvas: room for one thing, on a ribbon too
PLAN_SCHEMA = 3  # of recipes written now; 1 had no parts, 2 no temperature: both are read
EMBLEM_SHAPES = (
    "circle", "rounded", "square", "shield", "hexagon", "ring", "sunburst", "diamond",
)  # fmt: skip
FINISHES = ("vector", "raster")

_PART_STRIDE = 0x9E3779B1  # between the seeds of two parts: 2**32 over the golden ratio
_HEX_COLOUR = re.compile(r"#[0-9a-f]{6}")


def _shown(value: object) -> str:
    """A refused value in a message: short, and safe for integers too long to print."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    return reprlib.repr(value)


def _require_int(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"{name} must be a whole number, not {_shown(value)}.")
    if not low <= value <= high:
        raise RequestError(
            f"{name} is {_shown(value)}.", hint=f"Give a number from {low} to {high}."
        )


def _require_scale(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(f"The guidance scale must be a number, not {_shown(value)}.")
    if not 0.0 <= value <= MAX_GUIDANCE:  # NaN and infinities are refused here too
        raise RequestError(
            f"The guidance scale is {_shown(value)}.",
            hint=f"Give a number from 0 to {MAX_GUIDANCE:g}; 1 is off.",
        )


def _require_temperature(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(f"The temperature must be a number, not {_shown(value)}.")
    if not 0.0 <= value <= MAX_TEMPERATURE:  # NaN is refused here too
        raise RequestError(
            f"The temperature is {_shown(value)}.",
            hint=f"Give a number from 0 to {MAX_TEMPERATURE:g}; lower is surer and less varied.",
        )


def _require_variation(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise RequestError(
            f"The variation strength is {_shown(value)}.", hint="Give a number from 0 to 1."
        )


def _require_hex(name: str, value: object) -> None:
    # such a value ends up inside an SVG: nothing but a colour may pass
    if not (isinstance(value, str) and _HEX_COLOUR.fullmatch(value)):
        raise RequestError(f"{name} must be a colour such as #1d4ed8, not {_shown(value)}.")


def check_text(name: str, text: object) -> str:
    """Return ``text`` when it is a string sfumato can work with.

    Raises: RequestError: too long, contains NUL, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise RequestError(f"{name} must be text, not {type(text).__name__}.")
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise RequestError(
            f"{name} has {len(text):,} characters.",
            hint=f"Shorten it to {MAX_PROMPT_CHARACTERS:,} or fewer.",
        )
    if "\x00" in text:
        raise RequestError(f"{name} contains a NUL character.", hint="Remove it.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(
            f"{name} is not valid Unicode at character {error.start + 1}.",
            hint="Check the encoding of the file or terminal it came from (UTF-8 is expected).",
        ) from None
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What was asked. Every field is optional but the prompt; ``None`` means "you choose".

    Raises: RequestError: a value is out of range (the message says the range).
    """

    prompt: str
    negative_prompt: str = ""
    model: str | None = None
    num_images: int = 1
    seed: int | None = None  # picture i uses seed + i
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    num_inference_steps: int | None = None
    guidance_scale: float | None = None  # uncond + s * (cond - uncond): 1.0 is off
    temperature: float | None = None  # of the starting noise: below 1 is surer, less varied
    style: str | None = None
    background: str | None = None  # "transparent", "opaque", "#rrggbb" or a colour's name
    sampler: str | None = None
    scheduler: str | None = None
    variation_seed: int | None = None  # picture i is pulled towards variation_seed + i
    variation_strength: float = 0.0  # 0 is the seed's own picture, 1 is the variation seed's
    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not check_text("The prompt", self.prompt).strip():
            raise RequestError(
                "The prompt is empty.", hint='Say what to draw, for example: sfumato "a red fox".'
            )
        check_text("The negative prompt", self.negative_prompt)
        _require_int("The number of pictures", self.num_images, 1, MAX_IMAGES)
        if self.seed is not None:
            _require_int("The seed", self.seed, 0, MAX_SEED)
        for name, side in (("The width", self.width), ("The height", self.height)):
            if side is not None:
                _require_int(name, side, MIN_SIDE, MAX_SIDE)
        if self.num_inference_steps is not None:
            _require_int("The number of steps", self.num_inference_steps, 1, MAX_STEPS)
        if self.threads is not None:
            _require_int("The number of threads", self.threads, 1, 256)
        if self.guidance_scale is not None:
            _require_scale(self.guidance_scale)
        if self.temperature is not None:
            _require_temperature(self.temperature)
        _require_variation(self.variation_strength)
        if self.variation_seed is not None:
            _require_int("The variation seed", self.variation_seed, 0, MAX_SEED)
        for option in ("model", "style", "background", "sampler", "scheduler"):
            if getattr(self, option) is not None:
                check_text(f"The {option}", getattr(self, option))
        check_text("The device", self.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emblem:
    """A solid shape behind the drawing, as on a badge or an app icon.

    Raises: RequestError: an unknown shape, or not a colour.
    """

    shape: str  # one of EMBLEM_SHAPES
    colour: str  # "#rrggbb"

    def __post_init__(self) -> None:
        if self.shape not in EMBLEM_SHAPES:
            raise RequestError(
                f"There is no emblem of shape {self.shape!r}.",
                hint=f"Choose one of: {', '.join(EMBLEM_SHAPES)}.",
            )
        _require_hex("The emblem's colour", self.colour)


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several things in a picture: drawn once, laid into each of its boxes.

    Raises: RequestError: a value of the wrong kind or out of range.
    """

    subject: str  # the words the text encoder reads
    boxes: tuple[Box, ...]  # room for each copy, as shares (0..1) of the canvas' width and height
    tint: str | None = None  # "#rrggbb"
    tint_name: str | None = None
    stands: bool = False  # on the ground line of its row; what does not is centred in the row

    def __post_init__(self) -> None:
        check_text("A part's subject", self.subject)
        if not isinstance(self.stands, bool):
            raise RequestError(f"A part's stands is {_shown(self.stands)}.", hint="Give a boolean.")
        if self.tint is not None:
            _require_hex("A part's tint", self.tint)
        if self.tint_name is not None:
            check_text("A part's tint_name", self.tint_name)
        for box in self.boxes:
            if not _is_box(box):
                raise RequestError(
                    f"A part's box is {_shown(box)}.",
                    hint=f"Give left, top, right and bottom from 0 to 1, at least {MIN_BOX} apart.",
                )
        _require_int("The number of a part's boxes", len(self.boxes), 1, MAX_THINGS)


def _is_box(box: object) -> bool:
    """Whether these are four shares that leave room for a thing between them."""
    if not isinstance(box, tuple) or len(box) != 4:
        return False
    if any(isinstance(side, bool) or not isinstance(side, (int, float)) for side in box):
        return False
    if not all(0 <= side <= 1 for side in box):  # NaN is refused too, and what no float can hold
        return False
    left, top, right, bottom = map(float, box)
    return right - left >= MIN_BOX and bottom - top >= MIN_BOX


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPlan:
    """Everything resolved: written into the picture's file and enough to draw it again.

    Lengths of ``seeds`` and ``styles`` are equal: one entry a picture. ``variation_seeds`` is as
    long, or empty where nothing is varied. A picture of several things has ``parts``; ``subject``
    then says all of them in words, and what is drawn is ``drawings``. A plan may come from a
    file that somebody sent, so every value is checked here, like a request's.

    Raises: RequestError: a value of the wrong kind or out of range.
    """

    prompt: str
    negative_prompt: str
    subject: str  # the words the text encoder reads, where there are no parts
    model: str
    model_sha256: str
    seeds: tuple[int, ...]
    styles: tuple[str, ...]  # the style each picture is drawn in
    width: int  # pixels
    height: int  # pixels
    num_inference_steps: int
    guidance_scale: float
    sampler: str
    scheduler: str
    background: str  # "transparent" or "#rrggbb"
    tint: str | None = None  # "#rrggbb": the main colour is moved here after drawing
    tint_name: str | None = None  # the word the tint came from
    emblem: Emblem | None = None
    parts: tuple[Part, ...] = ()  # what is laid out side by side; none: one subject
    temperature: float = 1.0  # the starting noise is multiplied by this
    variation_seeds: tuple[int, ...] = ()  # the start is pulled from each seed towards these
    variation_strength: float = 0.0
    finish: str = "vector"  # "vector": clean, trace, render at size; "raster": resample
    device: str = "cpu"
    notes: tuple[str, ...] = ()  # sentences for people: what was decided and why
    fingerprint: Mapping[str, str] = field(default_factory=dict)  # engine versions
    schema: int = PLAN_SCHEMA

    def __post_init__(self) -> None:
        for name in (
            *("prompt", "negative_prompt", "subject", "model", "model_sha256"),
            *("sampler", "scheduler", "finish", "device"),
        ):
            check_text(f"The recipe's {name}", getattr(self, name))
        if self.tint_name is not None:
            check_text("The recipe's tint_name", self.tint_name)
        if len(self.seeds) != len(self.styles):
            raise RequestError("The recipe has not as many styles as seeds.")
        _require_int("The number of pictures", len(self.seeds), 1, MAX_IMAGES)
        for seed, style in zip(self.seeds, self.styles, strict=True):
            _require_int("The seed", seed, 0, MAX_SEED)
            check_text("The style", style)
        if self.variation_seeds and len(self.variation_seeds) != len(self.seeds):
            raise RequestError("The recipe has not as many variation seeds as seeds.")
        for seed in self.variation_seeds:
            _require_int("The variation seed", seed, 0, MAX_SEED)
        _require_variation(self.variation_strength)
        _require_int("The width", self.width, MIN_SIDE, MAX_SIDE)
        _require_int("The height", self.height, MIN_SIDE, MAX_SIDE)
        _require_int("The number of steps", self.num_inference_steps, 1, MAX_STEPS)
        _require_scale(self.guidance_scale)
        _require_temperature(self.temperature)
        if self.background != "transparent":
            _require_hex("The background", self.background)
        if self.tint is not None:
            _require_hex("The tint", self.tint)
        if self.emblem is not None and not isinstance(self.emblem, Emblem):
            raise RequestError(f"The emblem must be an Emblem, not {_shown(self.emblem)}.")
        if not all(isinstance(part, Part) for part in self.parts):
            raise RequestError(f"The parts must be Parts, not {_shown(self.parts)}.")
        if self.parts:
            _require_int("The number of parts", len(self.parts), 1, MAX_KINDS)
            _require_int("The number of things", self.num_things, 2, MAX_THINGS)
        if self.finish not in FINISHES:
            raise RequestError(f"There is no finish called {self.finish!r}.")
        for note in self.notes:
            check_text("A note", note)
        if not isinstance(self.fingerprint, Mapping):
            raise RequestError(f"The fingerprint is not a mapping: {_shown(self.fingerprint)}.")
        for key, version in self.fingerprint.items():
            check_text("The fingerprint's key", key)
            check_text("The fingerprint", version)

    @property
    def num_images(self) -> int:
        """How many pictures this plan draws."""
        return len(self.seeds)

    @property
    def num_things(self) -> int:
        """How many things stand in each picture, copies included."""
        return sum(len(part.boxes) for part in self.parts) or 1

    @property
    def drawings(self) -> tuple[GenerationPlan, ...]:
        """The plan of each drawing a picture is made of: of each part alone, or just this one.

        The first part starts from the picture's own seed, each further one from a seed of its own.
        """
        if not self.parts:
            return (self,)
        return tuple(
            replace(
                self,
                subject=part.subject,
                tint=part.tint,
                tint_name=part.tint_name,
                parts=(),
                seeds=_seeds_of_part(self.seeds, number),
                variation_seeds=_seeds_of_part(self.variation_seeds, number),
            )
            for number, part in enumerate(self.parts)
        )

    def for_image(self, index: int) -> GenerationPlan:
        """The plan of one picture alone: same pixels as inside the batch."""
        return self.for_images((index,))

    def for_images(self, indexes: Sequence[int]) -> GenerationPlan:
        """The plan of some of the pictures, in this order: same pixels as among all of them."""
        return replace(
            self,
            seeds=tuple(self.seeds[index] for index in indexes),
            styles=tuple(self.styles[index] for index in indexes),
            variation_seeds=(
                tuple(self.variation_seeds[index] for index in indexes)
                if self.variation_seeds
                else ()
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys sorted by the order of the fields."""
        values = asdict(self)
        values["fingerprint"] = dict(self.fingerprint)
        return values

    def to_json(self) -> str:
        """Compact JSON, the text stored in files."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> GenerationPlan:
        """Read a plan back. Unknown keys are refused, so nothing is silently dropped.

        Raises: RequestError: not JSON, not a plan, or written by a newer sfumato.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"The recipe is not readable JSON: {error}.") from None
        if not isinstance(values, dict):
            raise RequestError("The recipe is not a JSON object.")
        schema = values.get("schema")
        # JSON's true equals 1 in Python
        if type(schema) is not int or not 1 <= schema <= PLAN_SCHEMA:
            raise RequestError(
                f"The recipe has schema {_shown(schema)}; this sfumato reads 1 to {PLAN_SCHEMA}.",
                hint="Install the version of sfumato that drew it.",
            )
        try:
            for key in {"seeds", "styles", "notes", "variation_seeds"} & values.keys():
                values[key] = _as_tuple(key, values[key])
            if values.get("emblem") is not None:
                values["emblem"] = Emblem(**values["emblem"])
            if "parts" in values:
                values["parts"] = tuple(map(_as_part, _as_tuple("parts", values["parts"])))
            return cls(**{**values, "schema": PLAN_SCHEMA})
        except TypeError as error:
            reason = str(error).replace(f"{cls.__name__}.__init__() ", "")
            raise RequestError(f"The recipe is damaged: {reason}.") from None


def _as_tuple(key: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise RequestError(f"The recipe is damaged: {key} is not a list.")
    return tuple(value)


def _as_part(value: Mapping[str, Any]) -> Part:
    if not isinstance(value, dict):
        raise RequestError("The recipe is damaged: a part is not an object.")
    boxes = _as_tuple("boxes", value.get("boxes"))
    return Part(**{**value, "boxes": tuple(_as_tuple("a box", box) for box in boxes)})


def _seeds_of_part(seeds: tuple[int, ...], number: int) -> tuple[int, ...]:
    """The seeds that part ``number`` starts from; those of the first part are the picture's."""
    return tuple((seed + number * _PART_STRIDE) & MAX_SEED for seed in seeds)


def as_request(
    prompt: str | GenerationRequest | GenerationPlan, options: dict[str, Any]
) -> GenerationRequest | GenerationPlan:
    """The request that ``prompt`` and options make. Raises: RequestError: an unknown option."""
    if isinstance(prompt, GenerationPlan):
        if options:
            raise RequestError("A plan is complete: options cannot be given beside it.")
        return prompt
    unknown = options.keys() - {field.name for field in fields(GenerationRequest)}
    if unknown:
        raise RequestError(f"There is no option called {', '.join(sorted(unknown))}.")
    if isinstance(prompt, GenerationRequest):
        return replace(prompt, **options)
    return GenerationRequest(prompt=prompt, **options)


Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Which cells of a coarse grid over the whole picture are meant; see ``checks.masks``.

    ``runs`` are run lengths row by row, alternating outside and inside, starting outside (so the
    first may be 0); they add up to ``width * height``.

    Raises: RequestError: the runs do not cover the grid.
    """

    width: int  # cells
    height: int  # cells
    runs: tuple[int, ...]

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or min(self.runs, default=-1) < 0:
            raise RequestError("A mask needs at least one cell and no negative runs.")
        if sum(self.runs) != self.width * self.height:
            raise RequestError("The runs of a mask must cover its whole grid.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a check says about a picture."""

    check: str  # the check's registry name
    severity: Severity
    message: str  # one sentence for people
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom in pixels
    mask: Mask | None = None  # where exactly, on a coarse grid
    measure: float | None = None  # the number the check decided on; its meaning is the check's


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Progress, as given to ``on_event``."""

    kind: Literal["loaded", "encoded", "step", "decoded", "sketched", "retrying", "finished"]
    image: int = 0  # index of the picture in the plan
    step: int = 0  # 1-based; of sketches that were drawn, of tries that begin
    total: int = 0  # steps, sketches or tries in all
    # of steps: decodes what the picture looks like by then, (1, s, s, 4) uint8, when called
    preview: Callable[[], NDArray[np.uint8]] | None = field(default=None, compare=False, repr=False)


OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneratedImage:
    """One finished picture: pixels, the plan that draws it alone, and what the checks said.

    Two pictures are equal only when they are the same object; compare ``pixel_sha256``.
    """

    pixels: NDArray[np.uint8]  # (height, width, 4) sRGB, straight alpha
    plan: GenerationPlan  # for this picture alone
    index: int
    findings: tuple[Finding, ...] = ()
    svg: str | None = None  # the paths the pixels were rendered from, when vectorised
    seconds: float = 0.0

    @property
    def seed(self) -> int:
        """The seed that draws this picture."""
        return self.plan.seeds[0]

    @property
    def pixel_sha256(self) -> str:
        """Identity of the pixels alone, whatever file they are stored in."""
        return hash_pixels(self.pixels)

    def save(self, path: str | PathLike[str], **options: Any) -> Path:
        """Write the picture with its recipe; see ``sfumato.files.save_image`` for options."""
        saved: Path = _SAVE.resolve()(self, path, **options)
        return saved

    def _repr_png_(self) -> bytes:
        """How notebooks show the picture."""
        encoded: bytes = _ENCODE.resolve()(self, "png")
        return encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResult:
    """The pictures, the plan they share, and seconds by stage."""

    images: tuple[GeneratedImage, ...]
    plan: GenerationPlan
    timings: Mapping[str, float]

    def _repr_png_(self) -> bytes | None:
        return self.images[0]._repr_png_() if self.images else None


def hash_pixels(pixels: NDArray[np.uint8]) -> str:
    """sha256 over shape and bytes of (H, W, C) uint8 pixels."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


# Strings, not imports: this room lies below ``files``.
_SAVE = Entry(name="save", target="sfumato.files:save_image")
_ENCODE = Entry(name="encode", target="sfumato.files:encode_image")
