"""``sfumato mcp``: a server for programs that talk to language models."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from sfumato.cli import params
from sfumato.cli.options import library_options
from sfumato.errors import MissingExtraError

EXAMPLES = """\b
Examples:
  claude mcp add sfumato -- sfumato mcp
  sfumato mcp --library ~/Pictures/by-models
\b
Clients that read a file of settings take this:
  {"mcpServers": {"sfumato": {"command": "sfumato", "args": ["mcp"]}}}
"""


@click.command(epilog=EXAMPLES, short_help="Let language models draw, over MCP.")
@library_options
@click.option("--model", type=params.MODEL, help="What draws where a call names no model.")
def mcp(folder: Path | None, database: str | None, model: str | None) -> None:
    """Serve the Model Context Protocol on stdin and stdout, for the program that starts this.

    Its tools draw, vary, check, search and describe; pictures come back in the answers and are
    kept in your library. Files can be read where they are pictures, and nothing can be written
    but new pictures of the library. Needs the mcp extra.
    """
    try:
        server = importlib.import_module("sfumato.server.mcp")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise MissingExtraError("The MCP server", "mcp") from None
    if sys.stdin.isatty():
        click.echo("sfumato mcp waits for an MCP client on stdin; Ctrl-D ends it.", err=True)
    server.serve(folder, database, model)
