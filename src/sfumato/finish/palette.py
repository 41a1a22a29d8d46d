"""From noisy pixels to few flat colours, and how much of each lies in every pixel.

Colours are found where the picture is flat, so that the in-between colours of soft edges never
become colours of their own. A pixel on an edge is then explained as a mixture of two colours
found beside it; those fractions place the edge more finely than the pixel grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sfumato.colours import cluster_colours, colour_histogram, nearest_index
from sfumato.finish.bands import without_bands
from sfumato.finish.flatten import flattened, slope
from sfumato.oklab import evenly, from_evenly, oklab_to_srgb, srgb_to_oklab
from sfumato.regions import find_regions

__all__ = ["Layers", "separate_colours"]

MOST_COLOURS = 20
_JUST_VISIBLE = 0.042  # evened Oklab distance; flat shading in icon sets starts near 0.05
_SAME = 0.02  # Oklab distance at which nobody sees an edge
_SPECK = 30  # pixels at 256 x 256: smaller patches of a weak colour are noise
_THIN = 120  # pixels at 256 x 256: a thin patch up to this size may be the soft edge of two others
_MIXED = 0.07  # Oklab distance from the mixture of the two
_WEAK = 0.16  # Oklab distance to the surround below which a small patch counts as noise


@dataclass(frozen=True, slots=True)
class Layers:
    """A drawing taken apart.

    ``colours`` is (k, 3) uint8 sRGB, largest area first; ``shares`` (k,) adds up to 1;
    ``cover`` is (k, s, s) float32 from 0 to 1, the fraction of each pixel in each colour. What a
    pixel lacks to 1 is clear.
    """

    colours: NDArray[np.uint8]
    shares: NDArray[np.float64]
    cover: NDArray[np.float32]

    def silhouette(self) -> Layers:
        """Everything that was drawn, as one black layer (none where nothing was)."""
        count = min(1, len(self.colours))
        whole = self.cover.sum(axis=0, keepdims=True)[:count]
        return Layers(np.zeros((count, 3), np.uint8), np.ones(count), whole)

    def only(self, chosen: NDArray[np.bool_]) -> Layers:
        """The chosen (k,) of the layers; the rest is clear. Shares stay those of the whole."""
        return Layers(self.colours[chosen], self.shares[chosen], self.cover[chosen])

    def recoloured(self, colours: NDArray[np.uint8]) -> Layers:
        """The same areas in other colours, (k, 3); areas that came out alike become one."""
        even = evenly(srgb_to_oklab(colours))
        kept: list[int] = []
        cover, shares = self.cover.copy(), self.shares.copy()
        for k in range(len(colours)):
            alike = [i for i in kept if ((even[i] - even[k]) ** 2).sum() < _SAME**2]
            if alike:
                cover[alike[0]] += cover[k]
                shares[alike[0]] += shares[k]
            else:
                kept.append(k)
        return Layers(colours[kept], shares[kept], cover[kept])


def separate_colours(pixels: NDArray[np.float32]) -> Layers:
    """Cleaned (s, s, 4) float32 pixels (0..255, straight alpha) as flat colour layers."""
    size = pixels.shape[0]
    alpha = pixels[..., 3] / 255.0
    inside = alpha > 0.0
    if not inside.any():
        empty = np.zeros((0, size, size), np.float32)
        return Layers(np.zeros((0, 3), np.uint8), np.zeros(0), empty)
    smooth = _median(pixels[..., :3])
    seen = evenly(srgb_to_oklab(smooth))  # (s, s, 3)
    solid = alpha > 0.95
    if not solid.any():
        solid = inside
    lab = flattened(seen, inside)
    steep = slope(lab)
    noise = float(np.median(steep[solid]))
    limit = max(0.035, 2.5 * noise)
    flat = solid & (steep < limit)
    if not flat.any():
        flat = solid

    colours, counts = colour_histogram(
        oklab_to_srgb(from_evenly(lab[flat])), np.exp(-((steep[flat] / limit) ** 2))
    )
    points = evenly(srgb_to_oklab(colours))
    apart = min(max(_JUST_VISIBLE, 2.0 * noise), 0.08)
    centres, _, _ = cluster_colours(points, counts, MOST_COLOURS, merge_below=apart)

    labels = _label(lab, centres, flat, inside)
    labels, centres = without_bands(seen, labels, centres)
    labels = _without_patches(labels, lab, centres)
    used = np.nonzero(np.bincount(labels[inside], minlength=len(centres)))[0]
    centres = _as_seen(seen, np.where(flat, labels, -1), centres)
    rgb = oklab_to_srgb(from_evenly(centres[used]))
    slots = np.full(len(centres) + 1, -1)  # the last one is what label -1 finds
    slots[used] = np.arange(len(used))
    cover = _cover(pixels[..., :3], alpha, slots[labels], rgb)

    mass = cover.sum(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-mass, kind="stable")
    return Layers(
        colours=rgb[order],
        shares=mass[order] / mass.sum(),
        cover=cover[order],
    )


def _median(colour: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A 3 x 3 median in each channel: noise goes, edges stay."""
    image = Image.fromarray(np.rint(np.clip(colour, 0, 255)).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MedianFilter(3)))


def _label(
    lab: NDArray[np.float64],
    centres: NDArray[np.float64],
    flat: NDArray[np.bool_],
    inside: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """(s, s) index of the colour of each pixel, -1 where clear.

    A pixel on an edge chooses among the colours that are flat somewhere within two pixels of it.
    """
    core: NDArray[np.int64] = np.full(inside.shape, -1)
    core[inside] = nearest_index(lab[inside], centres)
    labels: NDArray[np.int64] = core.copy()
    core[~flat] = -1
    edge = np.nonzero(inside & ~flat)
    near = _counts(_masks(core, range(len(centres))), 2) > 0  # (k, s, s)
    allowed = near[:, edge[0], edge[1]]  # (k, n)
    distance = ((lab[edge] - centres[:, None]) ** 2).sum(axis=2)
    choice = np.where(allowed, distance, np.inf).argmin(axis=0)
    labels[edge] = np.where(allowed.any(axis=0), choice, labels[edge])
    return labels


def _masks(labels: NDArray[np.int64], wanted: range) -> NDArray[np.uint8]:
    """(k, s, s): 1 where (s, s) labels are the k-th of the wanted ones."""
    masks: NDArray[np.bool_] = labels.astype(np.int8) == np.array(wanted, np.int8)[:, None, None]
    return masks.view(np.uint8)


def _counts(masks: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """How many of the 2 radius + 1 squared pixels around each are set, for (k, s, s) masks."""
    for axis in (1, 2):
        total = masks.copy()
        for shift in range(1, radius + 1):
            ahead: list[slice] = [slice(None)] * 3
            behind = ahead.copy()
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            total[tuple(behind)] += masks[tuple(ahead)]
            total[tuple(ahead)] += masks[tuple(behind)]
        masks = total
    return masks


def _without_patches(
    labels: NDArray[np.int64], lab: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Labels after a majority vote, with patches that are only noise or soft edge given away."""
    labels = _voted(labels, len(centres))
    scale = (labels.shape[0] / 256) ** 2
    for k in range(len(centres)):
        patches = find_regions(labels == k)
        for patch in np.nonzero(patches.areas[1:] < _THIN * scale)[0] + 1:
            left, top, right, bottom = patches.boxes[patch]
            window = np.s_[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
            own = patches.labels[window] == patch
            view = labels[window]
            around = view[~own & (view >= 0)]
            if len(around) == 0:
                continue
            votes = np.bincount(around)
            other = int(votes.argmax())
            contrast = float(np.sqrt(((centres[other] - centres[k]) ** 2).sum()))
            area = patches.areas[patch] / scale
            # an eye is small but dark; a wisp of shading is neither large nor strong
            if area < _SPECK * min(4.0, max(0.4, (_WEAK / max(contrast, 1e-6)) ** 2)):
                view[own] = other
                continue
            neighbours = np.nonzero(votes >= 2)[0]
            ends = _between(centres, k, neighbours) if _is_thin(own) else None
            if ends is not None:
                gaps = ((lab[window][own][:, None] - centres[list(ends)]) ** 2).sum(axis=2)
                view[own] = np.array(ends)[gaps.argmin(axis=1)]
    return labels


def _voted(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Each pixel's label becomes the one that most of its eight neighbours and itself have.

    At least three must agree; what is clear keeps its place.
    """
    votes = _counts(_masks(labels, range(-1, count)), 1)  # (k + 1, s, s)
    winner = votes.argmax(axis=0) - 1
    agreed = (votes.max(axis=0) >= 3) & (winner >= 0) & (labels >= 0)
    return np.where(agreed, winner, labels)


def _is_thin(patch: NDArray[np.bool_]) -> bool:
    """Whether no pixel of the patch lies inside it."""
    padded = np.pad(patch, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & patch
    return not inner.any()


def _between(
    centres: NDArray[np.float64], k: int, neighbours: NDArray[np.intp]
) -> tuple[int, int] | None:
    """Two neighbours whose mixture looks like colour ``k``: a thin ``k`` is their soft edge."""
    best, ends = _MIXED, None
    for i, first in enumerate(neighbours.tolist()):
        for second in neighbours.tolist()[i + 1 :]:
            span = centres[second] - centres[first]
            part = float((centres[k] - centres[first]) @ span / max(float(span @ span), 1e-9))
            if 0.1 < part < 0.9:
                miss = float(np.sqrt(((centres[first] + part * span - centres[k]) ** 2).sum()))
                if miss < best:
                    best, ends = miss, (first, second)
    return ends


def _as_seen(
    seen: NDArray[np.float64], labels: NDArray[np.int64], centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each colour as the picture has it: flattening takes contrast from what is small."""
    known = labels >= 0
    owner = labels[known]
    count = np.bincount(owner, minlength=len(centres))
    sums = [np.bincount(owner, seen[known][:, i], len(centres)) for i in range(3)]
    means = np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]
    return np.where(count[:, None] > 0, means, centres)


def _cover(
    colour: NDArray[np.float32],
    alpha: NDArray[np.float32],
    own: NDArray[np.int64],
    palette: NDArray[np.uint8],
) -> NDArray[np.float32]:
    """(k, s, s) fractions: one colour inside areas, two on the edge between areas.

    ``own`` (s, s) says which of the (k, 3) palette colours a pixel has most of, -1 where clear.
    Mixing is linear in sRGB because that is how renderers soften edges.
    """
    rgb = palette.astype(np.float32)
    cover = np.zeros((len(rgb), *own.shape), np.float32)
    y, x = np.nonzero(own >= 0)
    cover[own[y, x], y, x] = 1.0

    padded = np.pad(own, 1, constant_values=-1)
    best = np.full(own.shape, np.inf, np.float32)
    fraction = np.ones(own.shape, np.float32)
    partner = own.copy()
    for dy in range(3):
        for dx in range(3):
            other = padded[dy : dy + own.shape[0], dx : dx + own.shape[1]]
            y, x = np.nonzero((other >= 0) & (own >= 0) & (other != own))
            mine, theirs, seen = rgb[own[y, x]], rgb[other[y, x]], colour[y, x]
            span = theirs - mine
            part = ((seen - mine) * span).sum(axis=1) / np.maximum((span**2).sum(axis=1), 1.0)
            part = np.clip(part, 0.0, 1.0)
            error = ((mine + part[:, None] * span - seen) ** 2).sum(axis=1)
            better = error < best[y, x]
            y, x, part = y[better], x[better], part[better]
            best[y, x] = error[better]
            fraction[y, x] = 1.0 - part
            partner[y, x] = other[y, x]
    y, x = np.nonzero((partner != own) & (own >= 0))
    cover[own[y, x], y, x] = fraction[y, x]
    cover[partner[y, x], y, x] = 1.0 - fraction[y, x]
    cover *= alpha
    return cover
