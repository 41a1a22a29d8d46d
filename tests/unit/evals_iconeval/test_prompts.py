from __future__ import annotations

from collections import Counter
from importlib import resources

from sfumato.colours import BASIC_TERMS
from sfumato.evals.iconeval.prompts import (
    COLOURS,
    SEEDS,
    TASKS,
    load_concepts,
    load_prompts,
    make_prompts,
    to_jsonl,
)

PUBLISHED = resources.files("sfumato.evals.iconeval").joinpath("prompts.jsonl").read_text("utf-8")


def test_the_published_prompts_are_what_the_builder_makes() -> None:
    assert to_jsonl(make_prompts(load_concepts())) == PUBLISHED
    assert to_jsonl(load_prompts()) == PUBLISHED
    assert to_jsonl(make_prompts(load_concepts(), seed=1)) != PUBLISHED


def test_they_have_genevals_proportions() -> None:
    prompts = load_prompts()
    assert Counter(prompt.task for prompt in prompts) == TASKS
    assert len(prompts) == 553
    assert [prompt.id for prompt in prompts] == list(range(553))
    assert len({prompt.text for prompt in prompts}) == 553


def test_no_seed_is_used_twice() -> None:
    seeds = [seed for prompt in load_prompts() for seed in prompt.seeds]
    assert len(seeds) == len(set(seeds)) == 553 * SEEDS


def test_concepts_are_eighty_and_names_are_not_shared() -> None:
    concepts = load_concepts()
    labels = [label for concept in concepts for label in concept.labels]
    assert len(concepts) == 80
    assert len(labels) == len(set(labels))
    assert set(COLOURS) <= set(BASIC_TERMS)
    assert {prompt.wanted[0].concept for prompt in load_prompts() if prompt.task == "single"} == {
        concept.name for concept in concepts
    }


def test_words_say_what_the_clauses_ask() -> None:
    plural = {concept.name: concept.plural for concept in load_concepts()}
    for prompt in load_prompts():
        for wanted in prompt.wanted:
            name = plural[wanted.concept] if wanted.count > 1 else wanted.concept
            assert f"{wanted.colour} {name}".strip() in prompt.text
        counts = [wanted.count for wanted in prompt.wanted]
        assert (max(counts) > 1) == (prompt.task == "counting")
        assert bool(prompt.relation) == (prompt.task == "position")
        assert prompt.relation in prompt.text
        assert len({wanted.concept for wanted in prompt.wanted}) == len(prompt.wanted)
        assert " a a" not in prompt.text
        assert " an b" not in prompt.text


def test_seen_is_said_of_what_training_held() -> None:
    colours = {concept.name: concept.colours for concept in load_concepts()}
    for prompt in load_prompts():
        wanted = prompt.wanted[0]
        if prompt.task == "colours":
            assert prompt.seen == (wanted.colour in colours[wanted.concept])
        else:
            assert prompt.seen == (prompt.task == "single")
