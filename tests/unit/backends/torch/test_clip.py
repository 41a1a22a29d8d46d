"""Checkpoints of every kind give what the library, or the published network, gives."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from sfumato import clip
from sfumato.backends.torch.clip import load
from sfumato.cli.main import run
from sfumato.errors import ModelError

Published = Callable[..., nn.Module]

TEXTS = ["a red fox", "two ships", "a"]
TINY: dict[str, Any] = {
    "size": 64, "patch": 16, "vision_width": 128, "vision_layers": 2, "text_width": 64,
    "text_layers": 2, "context": 12, "out": 32,
}  # fmt: skip
REAL: dict[str, Any] = {
    "size": 224, "patch": 32, "vision_width": 768, "vision_layers": 12, "text_width": 512,
    "text_layers": 12, "context": 77, "out": 512,
}  # fmt: skip


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    wide = rng.integers(0, 256, (90, 140, 4), np.uint8)
    square = rng.integers(0, 256, (64, 64, 4), np.uint8)
    square[..., 3] = 255
    return [wide, square]


def letters() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-pair vocabulary of every ASCII letter, whole words built from nothing."""
    single = [chr(code) for code in range(33, 127)]
    tokens = [*single, *(letter + "</w>" for letter in single), "<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}, []


def save_tokenizer(folder: Path) -> CLIPTokenizer:
    vocabulary, merges = letters()
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    tokenizer.save_pretrained(folder)
    return tokenizer


def unit(rows: torch.Tensor) -> np.ndarray:
    return nn.functional.normalize(rows, dim=-1).numpy()


def prepared(size: int) -> torch.Tensor:
    """Our two pictures on white, through the library's own preparation."""
    on_white = []
    for pixels in pictures():
        picture = Image.fromarray(pixels, "RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        on_white.append(Image.alpha_composite(paper, picture).convert("RGB"))
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    )
    return processor(images=on_white, return_tensors="pt")["pixel_values"]


@pytest.mark.parametrize(
    "shape", [pytest.param(TINY, id="tiny"), pytest.param(REAL, id="B-32", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("owner", ["openai", "open_clip"])
def test_openai_layout_gives_what_the_published_network_gives(
    shape: dict[str, Any], owner: str, tmp_path: Path, published: Published
) -> None:
    tokenizer = save_tokenizer(tmp_path)
    activation = "quick_gelu" if owner == "openai" else "gelu"
    network = published(shape, activation, len(tokenizer))
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    if owner == "openai":
        for marker in ("input_resolution", "context_length", "vocab_size"):
            weights[marker] = torch.tensor(1)
    path = tmp_path / "clip.safetensors"
    save_file(weights, path)
    ids = torch.zeros(len(TEXTS), shape["context"], dtype=torch.long)
    for row, tokens in zip(ids, tokenizer(TEXTS)["input_ids"], strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    with torch.inference_mode():
        texts = unit(network.encode_text(ids))
        seen = unit(network.encode_image(prepared(shape["size"])))

    model = load(str(path))
    np.testing.assert_allclose(model.encode_texts(TEXTS), texts, atol=2e-5)
    np.testing.assert_allclose(model.encode_pictures(pictures()), seen, atol=2e-5)
    assert model.spec.dimensions == shape["out"]
    assert model.spec.picture_size == shape["size"]
    assert model.spec.logit_scale == pytest.approx(np.exp(2.6593), rel=1e-4)


def test_an_open_clip_folder_says_its_activation_itself(
    tmp_path: Path, published: Published
) -> None:
    tokenizer = save_tokenizer(tmp_path)
    network = published(TINY, "quick_gelu", len(tokenizer))
    save_file(network.state_dict(), tmp_path / "open_clip_model.safetensors")
    told = {"model_cfg": {"quick_gelu": True, "vision_cfg": {}}, "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(told))
    with torch.inference_mode():
        seen = unit(network.encode_image(prepared(TINY["size"])))
    model = load(str(tmp_path))
    np.testing.assert_allclose(model.encode_pictures(pictures()), seen, atol=2e-5)


def save_clip(folder: Path) -> tuple[CLIPModel, CLIPTokenizer]:
    tokenizer = save_tokenizer(folder)
    torch.manual_seed(5)
    side = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    config = CLIPConfig(
        text_config={
            **side, "num_attention_heads": 2, "vocab_size": len(tokenizer),
            "max_position_embeddings": 16, "eos_token_id": len(tokenizer) - 1,
        },
        vision_config={**side, "num_attention_heads": 2, "image_size": 48, "patch_size": 16},
        projection_dim=24,
    )  # fmt: skip
    network = CLIPModel(config).eval()
    network.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}
    ).save_pretrained(folder)
    return network, tokenizer


def test_a_transformers_clip_gives_the_librarys_own_vectors(tmp_path: Path) -> None:
    network, tokenizer = save_clip(tmp_path)
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        texts = unit(network.get_text_features(**inputs).pooler_output)
        seen = unit(network.get_image_features(pixel_values=prepared(48)).pooler_output)
    model = clip.load(str(tmp_path))  # by path, as a person gives it
    np.testing.assert_allclose(model.encode_texts(TEXTS), texts, atol=2e-5)
    np.testing.assert_allclose(model.encode_pictures(pictures()), seen, atol=2e-5)
    assert model.encode_texts([]).shape == (0, 24)
    assert model.encode_texts(["long " * 500]).shape == (1, 24)


def test_sfumato_models_says_what_a_checkpoint_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_clip(tmp_path)
    with pytest.raises(SystemExit) as left:
        run(["models", str(tmp_path), "--measure"])
    assert not left.value.code
    page = capsys.readouterr().out
    assert "a clip checkpoint on disk" in page
    assert "licence that of its author" in page
    assert "pictures/s, " in page


def test_a_transformers_siglip_gives_the_librarys_own_vectors(tmp_path: Path) -> None:
    vocabulary, merges = letters()
    inner = CLIPTokenizer(vocab=vocabulary, merges=merges)._tokenizer
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<|endoftext|>")
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(6)
    side = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    network = SiglipModel(
        SiglipConfig(
            text_config={
                **side, "num_attention_heads": 2, "vocab_size": len(tokenizer),
                "max_position_embeddings": 20, "projection_size": 64,
            },
            vision_config={**side, "num_attention_heads": 2, "image_size": 48, "patch_size": 16},
        )
    ).eval()  # fmt: skip
    network.save_pretrained(tmp_path)
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    processor = SiglipImageProcessorPil(size={"height": 48, "width": 48})
    processor.save_pretrained(tmp_path)
    inputs = tokenizer(
        TEXTS, padding="max_length", truncation=True, max_length=20, return_tensors="pt"
    )
    inputs.pop("token_type_ids", None)
    opaque = [pixels[..., :3].copy() for pixels in pictures()[1:]]
    images = processor(images=[Image.fromarray(p) for p in opaque], return_tensors="pt")
    with torch.inference_mode():
        texts = unit(network.get_text_features(input_ids=inputs["input_ids"]).pooler_output)
        seen = unit(network.get_image_features(**images).pooler_output)
    model = load(str(tmp_path))
    np.testing.assert_allclose(model.encode_texts(TEXTS), texts, atol=2e-5)
    np.testing.assert_allclose(model.encode_pictures(pictures()[1:]), seen, atol=2e-5)
    assert model.spec.logit_bias == pytest.approx(float(network.logit_bias))


def test_openais_own_word_list_is_read_from_beside_the_weights(tmp_path: Path) -> None:
    from sfumato.backends.torch.clip import _openai_vocabulary

    lines = ["#version: 0.2", "f o", "fo x</w>"]
    with gzip.open(tmp_path / "bpe_simple_vocab_16e6.txt.gz", "wt") as file:
        file.write("\n".join(lines))
    vocabulary, merges = _openai_vocabulary(tmp_path)
    assert merges == [("f", "o"), ("fo", "x</w>")]
    assert len(vocabulary) == 512 + 2 + 2
    assert vocabulary["!"] == 0
    assert vocabulary["!</w>"] == 256
    assert vocabulary["fox</w>"] == 513
    assert vocabulary["<|endoftext|>"] == 515


def test_a_lone_file_without_a_tokenizer_says_what_to_put_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: Published
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    network = published(TINY, "gelu", 190)
    save_file(network.state_dict(), tmp_path / "clip.safetensors")
    with pytest.raises(ModelError, match="tokenizer") as caught:
        load(str(tmp_path / "clip.safetensors"))
    assert "tokenizer.json" in caught.value.hint


def written(path: Path, header: Any, body: bytes = b"") -> str:
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(data)) + data + body)
    return str(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a safetensors"),
        (b"PK\x03\x04 a zip, as torch.save writes", "pickled"),
        (b"\x80\x02 a bare pickle", "pickled"),
        (struct.pack("<Q", 2**60) + b"{}", "not a safetensors"),
        (struct.pack("<Q", 2) + b"[]", "lists no tensors"),
        (struct.pack("<Q", 4) + b"{\xff\xff}", "not readable JSON"),
    ],
)
def test_bytes_that_are_no_safetensors_are_refused(
    content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        load(str(path))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 4000]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]},
        {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4]},
        [],
    ],
)
def test_tensors_that_do_not_fit_their_file_are_refused(entry: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "weights.safetensors", {"visual.conv1.weight": entry}, bytes(16))
    with pytest.raises(ModelError, match="does not fit"):
        load(path)


def test_folders_without_safetensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no safetensors"):
        load(str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(ModelError, match="pickled weights only") as caught:
        load(str(tmp_path))
    assert "safetensors" in caught.value.hint


def test_half_a_clip_and_a_resnet_are_refused(tmp_path: Path, published: Published) -> None:
    save_tokenizer(tmp_path)
    weights = published(TINY, "gelu", 190).state_dict()
    del weights["visual.transformer.resblocks.1.ln_2.bias"]
    save_file(weights, tmp_path / "half.safetensors")
    with pytest.raises(ModelError, match="not a whole CLIP"):
        load(str(tmp_path / "half.safetensors"))
    weights["visual.layer1.0.conv1.weight"] = torch.zeros(1)
    save_file(weights, tmp_path / "resnet.safetensors")
    with pytest.raises(ModelError, match="no plain vision transformer"):
        load(str(tmp_path / "resnet.safetensors"))
