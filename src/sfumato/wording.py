"""English in small, for the sentences the program makes: plurals, articles, counts, lists."""

from __future__ import annotations

from collections.abc import Iterable

_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "mouse": "mice", "goose": "geese", "leaf": "leaves", "wolf": "wolves",
    "knife": "knives", "loaf": "loaves", "shelf": "shelves", "scarf": "scarves", "calf": "calves",
    "elf": "elves", "sheep": "sheep", "fish": "fish", "deer": "deer", "bison": "bison",
    "shrimp": "shrimp", "squid": "squid", "corn": "ears of corn", "potato": "potatoes",
    "tomato": "tomatoes", "volcano": "volcanoes", "hero": "heroes", "mango": "mangoes",
    "die": "dice",
}  # fmt: skip
_MEN_IN_MANS = ("human", "german", "roman", "shaman", "talisman", "caiman", "ottoman")
_JOINS = (" of ", " with ", " in ", " on ", " and ", " at ", " for ")


def plural(phrase: str) -> str:
    """``red fox`` to ``red foxes``, ``bowl of ramen`` to ``bowls of ramen``."""
    cut = min((phrase.find(j) for j in _JOINS if j in phrase), default=len(phrase))
    before, _, noun = phrase[:cut].rpartition(" ")
    if noun in _IRREGULAR:
        noun = _IRREGULAR[noun]
    elif noun.endswith("man") and noun not in _MEN_IN_MANS:
        noun = noun[:-3] + "men"  # snowmen
    elif noun.endswith(("ss", "x", "ch", "sh", "us", "z")):
        noun += "es"
    elif noun.endswith("y") and noun[-2:-1] not in "aeiou":
        noun = noun[:-1] + "ies"
    elif not noun.endswith("s"):  # scissors, glasses: plural already
        noun += "s"
    return f"{before} {noun}".strip() + phrase[cut:]


def with_article(phrase: str) -> str:
    """``fox`` to ``a fox``, ``owl`` to ``an owl``; ``scissors`` stays as it is."""
    if phrase.endswith("s") and not phrase.endswith(("ss", "us", "is")):
        return phrase
    silent = phrase.startswith(("hour", "honest", "heir"))
    you = phrase.startswith(("uni", "eu", "ukulele", "use", "one", "us ", "uk "))
    vowel = phrase[:1] in tuple("aeiou")
    return f"{'an' if (vowel and not you) or silent else 'a'} {phrase}"


def counted(number: int, noun: str) -> str:
    """``1 picture``, ``2 pictures``, ``1,200 pictures``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def listed(words: Iterable[str]) -> str:
    """``red``, ``red and blue``, ``red, blue and white``; empty where there are none."""
    *head, last = [*words] or [""]
    return f"{', '.join(head)} and {last}" if head else last
