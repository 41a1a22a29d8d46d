"""Turn a request into a plan: every default resolved, every seed fixed, nothing left to chance."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sfumato.colours import parse_background
from sfumato.errors import RequestError
from sfumato.models import ModelSpec
from sfumato.prompt import ParsedPrompt, Room, lay_out, parse_prompt, say_layout
from sfumato.registry import SAMPLERS, SCHEDULERS, Registry
from sfumato.request import MAX_SEED, Emblem, GenerationPlan, GenerationRequest, Part
from sfumato.wording import listed

DEFAULT_SIDE = 1024
# how ``selection`` says that a picture was chosen; nobody chose its variations
_ON_CHOOSING = re.compile(r"(Stopped early\. ?)?((Best|None) of \d+ |Drawn \d+ times |$)")
VARIATION_STRENGTHS = {"subtle": 0.25, "strong": 0.6}  # shares of the way to another start


def make_plan(
    request: GenerationRequest,
    spec: ModelSpec,
    fingerprint: Mapping[str, str] | None = None,
    suggest_styles: Callable[[str], tuple[str, ...]] | None = None,
) -> GenerationPlan:
    """The plan that draws ``request`` with the model that ``spec`` describes.

    Words of the prompt that name a style, a colour, a ground or an emblem become fields of the
    plan; an option given beside the prompt wins over a word inside it. Several things become
    parts, laid out on the canvas. ``notes`` says in sentences what was decided.

    ``suggest_styles`` is the model's own: the styles that suit a subject, best first. Where no
    style is asked for, they are dealt out by seed, so that four candidates differ.

    Raises: RequestError: an option this model cannot honour, or an unknown name.
    """
    parsed = parse_prompt(request.prompt, spec)
    notes = list(parsed.notes)
    seeds = _resolve_seeds(request)
    varied = _resolve_variations(request)
    if varied:
        seeds = seeds[:1] * request.num_images  # one picture's variations share its seed
    _refuse_what_the_model_lacks(request, spec)
    width = request.width or DEFAULT_SIDE
    height = request.height or DEFAULT_SIDE
    if width != height and parsed.scene is None:
        side = min(width, height)
        notes.append(
            f"The model draws squares: a {side}×{side} drawing is centred on the {width}×{height} "
            "canvas."
        )
    asked_style = parsed.style if request.style is None else _known_style(request.style, spec)
    if asked_style is not None:
        styles = (asked_style,) * len(seeds)
    else:
        suitable = _suitable_styles(parsed, spec, suggest_styles)
        styles = tuple(suitable[seed % len(suitable)] for seed in seeds)
        if not set(suitable) & set(spec.default_styles):
            notes.extend(_say_only_styles(parsed, suitable, spec, suggest_styles))
    emblem, background = _emblem_and_ground(parsed, request.background)
    parts: tuple[Part, ...] = ()
    if parsed.scene is not None:
        parts = lay_out(parsed.scene, Room.of(width, height, emblem))
        notes.append(say_layout(parsed.scene, parts))
        notes.extend(_say_mixed_styles(parts, styles, spec, suggest_styles))
    return GenerationPlan(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        subject=parsed.subject,
        model=spec.name,
        model_sha256=spec.sha256,
        seeds=seeds,
        styles=styles,
        width=width,
        height=height,
        num_inference_steps=request.num_inference_steps or spec.num_inference_steps,
        guidance_scale=(
            spec.guidance_scale if request.guidance_scale is None else float(request.guidance_scale)
        ),
        temperature=(
            spec.temperature if request.temperature is None else float(request.temperature)
        ),
        sampler=_known(SAMPLERS, request.sampler, spec.sampler),
        scheduler=_known(SCHEDULERS, request.scheduler, spec.scheduler),
        background=background,
        tint=parsed.tint,
        tint_name=parsed.tint_name,
        emblem=emblem,
        parts=parts,
        variation_seeds=varied,
        variation_strength=float(request.variation_strength),
        finish=spec.finish,
        device=_resolve_device(request.device),
        notes=tuple(notes),
        fingerprint=dict(fingerprint or {}),
    )


def vary_plan(
    plan: GenerationPlan, *, strength: float, num_images: int, seed: int | None = None
) -> GenerationPlan:
    """The plan of ``num_images`` pictures near the first one of ``plan``.

    Each has other proportions and starts between that picture's noise and another's, ``strength``
    of the way; everything else stays. A variation of a variation leaves from the same seed, not
    from the variation.

    Raises: RequestError: the strength is not above 0 and up to 1, too many pictures.
    """
    if strength == 0:
        raise RequestError(
            "A variation of strength 0 is the picture itself.",
            hint="Give a strength above 0 and up to 1.",
        )
    request = GenerationRequest(
        prompt=plan.prompt,
        num_images=num_images,
        variation_seed=random_seed() if seed is None else seed,
        variation_strength=strength,
    )
    towards = _resolve_variations(request)
    return replace(
        plan,
        notes=tuple(note for note in plan.notes if not _ON_CHOOSING.match(note)),
        seeds=plan.seeds[:1] * num_images,
        styles=plan.styles[:1] * num_images,
        variation_seeds=towards,
        variation_strength=float(strength),
    )


def request_of(plan: GenerationPlan, spec: ModelSpec) -> GenerationRequest:
    """A request with nothing left open, whose plan is ``plan`` again: what a queue can keep.

    Notes, engine versions and the weights' digest aside, ``make_plan`` gives the same plan.

    Raises: RequestError: no request does, as the plan was edited by hand, mixes styles, or comes
        from a sfumato that read its words in another way.
    """
    values: dict[str, Any] = {
        "prompt": plan.prompt,
        "negative_prompt": plan.negative_prompt,
        "model": plan.model,
        "num_images": plan.num_images,
        "seed": plan.seeds[0],
        "width": plan.width,
        "height": plan.height,
        "num_inference_steps": plan.num_inference_steps,
        "guidance_scale": plan.guidance_scale if "guidance" in spec.capabilities else None,
        "temperature": plan.temperature if spec.family == "diffusion" else None,
        "style": plan.styles[0],
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "variation_seed": plan.variation_seeds[0] if plan.variation_seeds else None,
        "variation_strength": plan.variation_strength,
    }
    # the words may say the ground; a colour beside an emblem's words colours the emblem
    emblems = () if plan.emblem is None else (plan.emblem.colour,)
    for background in (None, plan.background, "opaque", *emblems):
        try:
            request = GenerationRequest(**values, background=background)
            made = make_plan(request, spec)
        except RequestError:
            continue
        told: dict[str, Any] = {"notes": (), "fingerprint": {}, "model_sha256": ""}
        if replace(made, **told) == replace(plan, **told):
            return request
    raise RequestError(
        "No request gives this recipe.",
        hint="It was edited, or another version drew it. Draw from its prompt instead.",
        code="recipe_unreachable",
    )


def refuse_unknown_styles(plan: GenerationPlan, spec: ModelSpec) -> None:
    """A recipe may come from another version of the model, or have been edited.

    Raises: RequestError: the model has not all of the plan's styles.
    """
    unknown = sorted(set(plan.styles) - set(spec.styles))
    if unknown:
        raise RequestError(
            f"The model {spec.name!r} has no style {listed(unknown)}, which the recipe asks for.",
            hint=f"Draw from its prompt instead, with one of: {', '.join(spec.styles)}.",
        )


def random_seed() -> int:
    """The seed of somebody who gave none: small enough to type, large enough not to repeat."""
    return secrets.randbelow(10**6)


def _resolve_seeds(request: GenerationRequest) -> tuple[int, ...]:
    """Seed, seed + 1, ... ; a random first seed where none was given."""
    first = random_seed() if request.seed is None else request.seed
    if first + request.num_images - 1 > MAX_SEED:
        raise RequestError(
            f"Seed {first} leaves no room for {request.num_images} pictures.",
            hint=f"Pictures use seed, seed + 1, ... up to {MAX_SEED}: give a smaller seed.",
        )
    return tuple(range(first, first + request.num_images))


def _resolve_variations(request: GenerationRequest) -> tuple[int, ...]:
    """Variation seed, variation seed + 1, ...; none where the strength is 0."""
    if request.variation_strength == 0.0:
        if request.variation_seed is not None:
            raise RequestError(
                "A variation seed without a strength changes nothing.",
                hint="Give a variation strength above 0 and up to 1 too.",
            )
        return ()
    seed = random_seed() if request.variation_seed is None else request.variation_seed
    return _resolve_seeds(replace(request, seed=seed))


def _refuse_what_the_model_lacks(request: GenerationRequest, spec: ModelSpec) -> None:
    if request.negative_prompt and "negative_prompt" not in spec.capabilities:
        raise RequestError(
            f"The model {spec.name!r} takes no negative prompt.",
            hint="Leave --negative out or choose another model.",
        )
    if request.background is not None and "transparency" not in spec.capabilities:
        raise RequestError(
            f"The model {spec.name!r} draws its own background.", hint="Leave --background out."
        )
    if request.variation_strength > 0 and spec.family != "diffusion":
        raise RequestError(
            f"The model {spec.name!r} cannot vary a picture: it starts from no noise.",
            hint="Leave the variation out or choose another model.",
        )
    if request.temperature is not None and spec.family != "diffusion":
        raise RequestError(
            f"The model {spec.name!r} has no temperature: it starts from no noise.",
            hint="Leave --temperature out.",
        )
    if (
        request.guidance_scale is not None
        and request.guidance_scale != 1.0
        and "guidance" not in spec.capabilities
    ):
        raise RequestError(
            f"The model {spec.name!r} has no guidance scale.", hint="Leave --guidance out."
        )


def _emblem_and_ground(parsed: ParsedPrompt, asked: str | None) -> tuple[Emblem | None, str]:
    """The emblem, and what lies behind it; ``asked`` is the request's background.

    An emblem without a colour of its own takes the ground's: "app icon of a rocket" on blue means
    a blue icon, not a square behind another plate. Where all has to be covered, that is white then.
    """
    ground = parsed.background if asked is None else parse_background(asked)
    covered = ground == "opaque"
    if covered:
        ground = parsed.background
    emblem = parsed.emblem
    if emblem is not None and not parsed.emblem_coloured and ground != "transparent":
        emblem, ground = replace(emblem, colour=ground), "transparent"
    return emblem, "#ffffff" if covered and ground == "transparent" else ground


def _suitable_styles(
    parsed: ParsedPrompt, spec: ModelSpec, suggest: Callable[[str], tuple[str, ...]] | None
) -> tuple[str, ...]:
    """Styles that suit what is drawn, best first; of several things those that suit most."""
    if suggest is None:
        return spec.default_styles
    if parsed.scene is None:
        return suggest(parsed.subject)
    each = [suggest(thing.subject) for thing in parsed.scene.things]
    votes = Counter(style for styles in each for style in styles)
    return tuple(style for style in votes if votes[style] == max(votes.values()))


def _say_only_styles(
    parsed: ParsedPrompt,
    suitable: tuple[str, ...],
    spec: ModelSpec,
    suggest: Callable[[str], tuple[str, ...]] | None,
) -> list[str]:
    """Why the styles are unusual; where only some of the things have no other, nothing.

    ``_say_mixed_styles`` names those then.
    """
    if parsed.scene is not None and suggest is not None and len(parsed.scene.things) > 1:
        if any(set(suggest(thing.subject)) != set(suitable) for thing in parsed.scene.things):
            return []
        return [f"{spec.name} was shown these subjects only as {listed(suitable)}."]
    return [f"{spec.name} was shown this subject only as {listed(suitable)}."]


def _say_mixed_styles(
    parts: tuple[Part, ...],
    styles: tuple[str, ...],
    spec: ModelSpec,
    suggest: Callable[[str], tuple[str, ...]] | None,
) -> list[str]:
    """What may not look like one hand drew it: things that were never shown in a drawn style."""
    if suggest is None:
        return []
    notes = []
    for part in parts:
        shown = suggest(part.subject)
        missing = [style for style in dict.fromkeys(styles) if style not in shown]
        if missing:
            notes.append(
                f"{spec.name} was shown “{part.subject}” only as {listed(shown)}: it may not match "
                f"the others as {listed(missing)}."
            )
    return notes


def _known_style(style: str, spec: ModelSpec) -> str:
    wanted = style.strip().lower()
    if wanted in spec.styles:
        return wanted
    if wanted in spec.style_words:
        return spec.style_words[wanted]
    raise RequestError(
        f"The model {spec.name!r} has no style {style!r}.",
        hint=f"Choose one of: {', '.join(spec.styles)}.",
    )


def _known(registry: Registry, asked: str | None, default: str) -> str:
    return registry.get(default if asked is None else asked).name


def _resolve_device(device: str) -> str:
    if device not in ("auto", "cpu"):
        raise RequestError(
            f"The device {device!r} is not available to this model.",
            hint="Use --device cpu (or auto).",
        )
    return "cpu"
