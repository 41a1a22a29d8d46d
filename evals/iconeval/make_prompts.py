"""Write ``prompts.jsonl`` from ``concepts.json``: the same file every time.

python evals/iconeval/make_prompts.py
"""

from __future__ import annotations

from choose_concepts import CONCEPTS

from sfumato.evals.iconeval.prompts import load_concepts, make_prompts, to_jsonl

if __name__ == "__main__":
    CONCEPTS.with_name("prompts.jsonl").write_text(to_jsonl(make_prompts(load_concepts())), "utf-8")
