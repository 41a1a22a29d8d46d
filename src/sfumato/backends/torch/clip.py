"""Any CLIP or SigLIP checkpoint on disk as a picture-text model.

Three kinds are opened: a folder as transformers saves it (CLIP, SigLIP, SigLIP 2, ALIGN, ...), a
folder as open_clip saves it, and a single safetensors file in OpenAI's or transformers' layout.
Networks, tokenizers and picture preparation are the library's own; nothing is fetched, no code
from a checkpoint runs.
"""

from __future__ import annotations

import gzip
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.backends.torch.checkpoints import (
    check_folder,
    check_safetensors,
    digest,
    opened_by_transformers,
    read_config,
    require_torch,
)
from sfumato.backends.torch.openai_layout import (
    HEAD_WIDTH,
    is_openai_layout,
    read_shapes,
    rename,
)
from sfumato.clip.base import PictureTextSpec
from sfumato.errors import ModelError

__all__ = ["TorchClip", "load", "on_white", "quiet"]

_BATCH = 16  # pictures or texts a network call takes
_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"  # OpenAI's, as open_clip and clip install it
_MERGES = 49152 - 256 - 2  # lines of that file that are used
_OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
_OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


def load(path: str) -> TorchClip:
    """Open a checkpoint by its path.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: pickled, damaged, not a picture-text model, or files are missing beside it.
    """
    require_torch("Opening a CLIP checkpoint")
    place = Path(path)
    with quiet():
        if place.is_file():
            return _from_file(place, [place], place.parent)
        if (place / "open_clip_config.json").exists():
            return _from_file(_largest(check_folder(place)), check_folder(place), place)
        return _from_transformers(place)


class TorchClip:
    """Implements ``PictureTextModel`` with a transformers network."""

    def __init__(
        self,
        network: Any,
        prepare: Callable[[list[Image.Image]], Any],
        tokenize: Callable[[list[str]], dict[str, Any]],
        spec: PictureTextSpec,
    ) -> None:
        self.spec = spec
        self._network = network.eval()
        self._prepare = prepare
        self._tokenize = tokenize

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N pictures (H, W, 4) uint8, laid on white, to (N, D) unit float32."""
        rows = [
            self._features(self._network.get_image_features, pixel_values=self._prepare(batch))
            for batch in _in_batches([on_white(pixels) for pixels in pictures])
        ]
        return _unit(rows, self.spec.dimensions)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts to (N, D) unit float32; what the network cannot read of a long one is cut."""
        rows = [
            self._features(self._network.get_text_features, **self._tokenize(batch))
            for batch in _in_batches(list(texts))
        ]
        return _unit(rows, self.spec.dimensions)

    def _features(self, network: Callable[..., Any], **inputs: Any) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            found = network(**inputs)
        features: NDArray[np.float32] = getattr(found, "pooler_output", found).float().numpy()
        return features


# ---------------------------------------------------------------- the three kinds


def _from_transformers(folder: Path) -> TorchClip:
    import transformers

    files = check_folder(folder)
    config = read_config(folder / "config.json")
    with opened_by_transformers(folder):
        network = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    if not hasattr(network, "get_image_features") or not hasattr(network, "get_text_features"):
        raise ModelError(
            f"{folder} holds a {config.get('model_type', 'nameless')!r}, not a picture-text model.",
            hint="CLIP and SigLIP checkpoints are.",
        )
    length = int(network.config.text_config.max_position_embeddings)
    # SigLIP was trained on texts padded to the full length, with no mask (Zhai et al. 2023)
    is_siglip = str(config.get("model_type")).startswith("siglip")
    padding = "max_length" if is_siglip else True

    def tokenize(texts: list[str]) -> dict[str, Any]:
        read = tokenizer(
            texts, padding=padding, truncation=True, max_length=length, return_tensors="pt"
        )
        return {"input_ids": read["input_ids"]} if is_siglip else dict(read)

    def prepare(pictures: list[Image.Image]) -> Any:
        return processor(images=pictures, return_tensors="pt")["pixel_values"]

    size = int(network.config.vision_config.image_size)
    return TorchClip(network, prepare, tokenize, _spec(folder, files, network, size))


def _from_file(path: Path, files: list[Path], folder: Path) -> TorchClip:
    """A single file: OpenAI's or transformers' tensor names; the network follows from shapes."""
    from safetensors.torch import load_file
    from transformers import CLIPConfig, CLIPModel

    shapes = check_safetensors(path)
    if not is_openai_layout(shapes):
        if (folder / "config.json").exists():
            return _from_transformers(folder)
        raise ModelError(
            f"{path} is not a CLIP in OpenAI's layout.",
            hint="For weights that transformers saved give their folder, with its config.json.",
        )
    told: dict[str, Any] = {}
    if (folder / "open_clip_config.json").exists():
        told = read_config(folder / "open_clip_config.json")
    network_told = told.get("model_cfg", {})
    config = CLIPConfig(
        **read_shapes(
            shapes,
            network_told.get("quick_gelu") if network_told else None,
            int(network_told.get("vision_cfg", {}).get("head_width", HEAD_WIDTH)),
        )
    )
    network = CLIPModel(config)
    missing, unexpected = network.load_state_dict(rename(load_file(path)), strict=False)
    lost = [name for name in missing if not name.endswith("position_ids")]
    if lost or unexpected:
        raise ModelError(f"{path} is not a whole CLIP: {(lost + unexpected)[0]!r} is left over.")
    network = network.float()
    size = int(config.vision_config.image_size)
    return TorchClip(
        network,
        _openai_preparation(size, told.get("preprocess_cfg", {})),
        _openai_tokenizer(folder, config),
        _spec(path, files, network, size),
    )


def _openai_preparation(size: int, told: dict[str, Any]) -> Callable[[list[Image.Image]], Any]:
    """Shorter side to ``size`` (bicubic), centre cut out, mean and deviation of the training."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=list(told.get("mean", _OPENAI_MEAN)),
        image_std=list(told.get("std", _OPENAI_STD)),
    )
    return lambda pictures: processor(images=pictures, return_tensors="pt")["pixel_values"]


def _openai_tokenizer(folder: Path, config: Any) -> Callable[[list[str]], dict[str, Any]]:
    """CLIP's byte-pair encoding, from a tokenizer beside the weights or from OpenAI's own list."""
    import torch
    from transformers import CLIPTokenizer

    if (folder / "tokenizer.json").exists() or (folder / "merges.txt").exists():
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    else:
        vocabulary, merges = _openai_vocabulary(folder)
        tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    length = int(config.text_config.max_position_embeddings)
    if len(tokenizer) != config.text_config.vocab_size:
        raise ModelError(
            f"The tokenizer has {len(tokenizer):,} entries; the weights were trained with "
            f"{config.text_config.vocab_size:,}.",
            hint="Put the model's own tokenizer files beside its weights.",
        )

    def tokenize(texts: list[str]) -> dict[str, Any]:
        rows = tokenizer(texts, truncation=True, max_length=length)["input_ids"]
        ids = torch.zeros(len(rows), length, dtype=torch.long)  # padded with zeros, as trained
        for row, tokens in zip(ids, rows, strict=True):
            row[: len(tokens)] = torch.tensor(tokens)
        return {"input_ids": ids}

    return tokenize


def _openai_vocabulary(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens and merges from OpenAI's list, beside the weights or in an installed package."""
    places = [folder / _VOCABULARY]
    for package in ("open_clip", "clip"):
        found = importlib.util.find_spec(package)  # finds it without running it
        if found is not None and found.origin is not None:
            places.append(Path(found.origin).parent / _VOCABULARY)
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise ModelError(
            f"The tokenizer of the weights in {folder} is missing.",
            hint=f"Put tokenizer.json, or {_VOCABULARY} from the open_clip package, beside them.",
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read(8 * 1024 * 1024).split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines)]
    letters = _byte_letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += [first + second for first, second in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def _byte_letters() -> list[str]:
    """A printable character for each byte, in the order of the vocabulary (Radford et al. 2019)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(rest))]


# ---------------------------------------------------------------- small print


def _spec(path: Path, files: list[Path], network: Any, size: int) -> PictureTextSpec:
    config = network.config
    scale = getattr(network, "logit_scale", None)
    bias = getattr(network, "logit_bias", None)
    dimensions = getattr(config, "projection_dim", None) or config.text_config.hidden_size
    return PictureTextSpec(
        name=str(path),
        summary=f"a {config.model_type} checkpoint on disk",
        licence="that of its author: see its model card",
        sha256=digest(files),
        dimensions=int(dimensions),
        picture_size=size,
        logit_scale=float(scale.exp()) if scale is not None else 1.0,
        logit_bias=float(bias) if bias is not None else 0.0,
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        size_bytes=sum(file.stat().st_size for file in files),
    )


def _largest(files: list[Path]) -> Path:
    return max(files, key=lambda path: path.stat().st_size)


def on_white(pixels: NDArray[np.uint8]) -> Image.Image:
    """(H, W, 4) uint8 as an RGB picture: public models never saw transparency."""
    picture = Image.fromarray(pixels, "RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _in_batches(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _unit(rows: list[NDArray[np.float32]], dimensions: int) -> NDArray[np.float32]:
    vectors = np.concatenate(rows) if rows else np.zeros((0, dimensions), np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@contextmanager
def quiet() -> Iterator[None]:
    """transformers remarks on torchvision and on defaults; none of it is news to a person."""
    from transformers.utils import logging as remarks

    level, bars = remarks.get_verbosity(), remarks.is_progress_bar_enabled()
    remarks.set_verbosity_error()
    remarks.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        remarks.set_verbosity(level)
        if bars:
            remarks.enable_progress_bar()
