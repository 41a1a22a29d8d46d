"""One picture under inspection: everything the checks look at, computed once and shared.

The checks look at a thinned-out picture: what a person cannot see at 512 pixels is not a defect
worth a message. Views are cached as they are first asked for; a ``Look`` belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato import clip
from sfumato.checks.masks import to_mask
from sfumato.colours import dominant_colours, rgb_of, to_hex
from sfumato.errors import SfumatoError
from sfumato.models import ModelSpec
from sfumato.oklab import evenly, srgb_to_oklab
from sfumato.prompt import parse_prompt
from sfumato.regions import Regions, find_regions
from sfumato.request import Emblem, GenerationPlan, Mask, Part

if TYPE_CHECKING:
    from sfumato.models import Conditioning

__all__ = ["SHADE", "Asked", "Look", "colour_distance", "spread"]

WORKING_SIDE = 512  # pixels of the longer side that most checks look at
_NEAR = 12  # levels of 255: a pixel this close in all channels to a noisy ground belongs to it
_EXACT = 3  # the same where the ground is one colour to the last bit, as in our own drawings
_BORDER_SHARE = 0.7  # of an opaque picture's border in one colour: then that is its ground
_SHOWN = 0.05  # of the border in the asked ground's colour: then that is the ground
_CLEAR_SHARE = 0.01  # of the picture fully clear: then it has no ground of its own
_LEAST_DRAWN = 0.004  # of the drawing's square: less is a mark, not a drawing
SHADE = 0.1  # distance in evened Oklab between two shades of one colour
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_COLOUR_SIDE = 256  # enough to name colours, and four times quicker than 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a picture should show, from its plan or from words alone."""

    prompt: str
    subject: str
    tint: str | None = None  # "#rrggbb"
    tint_name: str | None = None
    background: str | None = None  # "transparent", "#rrggbb"; None: nothing was said about it
    emblem: Emblem | None = None
    parts: tuple[Part, ...] = ()  # several things: each has a subject and a colour of its own

    @classmethod
    def of_plan(cls, plan: GenerationPlan) -> Asked:
        """What a plan decided."""
        return cls(
            prompt=plan.prompt,
            subject=plan.subject,
            tint=plan.tint,
            tint_name=plan.tint_name,
            background=plan.background,
            emblem=plan.emblem,
            parts=plan.parts,
        )

    @classmethod
    def of_prompt(cls, prompt: str) -> Asked:
        """What words say: subject, colour, ground and emblem, read as for a drawing."""
        parsed = parse_prompt(prompt, _READER)
        ground = None if parsed.background == "transparent" else parsed.background
        # where several kinds stand in a stranger's picture, and in which colour each, nobody knows
        things = () if parsed.scene is None else parsed.scene.things
        one = things[0] if len(things) == 1 else parsed
        return cls(
            prompt=prompt,
            subject=one.subject,
            tint=one.tint,
            tint_name=one.tint_name,
            background=ground,
            emblem=parsed.emblem,
        )


class Look:
    """A picture with what was drawn told apart from the ground behind it.

    Args:
        pixels: (H, W, 4) uint8 sRGB, straight alpha; never written to.
        plan: what it was drawn from; None for a picture from elsewhere.
        conds: what the model made of the words of each of ``plan.drawings``, where the picture
            was drawn just now.
        prompt: what it should show, for a picture without a plan.
        alpha_kept: False where the file's format cannot be transparent (JPEG): then an opaque
            ground says nothing about the drawing.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        plan: GenerationPlan | None = None,
        conds: Sequence[Conditioning] = (),
        *,
        prompt: str | None = None,
        alpha_kept: bool = True,
    ) -> None:
        self.pixels = pixels
        self.plan = plan
        self.conds = tuple(conds)
        self.alpha_kept = alpha_kept
        self.asked: Asked | None = None
        if plan is not None:
            self.asked = Asked.of_plan(plan)
        elif prompt is not None:
            self.asked = Asked.of_prompt(prompt)
        self._reduced: dict[int, NDArray[np.uint8]] = {}

    # ------------------------------------------------------------ views

    @property
    def height(self) -> int:
        """Pixels of the picture itself."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels of the picture itself."""
        return int(self.pixels.shape[1])

    @property
    def step(self) -> int:
        """Pixels of the picture for each pixel of ``small``."""
        return max(1, -(-max(self.height, self.width) // WORKING_SIDE))

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """(h, w, 4): every ``step``-th pixel, colours and edges exactly as they are."""
        return np.ascontiguousarray(self.pixels[:: self.step, :: self.step])

    def at(self, side: int) -> NDArray[np.uint8]:
        """(h, w, 4) with the longer side at most ``side``: the area's mean, straight alpha.

        Clear pixels do not bleed into their neighbours' colour. A smaller picture is not enlarged.
        """
        if side not in self._reduced:
            longest = max(self.height, self.width)
            if longest <= side:
                self._reduced[side] = self.pixels
            else:
                larger = [have for have in self._reduced if have >= 2 * side]
                source = self._reduced[min(larger)] if larger else self.pixels
                size = tuple(max(1, round(n * side / longest)) for n in (self.width, self.height))
                image = Image.fromarray(source).resize((size[0], size[1]), Image.Resampling.BOX)
                self._reduced[side] = np.asarray(image)
        return self._reduced[side]

    def on(self, rgb: tuple[int, int, int], side: int = WORKING_SIDE) -> NDArray[np.uint8]:
        """(h, w, 3): the picture, at most ``side`` pixels long, laid on a colour."""
        picture = self.at(side)
        alpha = picture[..., 3:].astype(np.float32) / np.float32(255)
        mixed = picture[..., :3] * alpha + np.array(rgb, np.float32) * (1 - alpha)
        laid: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
        return laid

    @cached_property
    def backdrop(self) -> tuple[int, int, int]:
        """White under a dark drawing and black under a light one: nothing hides on it."""
        sample = self.small[::4, ::4].reshape(-1, 4)
        solid = sample[sample[:, 3] >= 128][:, :3]
        bright = float((solid @ _LUMA).mean()) if len(solid) else 0.0
        return (255, 255, 255) if bright < 128 else (0, 0, 0)

    @cached_property
    def luma(self) -> NDArray[np.float32]:
        """(h, w), as ``small``: Rec. 709 luma, 0 to 255, of the picture on its ``backdrop``."""
        return self.luma_of(self.small)

    def luma_of(self, part: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(..., 4) pixels of this picture as luma on its ``backdrop``."""
        # three passes: twice as quick as a product with a vector
        luma: NDArray[np.float32] = sum(part[..., i] * _LUMA[i] for i in range(3))
        if self.transparent:
            behind = np.float32(self.backdrop[0])
            luma = behind + (luma - behind) * (part[..., 3] * np.float32(1 / 255))
        return luma

    # ------------------------------------------------------------ ground and drawing

    @cached_property
    def transparent(self) -> bool:
        """Whether part of the canvas is clear, so that the drawing has no ground of its own."""
        return bool((self.small[..., 3] < 128).mean() > _CLEAR_SHARE)

    @cached_property
    def ground(self) -> str | None:
        """The colour behind the drawing; None when it is clear, or when a scene fills the canvas.

        The asked ground where the border shows it, otherwise what most of the border shows.
        """
        asked = None if self.asked is None else self.asked.background
        if asked == "transparent":
            asked = None
        if self.transparent:
            return asked
        if asked is not None and self._share_near(asked) > _SHOWN:
            return asked
        return self.border_colour or asked

    @cached_property
    def border_colour(self) -> str | None:
        """What most of an opaque picture's border shows; None where it shows many colours."""
        if self.transparent:
            return None
        near = np.abs(self._border - np.median(self._border, axis=0)).max(axis=1) <= _NEAR
        if near.mean() < _BORDER_SHARE:
            return None
        return to_hex(np.median(self._border[near], axis=0))

    def _share_near(self, colour: str) -> float:
        """Which part of the border is of about this colour."""
        gap = np.abs(self._border - np.array(rgb_of(colour), np.int16)).max(axis=1)
        return float((gap <= _NEAR).mean())

    @cached_property
    def drawn(self) -> NDArray[np.bool_]:
        """(h, w), as ``small``: what is neither clear nor the ground's nor the emblem's colour."""
        drawn: NDArray[np.bool_] = self.small[..., 3] >= 128
        if not self.grounds:
            return drawn
        for ground in self.grounds:
            rgb = np.array(rgb_of(ground), np.int16)
            gap = self.gap_to(ground)
            exact = bool((np.abs(self._border - rgb).max(axis=1) <= 1).mean() > _BORDER_SHARE)
            drawn &= gap > (_EXACT if exact else _NEAR)
        # where two grounds meet, antialiasing leaves a thread of a third colour
        return spread(~spread(~drawn))

    def gap_to(self, colour: str) -> NDArray[np.int16]:
        """(h, w), as ``small``: levels between each pixel and a colour, in the worst channel."""
        rgb = np.array(rgb_of(colour), np.int16)
        gap: NDArray[np.int16] = np.abs(self.small[..., :3].astype(np.int16) - rgb).max(axis=2)
        return gap

    @cached_property
    def regions(self) -> Regions:
        """The connected parts of ``drawn``."""
        return find_regions(self.drawn)

    @property
    def square(self) -> int:
        """Area, in pixels of ``small``, of the square the drawing was placed in."""
        return int(min(self.drawn.shape)) ** 2

    @cached_property
    def drawn_share(self) -> float:
        """How much of the drawing's square is drawn on."""
        return float(self.drawn.sum()) / self.square

    @property
    def has_drawing(self) -> bool:
        """Whether enough was drawn to say more about it."""
        return self.drawn_share >= _LEAST_DRAWN

    @property
    def grounds(self) -> list[str]:
        """The colours the drawing lies on: the ground's, then the emblem's."""
        found = [] if self.ground is None else [self.ground]
        if self.asked is not None and self.asked.emblem is not None:
            found.append(self.asked.emblem.colour)
        return found

    @cached_property
    def _border(self) -> NDArray[np.int16]:
        """(n, 3): the outermost pixels of ``small``."""
        rgb = self.small[..., :3]
        edges = (rgb[0], rgb[-1], rgb[1:-1, 0], rgb[1:-1, -1])
        return np.concatenate(edges).astype(np.int16)

    # ------------------------------------------------------------ colours and meaning

    @cached_property
    def colours(self) -> list[tuple[tuple[int, int, int], float]]:
        """Up to 8 main colours of what was drawn and their shares, largest first."""
        stride = max(1, -(-max(self.drawn.shape) // _COLOUR_SIDE))
        if not self.drawn[::stride, ::stride].any():
            stride = 1  # thin lines that lie between the pixels that are kept
        visible = self.small[::stride, ::stride].copy()
        visible[..., 3] = np.where(self.drawn[::stride, ::stride], 255, 0)
        return dominant_colours(visible, 8)

    @cached_property
    def oklab(self) -> NDArray[np.float64]:
        """(h, w, 3) evened Oklab of ``at(256)``, colours as they are under their alpha."""
        return evenly(srgb_to_oklab(np.ascontiguousarray(self.at(_COLOUR_SIDE)[..., :3])))

    @cached_property
    def embedding(self) -> NDArray[np.float32] | None:
        """(D,) unit vector of the built-in picture-text model; None where there is none."""
        try:
            row: NDArray[np.float32] = clip.load().encode_pictures([self.pixels])[0]
        except SfumatoError:
            return None
        return row

    # ------------------------------------------------------------ places

    def box(self, mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
        """Bounds in the picture's own pixels of a mask, not empty, of any of its reduced sizes."""
        rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        down, across = self.height / mask.shape[0], self.width / mask.shape[1]
        if mask.shape == self.small.shape[:2]:
            down = across = float(self.step)
        return (
            int(columns[0] * across),
            int(rows[0] * down),
            min(self.width, int(np.ceil((columns[-1] + 1) * across))),
            min(self.height, int(np.ceil((rows[-1] + 1) * down))),
        )

    def mask_of(self, mask: NDArray[np.bool_]) -> Mask:
        """A mask of any of the picture's reduced sizes as a finding carries it."""
        return to_mask(mask)


def colour_distance(one: str, other: str) -> float:
    """How far two colours, "#rrggbb", are from each other, in evened Oklab."""
    rgb = np.array([rgb_of(one), rgb_of(other)], np.uint8)
    first, second = evenly(srgb_to_oklab(rgb))
    return float(np.sqrt(((first - second) ** 2).sum()))


def spread(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and the pixels above, below, left and right of it."""
    wide: NDArray[np.bool_] = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide


# what reads a prompt where no model has drawn
_READER = ModelSpec(
    name="the reader",
    family="direct",
    summary="reads prompts",
    licence="none",
    version="1",
    sha256="",
    size_bytes=0,
    parameters=0,
    native_size=0,
    latent_shape=(),
    styles=("flat",),
    default_styles=("flat",),
    num_inference_steps=1,
    guidance_scale=1.0,
    sampler="euler",
    scheduler="uniform",
    capabilities=frozenset({"scene_planner"}),
)
