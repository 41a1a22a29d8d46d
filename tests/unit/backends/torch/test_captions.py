"""Captioning and question answering with tiny random networks of the real architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
    BlipProcessor,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltProcessor,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from sfumato.clip.captions import answerer, describer
from sfumato.errors import ModelError

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] [DEC] [ENC] a red fox blue ship on white what colour is it"


def tokenizer(folder: Path) -> BertTokenizer:
    vocabulary = {word: i for i, word in enumerate(WORDS.split())}
    return BertTokenizer(vocab=vocabulary, model_max_length=32)


def picture() -> np.ndarray:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[8:32, 8:32] = (220, 40, 40, 255)
    return pixels


def save_blip(folder: Path, kind: type[Any]) -> Any:
    words = tokenizer(folder)
    side: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "projection_dim": 16,
    }  # fmt: skip
    torch.manual_seed(1)
    tokens = {"bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = BlipConfig(
        text_config={**side, **tokens, "vocab_size": len(words), "encoder_hidden_size": 32},
        vision_config={**side, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    network = kind(config).eval()
    network.save_pretrained(folder)
    sized = BlipImageProcessorPil(size={"height": 32, "width": 32})
    BlipProcessor(sized, words).save_pretrained(folder)
    return network


def test_a_captioning_model_writes_the_prompts_and_we_measure(tmp_path: Path) -> None:
    network = save_blip(tmp_path, BlipForConditionalGeneration)
    found = describer(str(tmp_path))(picture())
    assert 1 <= len(found.prompts) <= 4
    assert len(set(found.prompts)) == len(found.prompts)
    assert (found.colours, found.ground, found.shape) == (("red",), "transparent", "square")
    assert found == describer(str(tmp_path))(picture())  # beams, not dice
    assert network.config.model_type == "blip"


def test_a_question_model_answers_with_its_certainty(tmp_path: Path) -> None:
    save_blip(tmp_path, BlipForQuestionAnswering)
    found = answerer(str(tmp_path))(picture(), "what colour is it")
    assert 0 <= found.confidence <= 1
    assert tmp_path.name in found.reason
    assert found.text is None or set(found.text.split()) <= set(WORDS.split())


def test_a_classifier_over_answers_says_the_likeliest(tmp_path: Path) -> None:
    words = tokenizer(tmp_path)
    torch.manual_seed(2)
    network = ViltForQuestionAnswering(
        ViltConfig(
            hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
            image_size=32, patch_size=16, vocab_size=len(words), max_position_embeddings=32,
            id2label={0: "red", 1: "blue", 2: "two"},
        )
    ).eval()  # fmt: skip
    with torch.no_grad():
        network.classifier[-1].bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    network.save_pretrained(tmp_path)
    sized = ViltImageProcessorPil(size={"shortest_edge": 32}, size_divisor=16)
    ViltProcessor(sized, words).save_pretrained(tmp_path)
    found = answerer(str(tmp_path))(picture(), "what colour is it")
    assert found.text == "blue"
    assert found.confidence > 0.9


def test_pickled_captioners_are_refused(tmp_path: Path) -> None:
    save_blip(tmp_path, BlipForConditionalGeneration)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled"):
        describer(str(tmp_path))


def test_a_folder_of_another_kind_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no safetensors"):  # as a picture-text model
        describer(str(tmp_path))
