"""The whole-picture model: basis, network, objective, sampling."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sfumato.training.whole_picture import (
    SIDE,
    NetConfig,
    PictureBasis,
    WholePictureData,
    WholePictureNet,
    draw,
    flow_loss,
    pictures_to_planes,
    planes_to_pixels,
)

TINY = NetConfig(components=8, width=32, hidden=48, blocks=2, cond=32, styles=3)


def discs(count: int) -> np.ndarray:
    """(N, 64, 64, 4) uint8: discs of different colours, sizes and places."""
    at = np.arange(SIDE)
    pictures = np.zeros((count, SIDE, SIDE, 4), np.uint8)
    for i in range(count):
        x, y, radius = 20 + 5 * (i % 6), 24 + 4 * (i % 5), 8 + i % 9
        inside = (at[:, None] - y) ** 2 + (at[None] - x) ** 2 < radius**2
        pictures[i][inside] = (40 * i % 256, 200 - 12 * (i % 16), 30 + 50 * (i % 4), 255)
    return pictures


def premultiplied(pictures: np.ndarray) -> np.ndarray:
    rgba = pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255.0
    rgba[:, :3] *= rgba[:, 3:]
    return rgba


def make_network(config: NetConfig = TINY) -> WholePictureNet:
    torch.manual_seed(0)
    network = WholePictureNet(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def make_data(latents: torch.Tensor) -> WholePictureData:
    random = np.random.default_rng(0)
    vectors = [random.normal(size=(2, 384)).astype(np.float32) for _ in latents]
    vectors = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    return WholePictureData(latents, vectors, np.arange(len(latents)) % 2)


def test_pictures_come_back_from_planes() -> None:
    pictures = discs(6)
    planes = pictures_to_planes(pictures)
    assert planes.shape == (6, 10240)
    assert planes.dtype == np.float32
    back = planes_to_pixels(torch.from_numpy(planes)).numpy()
    error = np.abs(back - premultiplied(pictures))
    assert np.abs(back[:, 3] - premultiplied(pictures)[:, 3]).max() < 1e-5  # alpha is kept whole
    assert error.mean() < 0.01  # colour loses what half-size chroma loses: the edges
    assert np.median(error) < 1e-3


def test_a_flat_colour_comes_back_exactly() -> None:
    flat = np.full((1, SIDE, SIDE, 4), (200, 30, 90, 255), np.uint8)
    back = planes_to_pixels(torch.from_numpy(pictures_to_planes(flat))).numpy()
    assert np.abs(back - premultiplied(flat)).max() < 0.01


def test_more_components_reconstruct_better() -> None:
    pictures = discs(40)
    planes = pictures_to_planes(pictures)
    target = torch.from_numpy(premultiplied(pictures))
    errors = []
    for components in (2, 8, 24):
        basis = PictureBasis.fit(planes, components)
        drawn = basis.decode(basis.encode(torch.from_numpy(planes)))
        errors.append(float((drawn - target).square().mean()))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_coefficients_have_the_spread_of_the_noise() -> None:
    planes = pictures_to_planes(discs(40))
    latents = PictureBasis.fit(planes, 24).encode(torch.from_numpy(planes))
    assert float(latents.square().mean()) == pytest.approx(1.0, rel=0.05)
    assert float(latents.mean(0).abs().max()) < 0.01


def test_the_basis_is_orthonormal() -> None:
    basis = PictureBasis.fit(pictures_to_planes(discs(20)), 10).basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(10), atol=1e-3, rtol=0)


@pytest.mark.parametrize("what", ["noisy", "sigma", "text", "style"])
def test_every_input_reaches_the_answer(what: str) -> None:
    network = make_network()
    given = {
        "noisy": torch.ones(2, 8),
        "sigma": torch.tensor([0.3, 0.8]),
        "text": torch.nn.functional.normalize(torch.ones(2, 384), dim=-1),
        "style": torch.tensor([0, 1]),
    }
    changed = {
        "noisy": torch.zeros(2, 8),
        "sigma": torch.tensor([0.9, 0.1]),
        "text": torch.zeros(2, 384),
        "style": torch.tensor([2, 2]),
    }
    with torch.no_grad():
        before, after = network(**given), network(**given | {what: changed[what]})
    assert (before - after).abs().max() > 1e-4


def test_no_text_is_learned_and_not_zero() -> None:
    network = make_network()
    noisy, sigma, style = torch.ones(1, 8), torch.tensor([0.5]), torch.tensor([0])
    with torch.no_grad():
        before = network(noisy, sigma, torch.zeros(1, 384), style)
        network.text_null.add_(1.0)
        assert not torch.allclose(network(noisy, sigma, torch.zeros(1, 384), style), before)
        words = torch.nn.functional.normalize(torch.ones(1, 384), dim=-1)
        with_words = network(noisy, sigma, words, style)
        network.text_null.add_(1.0)
        assert torch.equal(network(noisy, sigma, words, style), with_words)


def test_the_loss_falls_on_eight_pictures() -> None:
    planes = pictures_to_planes(discs(8))
    basis = PictureBasis.fit(planes, 7)
    data = make_data(basis.encode(torch.from_numpy(planes)))
    torch.manual_seed(0)
    network = WholePictureNet(NetConfig(**{**_sizes(), "components": 7}))
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(80):
        loss = flow_loss(network, *data.batch(32), data.random)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])


def _sizes() -> dict[str, int]:
    return {name: getattr(TINY, name) for name in TINY.__slots__}


def test_a_batch_keeps_each_picture_with_its_own_words_and_style() -> None:
    latents = torch.arange(6.0)[:, None].expand(6, 4).clone()
    data = make_data(latents)
    rows, text, style = data.batch(64)
    for row, words, number in zip(rows[:, 0].long(), text, style, strict=True):
        assert int(number) == int(row) % 2
        own = torch.nn.functional.normalize(data.vectors[2 * row : 2 * row + 2].sum(0), dim=-1)
        nearest = (data.vectors @ words).argmax()
        assert int(nearest) // 2 == int(row)
        assert float(own @ words) > 0.4
    assert torch.allclose(text.norm(dim=-1), torch.ones(64), atol=1e-5)


def test_drawing_ends_at_the_answer_of_an_exact_denoiser() -> None:
    clean = torch.tensor([[0.5, -1.0, 2.0]])

    def exact(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return clean

    drawn = draw(exact, torch.ones(1, 384), torch.tensor([0]), torch.randn(1, 3), steps=5)
    torch.testing.assert_close(drawn, clean)
