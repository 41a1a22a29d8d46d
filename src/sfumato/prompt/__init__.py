"""Reading a prompt: which words are the subject and which say style, colour, ground, emblem."""

from sfumato.prompt.planner import ParsedPrompt, parse_prompt

__all__ = ["ParsedPrompt", "parse_prompt"]
