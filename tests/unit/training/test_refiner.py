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
    flow_mistakes,
    keep_refiner,
    refiner_config,
    refiner_loss,
)

SMALL = (8, 12)  # two levels instead of four


def make_refiner() -> Refiner:
    torch.manual_seed(0)
    return Refiner(SMALL).eval()


def test_untrained_it_only_enlarges() -> None:
    coarse = torch.rand(2, 4, 64, 64)
    with torch.no_grad():
        refined = make_refiner()(coarse)
    assert refined.shape == (2, 4, 256, 256)
    larger = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(refined, larger)


def test_it_learns_to_sharpen() -> None:
    at = torch.arange(64)
    target = torch.zeros(1, 4, 64, 64)
    target[:, :, (at[:, None] - 30) ** 2 + (at - 33) ** 2 < 20**2] = 1.0
    coarse = torch.nn.functional.avg_pool2d(target, 4)
    network = make_refiner().train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    losses = []
    for _ in range(100):  # its last layers start at zero, so the first half goes nowhere
        loss = refiner_loss(network(coarse), target).mean()
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


class Knows:
    """Stands in for a flow that always answers ``clean``; counts what it is asked."""

    def __init__(self, clean: torch.Tensor) -> None:
        self.clean, self.levels, self.texts = clean, [], []

    def __call__(self, x, sigma, text, style):
        self.levels.append(sigma)
        self.texts.append(text)
        return self.clean


class Latents:
    """Stands in for a basis: pictures are their latents."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


def test_a_flow_that_knows_makes_no_mistakes() -> None:
    clean = torch.randn(6, 5, generator=torch.Generator().manual_seed(2))
    flow, random = Knows(clean), torch.Generator().manual_seed(3)
    text = torch.ones(6, 384)
    drawn = flow_mistakes(flow, Latents(), clean, text, torch.zeros(6), random, steps=4)
    torch.testing.assert_close(drawn, clean)
    assert len(flow.levels) == 2 * 4  # with words and without
    assert not flow.texts[1].any()
    first = flow.levels[0]
    assert first.min() >= 0.35
    assert first.max() <= 1.0
    assert len(set(first.tolist())) == 6  # each picture its own level
    assert all((a >= b).all() for a, b in zip(flow.levels, flow.levels[2:], strict=False))


def test_pairs_show_the_same_picture_and_the_flow_is_renewed() -> None:
    class Numbered:
        random = torch.Generator().manual_seed(0)

        def numbered_batch(self, size: int):
            rows = torch.arange(size) % 3
            style = torch.zeros(size, dtype=torch.int64)
            return rows, torch.zeros(size, 5), torch.zeros(size, 384), style

    pictures = np.zeros((8, 8, 8, 4), np.uint8)
    for i in range(8):
        pictures[i] = (200, 100, 0, 30 * i)
    flows: list[Knows] = []

    def newest() -> Knows:
        flows.append(Knows(torch.zeros(1)))
        return flows[-1]

    feed = RefinerFeed(Numbered(), Latents(), pictures, np.array([2, 5, 7]), newest)
    coarse, target = feed.batch(4)
    assert coarse.shape == (4, 5)
    alphas = [60 / 255, 150 / 255, 210 / 255, 60 / 255]
    for picture, alpha in zip(target, alphas, strict=True):
        colour = [200 / 255 * alpha, 100 / 255 * alpha, 0.0, alpha]
        torch.testing.assert_close(picture[:, 3, 3], torch.tensor(colour))
    assert len(flows) == 1
    for _ in range(399):
        feed.batch(1)
    assert len(flows) == 2


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
