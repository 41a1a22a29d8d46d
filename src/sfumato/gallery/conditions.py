"""A ``Query`` as conditions on the table of pictures."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from sqlalchemy import ColumnElement, exists, select

from sfumato.colours import basic_name, parse_colour, rgb_of
from sfumato.gallery.identity import first_id_of
from sfumato.gallery.picture import Query
from sfumato.gallery.tables import LABELS, PICTURES
from sfumato.gallery.text import TextIndex, parse_search


def conditions_of(query: Query, text: TextIndex) -> list[ColumnElement[bool]]:
    """Everything that must hold of a picture.

    Raises: RequestError: a colour that has no name.
    """
    in_trash = PICTURES.c.trashed_at.is_not(None)
    wanted: list[ColumnElement[bool]] = [in_trash if query.trashed else ~in_trash]
    terms = parse_search(query.text)
    if terms:
        wanted.append(text.matches(terms))
    if query.model is not None:
        wanted.append(PICTURES.c.model == query.model)
    if query.style is not None:
        named = f'"style": {json.dumps(query.style, ensure_ascii=False)}'
        wanted.append(PICTURES.c.parameters.contains(named, autoescape=True))
    if query.source is not None:
        wanted.append(PICTURES.c.source == query.source)
    if query.job_id is not None:
        wanted.append(PICTURES.c.job_id == query.job_id)
    if query.favourite is not None:
        wanted.append(PICTURES.c.favourite.is_(query.favourite))
    if query.min_rating:
        wanted.append(PICTURES.c.rating >= query.min_rating)
    # ids begin with their time, so a date needs no index of its own
    if query.since is not None:
        wanted.append(PICTURES.c.id >= first_id_of(_seconds(query.since)))
    if query.until is not None:
        wanted.append(PICTURES.c.id < first_id_of(_seconds(query.until)))
    if query.colour is not None:
        wanted.append(_widely_labelled("colour", _basic_colour(query.colour)))
    if query.tag is not None:
        wanted.append(_labelled("tag", query.tag.strip()))
    if query.collection is not None:
        wanted.append(_labelled("collection", query.collection.strip()))
    if query.defect is not None:
        wanted.append(_defective(query.defect))
    return wanted


def _widely_labelled(kind: str, value: str | None = None) -> ColumnElement[bool]:
    """For labels that many pictures have: looked up while the page is read, newest first."""
    here = (LABELS.c.picture == PICTURES.c.number) & (LABELS.c.kind == kind)
    if value is not None:
        here &= LABELS.c.value == value
    return exists().where(here)


def _labelled(kind: str, value: str) -> ColumnElement[bool]:
    """For labels that few pictures have: they are found first, then put in order."""
    having = select(LABELS.c.picture).where(LABELS.c.kind == kind, LABELS.c.value == value)
    return PICTURES.c.number.in_(having)


def _defective(name: str) -> ColumnElement[bool]:
    if name == "none":
        return ~_widely_labelled("defect")
    return _widely_labelled("defect", None if name == "any" else name)


def _basic_colour(name: str) -> str:
    """The basic term that pictures are labelled with: crimson is red, gray is grey."""
    return basic_name(rgb_of(parse_colour(name)))


def _seconds(moment: datetime) -> float:
    """A moment without a time zone is meant in the person's own."""
    return moment.astimezone(timezone.utc).timestamp()
