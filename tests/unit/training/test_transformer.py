"""The full model's network, its objective, its sampler and its export."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file

from sfumato.training.transformer import (
    Batch,
    Chiaro,
    TransformerConfig,
    export_transformer,
    flow_loss,
    join_patches,
    rotary_table,
    sample,
    split_patches,
    to_latents,
    to_pictures,
    training_flops,
)

TINY = TransformerConfig(
    side=32, width=32, blocks=2, heads=2, hidden=64, bottleneck=16, adapters=1, adapter_hidden=32
)


def make_network(config: TransformerConfig = TINY) -> Chiaro:
    """A network with no zero left in it, so that every input can reach the output."""
    torch.manual_seed(0)
    network = Chiaro(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def make_inputs(count: int, side: int = 32) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return {
        "latents": torch.randn(count, 4, side, side, generator=random),
        "sigma": torch.rand(count, generator=random),
        "text": torch.randn(count, 24, 384, generator=random),
        "text_mask": (torch.arange(24) < 5).float().expand(count, 24).clone(),
        "guidance": torch.full((count,), 2.0),
        "style": torch.arange(count) % TINY.styles,
    }


def make_batch(pictures: torch.Tensor) -> Batch:
    given = make_inputs(len(pictures), pictures.shape[1])
    return Batch(
        pictures=pictures, text=given["text"], text_mask=given["text_mask"], style=given["style"]
    )


def squares(count: int, side: int = 32) -> torch.Tensor:
    """Opaque squares of different colours and places on nothing."""
    pictures = torch.zeros(count, side, side, 4, dtype=torch.uint8)
    for i in range(count):
        at = (i * 3) % (side // 2)
        colour = torch.tensor([30 * i % 256, 255 - 20 * i, 90, 255], dtype=torch.uint8)
        pictures[i, at : at + 12, 4:20] = colour
    return pictures


def test_the_full_model_stays_below_25_million_parameters() -> None:
    with torch.device("meta"):
        network = Chiaro(TransformerConfig(styles=24))
    assert 20e6 < sum(p.numel() for p in network.parameters()) <= 25e6


def test_one_forward_pass_of_the_full_model_is_about_13_gflop() -> None:
    assert training_flops(TransformerConfig(), 128) / 3 == pytest.approx(13e9, rel=0.1)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_same_weights_take_every_size(side: int) -> None:
    with torch.no_grad():
        clean = make_network()(**make_inputs(2, side))
    assert clean.shape == (2, 4, side, side)
    assert clean.dtype == torch.float32
    assert torch.isfinite(clean).all()


def test_what_the_padding_holds_does_not_matter() -> None:
    network, given = make_network(), make_inputs(2)
    with torch.no_grad():
        plain = network(**given)
        given["text"] = given["text"].clone()
        given["text"][:, 5:] = 1e3
        assert torch.equal(network(**given), plain)
        given["text"][:, 4] += 1.0
        assert not torch.allclose(network(**given), plain)


def test_no_text_is_one_thing_whatever_the_words_were() -> None:
    network, given = make_network(), make_inputs(2)
    given["text_mask"] = torch.zeros(2, 24)
    with torch.no_grad():
        first = network(**given)
        assert torch.equal(network(**given | {"text": torch.zeros(2, 24, 384)}), first)


@pytest.mark.parametrize("name", ["sigma", "guidance", "style", "text_mask"])
def test_every_input_reaches_the_picture(name: str) -> None:
    network, given = make_network(), make_inputs(2)
    changed = {
        "sigma": given["sigma"] * 0.5,
        "guidance": given["guidance"] + 1.5,
        "style": given["style"] + 1,
        "text_mask": torch.zeros(2, 24),
    }
    with torch.no_grad():
        before, after = network(**given), network(**given | {name: changed[name]})
    assert (before - after).abs().max() > 1e-4


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    network, given = make_network(), make_inputs(3)
    with torch.no_grad():
        together = network(**given)
        alone = network(**{name: value[1:2] for name, value in given.items()})
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_positions_are_measured_in_the_picture_and_not_in_patches() -> None:
    cos_64, _ = rotary_table(64, 16)
    cos_128, _ = rotary_table(128, 16)
    assert cos_64.shape == (64, 16)
    assert cos_128.shape == (256, 16)
    angles_64 = rotary_table(64, 16)[1].view(8, 8, 16)[:, 0, 3].asin()
    angles_128 = rotary_table(128, 16)[1].view(16, 16, 16)[:, 0, 3].asin()
    # the slowest frequency: the first patch of 64 px lies between the first two of 128 px
    assert angles_64[0] == pytest.approx(float(angles_128[:2].mean()), rel=1e-2)


def test_patches_come_back_in_place() -> None:
    picture = torch.randn(2, 4, 32, 32)
    patches = split_patches(picture)
    assert patches.shape == (2, 16, 256)
    assert torch.equal(patches[0, 1].view(4, 8, 8), picture[0, :, :8, 8:16])
    assert torch.equal(join_patches(patches, 32), picture)


def test_pictures_come_back_from_latents() -> None:
    pictures = squares(3)
    pictures[..., 3] = torch.where(pictures[..., 3] > 0, 200, 0)
    latents = to_latents(pictures)
    assert latents.min() >= -1.0
    assert latents.max() <= 1.0
    back = to_pictures(latents)
    assert (back.int() - pictures.int()).abs().max() <= 1


def test_a_transparent_pixel_has_no_colour() -> None:
    hidden = torch.full((1, 8, 8, 4), 255, dtype=torch.uint8)
    hidden[..., 3] = 0
    assert torch.equal(to_latents(hidden), torch.full((1, 4, 8, 8), -1.0))


def test_the_loss_falls_on_eight_pictures() -> None:
    torch.manual_seed(0)
    network = Chiaro(TINY)
    batch, random = make_batch(squares(8)), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = flow_loss(network, batch, random, no_style=5)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.35 * np.mean(losses[:5])


def test_text_and_style_are_dropped_one_time_in_ten() -> None:
    seen = {}

    def network(
        x: torch.Tensor, sigma: torch.Tensor, text: torch.Tensor, mask: torch.Tensor,
        guidance: torch.Tensor, style: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        seen.update(mask=mask, style=style, guidance=guidance)
        return x

    count = 600
    batch = Batch(
        pictures=torch.zeros(count, 8, 8, 4, dtype=torch.uint8),
        text=torch.zeros(count, 24, 384),
        text_mask=torch.ones(count, 24),
        style=torch.zeros(count, dtype=torch.int64),
    )
    flow_loss(network, batch, torch.Generator().manual_seed(0), no_style=5)
    assert float((seen["mask"].sum(1) == 0).float().mean()) == pytest.approx(0.1, abs=0.04)
    assert float((seen["style"] == 5).float().mean()) == pytest.approx(0.1, abs=0.04)
    assert torch.equal(seen["guidance"], torch.ones(count))


def test_the_student_learns_the_guided_picture_in_one_pass() -> None:
    """Clean pictures are -1 everywhere, so a student that is right in both halves has no loss."""
    batch = make_batch(torch.zeros(8, 16, 16, 4, dtype=torch.uint8))
    scales = []

    def teacher(x: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        with_text = (given[2].sum(1) > 0).float()[:, None, None, None]
        return torch.full_like(x, -0.1) + 0.1 * with_text  # uncond -0.1, cond 0

    def student(x: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        guidance = given[3]
        scales.append(guidance)
        guided = (-0.1 + 0.1 * guidance)[:, None, None, None].expand_as(x)
        return torch.cat([guided[:4], torch.full_like(x[4:], -1.0)])

    random = torch.Generator().manual_seed(0)
    loss = flow_loss(student, batch, random, no_style=5, teacher=teacher)
    assert float(loss) == pytest.approx(0.0, abs=1e-9)
    assert (scales[0][:4] > 1.0).all()
    assert torch.equal(scales[0][4:], torch.ones(4))


@pytest.mark.parametrize("distilled", [True, False])
def test_sampling_ends_at_the_picture_of_an_exact_denoiser(distilled: bool) -> None:
    picture = to_latents(squares(2))

    def exact(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return picture

    given = make_inputs(2)
    drawn = sample(
        exact,
        given["latents"],
        given["text"],
        given["text_mask"],
        given["style"],
        steps=4,
        distilled=distilled,
    )
    torch.testing.assert_close(drawn, picture)


@pytest.mark.slow
def test_the_exported_network_draws_what_torch_draws(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make_network()
    save_file({k: v.half() for k, v in network.state_dict().items()}, tmp_path / "ema.safetensors")
    (tmp_path / "run.json").write_text(json.dumps({"net": asdict(TINY)}))
    network.load_state_dict({k: v.half().float() for k, v in network.state_dict().items()})
    path = export_transformer(tmp_path, tmp_path / "model")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(make_inputs(1))
    for count in (1, 3):
        given = make_inputs(count)
        with torch.no_grad():
            expected = network(**given).numpy()
        clean = session.run(["clean"], {k: v.numpy() for k, v in given.items()})[0]
        assert np.abs(clean - expected).max() < 1e-4
