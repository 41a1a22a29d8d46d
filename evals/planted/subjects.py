"""Planted: subjects that the built-in model never saw, and words that it cannot read.

And what is not planted: pictures that nobody should have to collect.
"""

from __future__ import annotations

import numpy as np

from planted.registry import Broken, Sample, exempt, plant, unplanted
from sfumato import models
from sfumato.checks import Look
from sfumato.clip.vocabulary import subject_names
from sfumato.plan import make_plan
from sfumato.request import GenerationRequest

# in no caption of the training pictures, neither whole nor as one of its words
UNSEEN = (
    *("aardvark", "andiron", "balalaika", "barometer", "barnacle", "bassoon", "beetroot"),
    *("bobsled", "catamaran", "cello", "chinchilla", "cockatoo", "colander", "didgeridoo"),
    *("dragonfruit", "echidna", "edelweiss", "guacamole", "hammock", "harpsichord"),
    *("hovercraft", "iguana", "jackfruit", "kookaburra", "lasagna", "lawnmower", "lemur"),
    *("macaron", "mandolin", "manatee", "marionette", "narwhal", "oboe", "ocelot", "okapi"),
    *("ottoman", "papaya", "parsnip", "pelican", "platypus", "plesiosaur", "pomegranate"),
    *("puffin", "quokka", "rhubarb", "scaffolding", "sitar", "sousaphone", "spatula"),
    *("stapler", "theremin", "ukulele", "viola", "wombat", "yak", "zither", "quinoa"),
    *("gazebo", "thimble", "tricycle", "sieve", "samovar"),
)
OTHER_LANGUAGES = (
    *("Schmetterling", "Feuerwehrauto", "Leuchtturm", "Eichhörnchen", "Regenschirm"),
    *("mariposa", "cangrejo", "girasol", "bombero", "tortuga", "zanahoria", "paraguas"),
    *("papillon", "escargot", "écureuil", "parapluie", "coquelicot", "chouette"),
    *("farfalla", "coccinella", "ombrello", "lumaca", "pipistrello", "fragola"),
    *("perhonen", "sateenvarjo", "majakka", "hämähäkki", "kirahvi", "mansikka"),
    *("motyl", "wiewiórka", "żaba", "parasolka", "truskawka", "kelebek", "kaplumbağa"),
    *("vlinder", "eekhoorn", "paddenstoel", "sommerfugl", "jordgubbe", "бабочка", "蝶"),
)

exempt(
    "unknown_subject",
    "its clean cases are names from the model's own list, asked for one by one",
    lambda sample: True,
)
unplanted(
    "unsafe_content",
    "it would take a collection of such pictures, and none is kept here; how well it finds them "
    "is its makers' word",
)
unplanted(
    "malformed_face",
    "it looks at photographs of people, and is measured on [a page of its own](checks-faces.md)",
)


@plant("unknown_subject", "never shown", unit="", strengths=(0, 1), visible=1)
def unseen(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    return _asked(sample, str(rng.choice(UNSEEN if strength else subject_names())))


@plant("unknown_subject", "another language", unit="", strengths=(1,), visible=1)
def foreign(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    return _asked(sample, str(rng.choice(OTHER_LANGUAGES)))


def _asked(sample: Sample, words: str) -> Look:
    """What the check sees when the built-in model is asked for ``words``; the pixels are any."""
    model = models.load()
    plan = make_plan(GenerationRequest(prompt=words), model.spec)
    return Look(sample.pixels, plan, [model.encode_prompt(drawing) for drawing in plan.drawings])
