"""The refiner: four times the size, learning from the flow's own mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from sfumato.training.export import averaged_weights
from sfumato.training.refiner import (
    Refiner,
    RefinerFeed,
    flow_drawings,
    keep_refiner,
    refiner_config,
    refiner_loss,
    whose,
)
from sfumato.training.whole_picture import WholePictureData

SMALL = (8, 12)  # two levels instead of four


def make_refiner(side: int = 64) -> Refiner:
    torch.manual_seed(0)
    return Refiner(5, SMALL, hint_width=6, hint_depth=3, side=side).eval()


def test_untrained_it_only_enlarges() -> None:
    coarse = torch.rand(2, 4, 64, 64)
    with torch.no_grad():
        refined = make_refiner()(coarse, torch.randn(2, 5))
    assert refined.shape == (2, 4, 256, 256)
    larger = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(refined, larger)


def test_it_learns_to_sharpen() -> None:
    at = torch.arange(64)
    target = torch.zeros(1, 4, 64, 64)
    target[:, :, (at[:, None] - 30) ** 2 + (at - 33) ** 2 < 20**2] = 1.0
    coarse = torch.nn.functional.avg_pool2d(target, 4)
    network = make_refiner(side=16).train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    losses = []
    for _ in range(100):  # its last layers start at zero, so the first half goes nowhere
        loss = refiner_loss(network(coarse, torch.ones(1, 5)), target).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_the_loss_is_one_number_a_picture_and_sees_edges() -> None:
    target = torch.zeros(3, 4, 16, 16)
    flat, striped = torch.zeros_like(target), torch.zeros_like(target)
    flat[1], striped[1, :, ::2] = 0.1, 0.2  # the same mean error
    assert refiner_loss(target, target).tolist() == [0.0, 0.0, 0.0]
    plain = refiner_loss(flat, target)
    assert plain.tolist() == pytest.approx([0.0, 0.1, 0.0])
    assert float(refiner_loss(striped, target)[1]) == pytest.approx(0.1 + 0.2)


def test_the_hint_tells_like_pictures_apart_and_is_sometimes_withheld() -> None:
    network, coarse = make_refiner(), torch.rand(1, 4, 64, 64).expand(40, -1, -1, -1)
    torch.nn.init.normal_(network.hint[-1].weight)
    for module in (network.leave[-1], *(pair.second for pair in network.after)):
        torch.nn.init.normal_(module.weight, std=0.1)
    with torch.no_grad():
        known = network(coarse, torch.randn(1, 5).expand(40, -1))
        other = network(coarse[:1], torch.randn(1, 5))
        torch.manual_seed(1)
        trained = network.train()(coarse, torch.randn(1, 5).expand(40, -1))
    assert torch.equal(known[0], known[39])
    assert not torch.allclose(known[:1], other, atol=1e-4)
    # a withheld hint leaves one and the same picture, whichever numbers were given
    alike = (trained - trained.median(0).values).abs().amax((1, 2, 3)) < 1e-4
    assert 20 <= int(alike.sum()) < 40


def make_feed(count: int = 40, seed: int = 0) -> WholePictureData:
    random = torch.Generator().manual_seed(seed)
    latents = torch.randn(count, 5, generator=random)
    words = torch.nn.functional.normalize(torch.randn(count, 384, generator=random), dim=-1)
    captions = list(words.numpy()[:, None])
    return WholePictureData(latents, captions, np.arange(count) % 3, seed=seed)


class Latents:
    """Stands in for a basis: a picture is one of its latents, everywhere."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents[:, :1, None, None].expand(-1, 4, 64, 64)


class Asked:
    """Stands in for a flow that answers ``clean`` or hands back what it got."""

    def __init__(self, clean: torch.Tensor | None = None) -> None:
        self.clean, self.levels, self.texts, self.styles = clean, [], [], []

    def __call__(self, x, sigma, text, style):
        self.levels.append(sigma)
        self.texts.append(text)
        self.styles.append(style)
        return x if self.clean is None else self.clean


def test_a_flow_that_knows_makes_no_mistakes() -> None:
    feed = make_feed()
    rows = torch.arange(40)
    flow = Asked(feed.latents[rows])
    drawn = flow_drawings(flow, feed, rows, feed.vectors[rows])
    torch.testing.assert_close(drawn, feed.latents[rows])
    assert len(flow.levels) == 2 * 8  # with words and without
    assert not flow.texts[1].any()
    assert torch.equal(flow.styles[0], feed.styles[rows])
    first = flow.levels[0]
    assert first.min() >= 0.2
    assert first.max() == 1.0  # some are drawn from nothing
    assert 10 < len(set(first.tolist())) <= 40
    assert all((a >= b).all() for a, b in zip(flow.levels, flow.levels[2:], strict=False))


def test_some_are_drawn_under_foreign_words_and_some_from_a_foreign_start() -> None:
    feed = make_feed(400)
    rows = torch.arange(400)
    flow = Asked()
    words = feed.vectors[rows]
    flow_drawings(flow, feed, rows, words)
    near = (flow.texts[0] * words).sum(1)
    assert 0.3 < float((near < 0.999).float().mean()) < 0.4
    torch.testing.assert_close(flow.texts[0].norm(dim=1), torch.ones(400))
    assert 0.04 < float((flow.levels[0] < 0.35).float().mean()) < 0.12


def test_a_drawing_is_paired_with_the_picture_it_shows() -> None:
    latents = torch.eye(4)[:3]
    drawn = torch.stack([latents[0], latents[1], 0.55 * latents[2], torch.tensor([0, 0, 0, 1.0])])
    asked = torch.tensor([0, 2, 2, 1])
    # right; another one than was asked for; a faint one that is still its own; nothing known
    assert whose(drawn, asked, latents).tolist() == [0, 1, 2, -1]


def test_pairs_show_the_same_picture() -> None:
    feed = make_feed(3)
    pictures = np.zeros((8, 8, 8, 4), np.uint8)
    for i in range(8):
        pictures[i] = (200, 100, 0, 30 * i)
    numbers = np.array([2, 5, 7])
    pairs = RefinerFeed(feed, Latents(), pictures, numbers, Asked(), rounds=2)
    latents, coarse, target = pairs.batch(64)
    assert (latents.shape, coarse.shape) == ((64, 5), (64, 4, 64, 64))
    shown = (target[:, 3, 3, 3] * 255 / 30).round().long()
    rows = torch.tensor([numbers.tolist().index(n) for n in shown.tolist()])
    assert set(rows.tolist()) == {0, 1, 2}
    for row, number, picture, true in zip(latents, shown.tolist(), coarse, target, strict=True):
        alpha = 30 * number / 255
        colour = [200 / 255 * alpha, 100 / 255 * alpha, 0.0, alpha]
        torch.testing.assert_close(true[:, 3, 3], torch.tensor(colour))
        assert torch.equal(picture[:, 1, 1], row[:1].expand(4))
    meant = feed.latents[rows]
    assert ((latents - meant).square().sum(1) < 0.36 * meant.square().sum(1)).all()
    untouched = (latents == feed.latents[rows].half().float()).all(1).sum()
    assert 1 <= untouched <= 30


def test_a_flow_that_knows_nothing_leaves_the_pictures_themselves() -> None:
    feed = make_feed(3)
    lost = Asked(torch.full((64, 5), 50.0))
    pictures = np.full((3, 8, 8, 4), 255, np.uint8)
    pairs = RefinerFeed(feed, Latents(), pictures, np.arange(3), lost, rounds=1)
    latents, _, _ = pairs.batch(16)
    apart = torch.cdist(latents, feed.latents).min(1).values
    assert apart.max() < 0.01  # rounding


def test_a_kept_refiner_is_what_export_reads(tmp_path: Path) -> None:
    refiner = make_refiner()
    keep_refiner(refiner, tmp_path / "refiner")
    stored = averaged_weights(tmp_path / "refiner")
    assert stored.keys() == refiner.state_dict().keys()
    for name, value in refiner.state_dict().items():
        assert torch.equal(stored[name], value), name


def test_its_budget_is_in_minutes() -> None:
    config = refiner_config(12.5)
    assert (config.minutes, config.steps) == (12.5, None)


def test_a_run_leaves_a_sheet_to_look_at(tiny_run: Path) -> None:
    with Image.open(tiny_run / "refiner" / "refined.png") as sheet:
        assert sheet.size == (12 * 256, 3 * 256)  # coarse, refined and true, one above the other
