"""Reading a prompt: which words are the subject and which say style, colour, ground, emblem."""

from sfumato.prompt.layout import Room, lay_out, say_layout
from sfumato.prompt.planner import ParsedPrompt, parse_prompt
from sfumato.prompt.scene import Scene, Thing

__all__ = ["ParsedPrompt", "Room", "Scene", "Thing", "lay_out", "parse_prompt", "say_layout"]
