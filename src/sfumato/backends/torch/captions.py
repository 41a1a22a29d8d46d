"""Public models that write about pictures: captions and free questions, from a folder on disk.

BLIP-class checkpoints (Li et al. 2022, arXiv:2201.12086) and whatever else transformers opens as
image-to-text or as visual question answering. A folder of another kind gives None, so that the
caller goes on to picture-text models.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.backends.torch.checkpoints import (
    check_folder,
    opened_by_transformers,
    read_config,
    require_torch,
)
from sfumato.backends.torch.clip import on_white, quiet
from sfumato.clip.appearance import measure
from sfumato.clip.describe import Description, describe_words
from sfumato.clip.questions import Answer
from sfumato.errors import ModelError

__all__ = ["load_answerer", "load_describer"]

Pixels = NDArray[np.uint8]  # (H, W, 4), straight alpha

_WORDS = 40  # of a caption at most
_BEAMS = 4


def load_describer(folder: str) -> Callable[[Pixels], Description] | None:
    """What captions pictures with the model in ``folder``; None where it holds another kind.

    Raises: MissingExtraError: no torch; ModelError: pickled or damaged weights.
    """
    opened = _open(folder, "ForConditionalGeneration", "describe")
    if opened is None:
        return None
    network, processor = opened

    def caption(pixels: Pixels) -> Description:
        import torch

        with torch.inference_mode():
            inputs = processor(images=on_white(pixels), return_tensors="pt")
            written = network.generate(
                **inputs, max_new_tokens=_WORDS, num_beams=_BEAMS, num_return_sequences=_BEAMS
            )
        captions = [text.strip() for text in processor.batch_decode(written, True)]
        return describe_words(captions, measure(pixels))

    return caption


def load_answerer(folder: str) -> Callable[[Pixels, str], Answer] | None:
    """What answers questions with the model in ``folder``; None where it holds another kind.

    Raises: as ``load_describer``.
    """
    opened = _open(folder, "ForQuestionAnswering", "ask")
    if opened is None:
        return None
    network, processor = opened
    name = Path(folder).name

    def answer(pixels: Pixels, question: str) -> Answer:
        import torch

        inputs = processor(images=on_white(pixels), text=question, return_tensors="pt")
        with torch.inference_mode():
            if hasattr(network, "generate"):
                written = network.generate(
                    **inputs,
                    max_new_tokens=_WORDS,
                    return_dict_in_generate=True,
                    output_scores=True,
                )
                text = processor.batch_decode(written.sequences, True)[0].strip()
                # the model's own certainty: the product of its tokens' probabilities
                sure = 1.0
                for step, token in zip(
                    written.scores, written.sequences[0][-len(written.scores) :], strict=True
                ):
                    sure *= float(step[0].softmax(-1)[token])
            else:  # a classifier over answers, as ViLT is (Kim et al. 2021)
                shares = network(**inputs).logits[0].softmax(-1)
                best = int(shares.argmax())
                text, sure = network.config.id2label[best], float(shares[best])
        if not text:
            return Answer(question=question, text=None, confidence=0.0, reason=f"{name} is silent")
        return Answer(question=question, text=text, confidence=sure, reason=f"as {name} sees it")

    return answer


def _open(folder: str, kind: str, feature: str) -> tuple[Any, Any] | None:
    """Network and processor of a checkpoint whose architecture's name ends with ``kind``."""
    place = Path(folder)
    if not (place / "config.json").exists():
        return None
    architectures = read_config(place / "config.json").get("architectures") or []
    name = next((str(a) for a in architectures if str(a).endswith(kind)), None)
    if name is None:
        return None
    require_torch(f"A model of your own for '{feature}'")
    import transformers

    check_folder(place)
    network_class = getattr(transformers, name, None)
    if network_class is None:
        raise ModelError(f"{folder} holds a {name}, which this transformers does not know.")
    with quiet(), opened_by_transformers(folder):
        network = network_class.from_pretrained(place, local_files_only=True, use_safetensors=True)
        processor = transformers.AutoProcessor.from_pretrained(
            place, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    return network.eval(), processor
