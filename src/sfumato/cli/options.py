"""Options that several commands share, so that each is worded in one place.

A decorator here is used like ``@click.option``; the options stand in the help where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["joined", "library_folder", "library_options", "looking_model"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def joined(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """One decorator for several options, which the help lists in this order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


#: ``folder: Path | None``, for what lives in a library's folder and not in its database.
library_folder = click.option(
    "--library",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SFUMATO_LIBRARY",
    help="The library's folder instead of your own one.",
)

#: ``folder: Path | None`` and ``database: str | None``.
library_options = joined(
    library_folder,
    click.option(
        "--database",
        metavar="URL",
        envvar="SFUMATO_DATABASE",
        help="A PostgreSQL database instead of the file in the folder.",
    ),
)

#: ``model: str | None``: a picture-text model by name, or a checkpoint by its path.
looking_model = click.option(
    "--model", metavar="NAME|PATH", help="The model that compares pictures with words."
)
