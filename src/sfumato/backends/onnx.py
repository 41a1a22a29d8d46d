"""The built-in model on ONNX Runtime.

Four small files do the work: ``text.onnx`` turns words into a sentence vector, ``flow.onnx`` takes
noise away from one vector a picture, ``decoder.onnx`` paints that vector at 256 px, and
``concepts.npz`` lists what the model was shown, so that sfumato can say when it is guessing.

Every network call serves exactly one picture on one thread. Several pictures are drawn side by side
instead; so neither the batch a picture is in nor the number of threads changes one bit of it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato import __version__
from sfumato.backends.concepts import Concepts, lean_towards
from sfumato.clip.sentences import WIDTH as TEXT_WIDTH
from sfumato.clip.sentences import encoder_of
from sfumato.clip.sessions import open_session, run_session
from sfumato.diffusion import guided
from sfumato.errors import ModelError
from sfumato.models import Conditioning, ModelSpec
from sfumato.models.catalogue import (
    WEIGHTS,
    how_to_mend,
    read_sheet,
    sheet_identity,
    weight_bytes,
    weight_digest,
)
from sfumato.registry import own_models_folder
from sfumato.request import GenerationPlan

_SAME_WORDS = 0.9  # cosine of two wordings of one subject
# flat first: the cleanest on a screen; a glyph only where it is asked for or all there is
_STYLE_ORDER = ("flat", "cartoon", "classic", "soft", "glyph")
# Words that the coloured packs have several pictures for, one a colour, and none by the word alone:
# the model would draw the mean of all.
_COLOURED_STYLES = frozenset({"flat", "cartoon", "classic", "soft"})
_NAMESAKES = {"apple": "red apple", "heart": "red heart"}
_STYLE_WORDS = {
    "modern": "flat", "fluent": "flat", "material": "flat",
    "sticker": "cartoon", "comic": "cartoon", "playful": "cartoon",
    "traditional": "classic", "detailed": "classic",
    "gentle": "soft", "pastel": "soft", "rounded style": "soft",
    "monochrome": "glyph", "silhouette": "glyph", "solid": "glyph", "pictogram": "glyph",
    "stencil": "glyph", "one-colour": "glyph", "black and white": "glyph",
}  # fmt: skip


def spec(name: str) -> ModelSpec:
    """The sheet of a built-in model; weights stay on disk.

    Raises: ModelError: the sheet is missing or not readable.
    """
    sheet = read_sheet(_folder(name))
    try:
        styles = tuple(s for s in _STYLE_ORDER if s in sheet["styles"])
        styles += tuple(s for s in sheet["styles"] if s not in styles)
        return ModelSpec(
            name=name,
            family="diffusion",
            summary=sheet["summary"],
            licence=sheet["licence"],
            version=sheet["version"],
            sha256=sheet_identity(sheet),
            size_bytes=sum(entry["bytes"] for entry in sheet["files"].values()),
            parameters=sheet["parameters"],
            native_size=sheet["native_size"],
            latent_shape=(sheet["components"],),
            styles=styles,
            default_styles=tuple(s for s in styles if s != "glyph") or styles,
            num_inference_steps=sheet["num_inference_steps"],
            guidance_scale=sheet["guidance_scale"],
            temperature=sheet.get("temperature", 1.0),
            sampler=sheet["sampler"],
            scheduler=sheet["scheduler"],
            finish="vector",
            capabilities=frozenset(
                {"negative_prompt", "guidance", "transparency", "scene_planner"}
            ),
            style_words={w: s for w, s in _STYLE_WORDS.items() if s in styles},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The model.json of {name!r} is damaged ({error!r} is missing or wrong).",
            hint=how_to_mend(_folder(name)),
        ) from None


def load(name: str) -> OnnxModel:
    """Read, verify and start a built-in model.

    Raises: ModelError: a file is missing, truncated or changed.
    """
    return OnnxModel(_folder(name))


def _folder(name: str) -> Path:
    """A model that ships with sfumato, or one of the person's own."""
    built_in = WEIGHTS / name
    return built_in if built_in.is_dir() else own_models_folder() / name


class OnnxModel:
    """Implements ``DiffusionModel`` for the whole-picture network."""

    def __init__(self, folder: Path) -> None:
        self.spec = spec(folder.name)
        self._sheet = read_sheet(folder)

        def content(file: str) -> bytes:
            return weight_bytes(folder, self._sheet, file)

        def digest(file: str) -> str:
            return weight_digest(folder, self._sheet, file)

        # hashing and graph building release the interpreter lock: the four overlap
        with ThreadPoolExecutor(4) as pool:
            text = pool.submit(lambda: encoder_of(folder, digest("text.onnx"), digest("vocab.txt")))
            flow = pool.submit(lambda: open_session(content("flow.onnx")))
            decoder = pool.submit(lambda: open_session(content("decoder.onnx")))
            concepts = pool.submit(lambda: Concepts(io.BytesIO(content("concepts.npz"))))
            self._flow, self._decoder = flow.result(), decoder.result()
            self.concepts = concepts.result()
            # prompts of a batch repeat; each reading takes a millisecond
            self._sentence = lru_cache(maxsize=256)(text.result().encode)
        self._style_numbers = {style: i for i, style in enumerate(self._sheet["styles"])}

    def encode_prompt(self, plan: GenerationPlan) -> Conditioning:
        """Words to sentence vectors: positive and negative are (B, 385) float32.

        The last column is the style's number. A subject the model was not shown leans towards the
        nearest one it was shown in that style; an empty negative prompt is a row of zeros, the
        network's "no text".
        """
        vector = self._sentence(_meant(plan))
        match = self.concepts.nearest(vector)
        if match.similarity < _SAME_WORDS and len(set(plan.styles)) == 1:
            match = self.concepts.nearest(vector, plan.styles[0])
        vector = lean_towards(vector, self._sentence(match.caption), match.similarity)
        negative = np.zeros(TEXT_WIDTH, np.float32)
        if plan.negative_prompt.strip():
            negative = self._sentence(plan.negative_prompt)
        numbers = np.array([[self._style_numbers[s]] for s in plan.styles], np.float32)
        count = plan.num_images
        return Conditioning(
            positive=np.concatenate([np.tile(vector, (count, 1)), numbers], axis=1),
            negative=np.concatenate([np.tile(negative, (count, 1)), numbers], axis=1),
            known=match.similarity,
            nearest=match.concept,
        )

    def suggest_styles(self, subject: str) -> tuple[str, ...]:
        """Styles the nearest known subject was shown in, in the model's order of preference."""
        shown = self.concepts.nearest(self._sentence(subject)).styles
        suitable = tuple(s for s in self.spec.default_styles if s in shown)
        return suitable or tuple(s for s in self.spec.styles if s in shown)

    def denoise(
        self, latents: NDArray[np.float32], sigma: float, cond: Conditioning, guidance_scale: float
    ) -> NDArray[np.float32]:
        """(B, K) float32 to the estimate of the clean latents, guidance applied."""
        drawn = []
        for row, positive, negative in zip(latents, cond.positive, cond.negative, strict=True):
            words = positive[None] if guidance_scale == 1.0 else np.stack([positive, negative])
            clean = self._predict(row, sigma, words)  # both in one call: the weights are read once
            drawn.append(guided(clean[0], clean[-1], guidance_scale))
        return np.stack(drawn)

    def decode(self, latents: NDArray[np.float32], plan: GenerationPlan) -> NDArray[np.uint8]:
        """(B, K) to (B, 256, 256, 4) uint8 sRGB, straight alpha."""
        drawn = [_straight(run_session(self._decoder, latents=row[None])[0]) for row in latents]
        return np.stack(drawn)

    def fingerprint(self) -> Mapping[str, str]:
        """What decides the pixels besides the weights."""
        from importlib.metadata import version

        import onnxruntime
        import PIL

        return {
            "sfumato": __version__,
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "resvg-py": version("resvg-py"),
            "precision": "int8 and int4 weights, fp32 sums",
        }

    def _predict(
        self, latents: NDArray[np.float32], sigma: float, words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One picture's latents (K,) under each row of conditioning (R, 385): (R, K)."""
        rows = len(words)
        return run_session(
            self._flow,
            latents=np.tile(latents, (rows, 1)),
            sigma=np.full(rows, sigma, np.float32),
            text=np.ascontiguousarray(words[:, :TEXT_WIDTH]),
            style=words[:, TEXT_WIDTH].astype(np.int64),
        )


def _meant(plan: GenerationPlan) -> str:
    """The subject as the model knows it by a name of its own."""
    coloured = _COLOURED_STYLES.issuperset(plan.styles)
    return _NAMESAKES.get(plan.subject, plan.subject) if coloured else plan.subject


def _straight(premultiplied: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(4, H, W) premultiplied 0..1 to (H, W, 4) uint8 with straight alpha."""
    alpha = premultiplied[3:]
    colour = np.where(alpha > 1 / 512, premultiplied[:3] / np.maximum(alpha, 1 / 512), 0.0)
    rgba = np.concatenate([colour.clip(0.0, 1.0), alpha]).transpose(1, 2, 0)
    pixels: NDArray[np.uint8] = (rgba * 255.0 + 0.5).astype(np.uint8)
    return pixels
