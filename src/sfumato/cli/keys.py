"""``sfumato keys``: who may use this machine's server over the network."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.info import printable
from sfumato.cli.options import library_folder
from sfumato.cli.report import print_json

if TYPE_CHECKING:
    from sfumato.server.keys import KeyStore

SCOPES = ("draw", "read", "manage")


@click.group(
    short_help="Make and revoke the server's API keys.",
    epilog="""\b
Examples:
  sfumato keys add phone                   prints the key, once
  sfumato keys add wall --scope read       a key that may only look
  sfumato keys revoke phone                it stops working at once
""",
)
@library_folder
@click.pass_context
def keys(context: click.Context, folder: Path | None) -> None:
    """Make, list and revoke the keys that let programs and people use sfumato serve.

    Keys belong to a library. Only a hash of each is stored; as long as there is one, the server
    asks for a key.
    """
    from sfumato.gallery.folder import default_folder

    store = importlib.import_module("sfumato.server.keys").KeyStore
    context.obj = store(default_folder() if folder is None else folder.expanduser().absolute())


@keys.command(
    short_help="Make a key and print it, once.",
    epilog="""\b
Examples:
  sfumato keys add phone
  sfumato keys add wall --scope read
  sfumato keys add editor --scope draw --scope read --json
""",
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What it may do; may be repeated. Everything, if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def add(store: KeyStore, /, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a key called NAME. It is shown now and never again."""
    key, secret = store.add(name, scopes or SCOPES)
    if as_json:
        print_json({"id": key.id, "name": key.name, "scopes": list(key.scopes), "key": secret})
        return
    click.echo(secret)
    click.echo("Keep it safe: it is not shown again.", err=True)


@keys.command(
    "list",
    short_help="List the keys.",
    epilog="""\b
Examples:
  sfumato keys list
""",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_(store: KeyStore, /, as_json: bool) -> None:
    """List the keys: their names, what they may do, and since when."""
    rows: list[dict[str, Any]] = [
        {"id": key.id, "name": key.name, "scopes": list(key.scopes), "created": key.created}
        for key in store.known()
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("There are no keys: only this machine may use the server.", err=True)
    for row in rows:
        made = row["created"][:10]
        click.echo(f"{row['id']}  {made}  {','.join(row['scopes']):18}  {printable(row['name'])}")


@keys.command(
    short_help="Revoke a key.",
    epilog="""\b
Examples:
  sfumato keys revoke phone
""",
)
@click.argument("name", metavar="NAME|ID")
@click.pass_obj
def revoke(store: KeyStore, /, name: str) -> None:
    """Forget a key; whoever uses it is turned away from now on."""
    click.echo(f"Revoked: {printable(store.revoke(name).name)}", err=True)
