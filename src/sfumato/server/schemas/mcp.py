"""What the MCP tools answer, beside the pictures: JSON for programs, and lines for models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from sfumato.clip.describe import Description
from sfumato.gallery import Picture
from sfumato.models import ModelSpec
from sfumato.request import Finding
from sfumato.server.atelier import Checked, Hit

_WORTH_SAYING = 0.01  # of a subject's probability


class FindingOut(BaseModel):
    """One thing that a check says."""

    check: str
    severity: Literal["note", "warning", "error"]
    message: str
    box: tuple[int, int, int, int] | None = Field(description="left, top, right, bottom in pixels")

    @classmethod
    def of(cls, finding: Finding) -> FindingOut:
        """The finding without its mask, which is long; the painted picture shows it."""
        return cls(
            check=finding.check,
            severity=finding.severity,
            message=finding.message,
            box=finding.box,
        )

    def line(self) -> str:
        """As text."""
        return f"  {self.severity}: {self.message} [{self.check}]"


class PictureOut(BaseModel):
    """A picture of the library."""

    id: str = Field(description="give it to vary, check and describe")
    path: str
    svg_path: str | None = Field(description="the same drawing as paths")
    prompt: str
    model: str | None
    seed: int | None
    variation_seed: int | None = Field(description="of a variation: what it was pulled towards")
    style: str | None
    width: int
    height: int
    findings: list[FindingOut]

    @classmethod
    def of(cls, picture: Picture, **more: Any) -> PictureOut:
        """What the library says about it; ``more`` are the fields of a subclass."""
        plan = picture.plan
        return cls(
            id=picture.id,
            path=str(picture.path),
            svg_path=None if picture.svg_path is None else str(picture.svg_path),
            prompt=picture.prompt,
            model=picture.model,
            seed=picture.seed,
            variation_seed=next(iter(plan.variation_seeds), None) if plan else None,
            style=plan.styles[0] if plan else None,
            width=picture.width,
            height=picture.height,
            findings=[FindingOut.of(finding) for finding in picture.findings],
            **more,
        )

    def lines(self) -> str:
        """As text: what one needs to speak of the picture, and what is wrong with it."""
        facts = [f"id {self.id}", f"{self.width}×{self.height}"]
        facts += [] if self.seed is None else [f"seed {self.seed}"]
        facts += [] if self.variation_seed is None else [f"varied by {self.variation_seed}"]
        facts += [] if self.style is None else [f"style {self.style}"]
        return "\n".join(
            [" · ".join(facts), f"  {self.path}", *(finding.line() for finding in self.findings)]
        )


class DrawnOut(PictureOut):
    """A picture that was just drawn."""

    recipe: dict[str, Any] = Field(description="draws exactly this picture again")


class DrawOut(BaseModel):
    """The answer of draw and vary."""

    pictures: list[DrawnOut]
    notes: list[str] = Field(description="what was decided, and what was left out")

    @classmethod
    def of(cls, pictures: list[Picture]) -> DrawOut:
        """Of pictures that carry a recipe, as drawn ones do."""
        plans = [picture.plan for picture in pictures if picture.plan is not None]
        return cls(
            pictures=[
                DrawnOut.model_validate(
                    DrawnOut.of(picture, recipe=plan.to_dict()), from_attributes=True
                )
                for picture, plan in zip(pictures, plans, strict=True)
            ],
            notes=list(dict.fromkeys(note for plan in plans for note in plan.notes)),
        )


class HitOut(PictureOut):
    """A picture that was found."""

    found_by: Literal["words", "looks"]
    score: float | None = Field(description="how near it looks to the words, 1 at most")


class SearchOut(BaseModel):
    """The answer of search."""

    pictures: list[HitOut]

    @classmethod
    def of(cls, hits: list[Hit]) -> SearchOut:
        """In the order they were found."""
        return cls(
            pictures=[
                HitOut.model_validate(
                    HitOut.of(hit.picture, found_by=hit.found_by, score=hit.score),
                    from_attributes=True,
                )
                for hit in hits
            ]
        )


class CheckOut(BaseModel):
    """The answer of check."""

    path: str
    prompt: str | None = Field(description="what the picture was held against")
    findings: list[FindingOut] = Field(description="worst first")

    @classmethod
    def of(cls, checked: Checked) -> CheckOut:
        """Everything but the painted picture."""
        return cls(
            path=str(checked.path),
            prompt=checked.prompt,
            findings=[FindingOut.of(finding) for finding in checked.findings],
        )

    def lines(self) -> str:
        """As text."""
        words = "no words" if self.prompt is None else f'"{self.prompt}"'
        found = [finding.line() for finding in self.findings] or ["  nothing was found"]
        return "\n".join([f"{self.path}, held against {words}", *found])


class SubjectOut(BaseModel):
    """A name that a picture may deserve."""

    name: str
    probability: float


class DescribeOut(BaseModel):
    """The answer of describe."""

    path: str
    prompts: list[str] = Field(description="for something like it, from full to terse")
    subjects: list[SubjectOut] = Field(description="most probable first")
    colours: list[str] = Field(description="largest share first")
    ground: str
    count: int = Field(description="of separate drawings in it")
    recipe: dict[str, Any] = Field(description="how it was made, as far as the file says")

    @classmethod
    def of(cls, path: str, found: Description, recipe: dict[str, Any]) -> DescribeOut:
        """What was seen and what the file says."""
        return cls(
            path=path,
            prompts=list(found.prompts),
            subjects=[
                SubjectOut(name=subject.name, probability=round(subject.probability, 4))
                for subject in found.subjects
            ],
            colours=list(found.colours),
            ground=found.ground,
            count=found.count,
            recipe=recipe,
        )

    def lines(self) -> str:
        """As text."""
        likely = [s for s in self.subjects if s.probability >= _WORTH_SAYING]
        names = ", ".join(f"{s.name} {s.probability:.0%}" for s in likely)
        facts = [f"Looks like: {names}"] if names else []
        facts += [f"Colours: {', '.join(self.colours)}"] if self.colours else []
        facts += [f"Ground: {self.ground}"]
        if self.recipe.get("prompt"):
            facts += [f"Made from: {self.recipe['prompt']}"]
        return "\n".join([*facts, "Prompts for something like it:", *self.prompts])


class ModelOut(BaseModel):
    """A model, or why it cannot be used."""

    name: str
    summary: str = ""
    licence: str = ""
    styles: list[str] = []
    capabilities: list[str] = []
    default: bool = False
    problem: str | None = None

    @classmethod
    def of(cls, sheet: ModelSpec | tuple[str, str], default: str) -> ModelOut:
        """Of one of ``Atelier.models``."""
        if isinstance(sheet, tuple):
            return cls(name=sheet[0], problem=sheet[1], default=sheet[0] == default)
        return cls(
            name=sheet.name,
            summary=sheet.summary,
            licence=sheet.licence,
            styles=list(sheet.styles),
            capabilities=sorted(sheet.capabilities),
            default=sheet.name == default,
        )

    def line(self) -> str:
        """As text."""
        name = f"{self.name} (the default)" if self.default else self.name
        if self.problem is not None:
            return f"{name}: cannot be used: {self.problem}"
        return f"{name}: {self.summary}; styles: {', '.join(self.styles)}"


class ModelsOut(BaseModel):
    """The answer of models."""

    models: list[ModelOut]
