"""``sfumato mcp``: drawing, checking and searching as tools for language models."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from sfumato.cli import params
from sfumato.errors import MissingExtraError

EXAMPLES = """\b
A program that speaks MCP starts it itself; in its list of servers:
  {"mcpServers": {"sfumato": {"command": "sfumato", "args": ["mcp"]}}}
"""


@click.command(epilog=EXAMPLES, short_help="Let language models draw (MCP over stdio).")
@click.option(
    "--library",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SFUMATO_LIBRARY",
    help="The library's folder instead of your own one.",
)
@click.option(
    "--database",
    metavar="URL",
    envvar="SFUMATO_DATABASE",
    help="A PostgreSQL database instead of the file in the folder.",
)
@click.option("--model", type=params.MODEL, help="Draw with this model where none is asked for.")
def mcp(folder: Path | None, database: str | None, model: str | None) -> None:
    """Speak the Model Context Protocol over stdin and stdout: tools draw, check and search.

    Pictures go into your library, and come back small enough for a model to look at.
    """
    try:
        server = importlib.import_module("sfumato.server.mcp")
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise MissingExtraError("The MCP server", "mcp") from None
    server.run(folder, database, model)
