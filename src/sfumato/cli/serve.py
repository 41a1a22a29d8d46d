"""``sfumato serve`` and ``sfumato studio``: the APIs, and the page in the browser."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sfumato.cli import params
from sfumato.cli.options import joined, library_options

SERVE_EXAMPLES = """\b
Examples:
  sfumato serve
  sfumato serve --port 8080 --log-format json
  sfumato keys add phone && sfumato serve --host 0.0.0.0
  sfumato serve --public-host draw.example.org --key-required
"""
STUDIO_EXAMPLES = """\b
Examples:
  sfumato studio
  sfumato studio --library ~/Pictures/sfumato --port 8080
"""


def _days(name: str, words: str, default: int | None = None) -> Callable[[Any], Any]:
    """An option that takes a number of days, which None leaves open."""
    return click.option(
        name,
        type=click.IntRange(1, 36_500),
        metavar="DAYS",
        default=default,
        show_default=default is not None,
        help=words,
    )


#: The options that both commands have.
listening = joined(
    click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=7860,
        show_default=True,
        help="Where to listen; 0 takes a free one.",
    ),
    library_options,
    click.option("--model", type=params.MODEL, help="Keep this model loaded."),
    click.option(
        "--workers",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Processes that draw; each uses all cores.",
    ),
    _days("--keep-jobs", "Forget jobs so long after their end; their pictures stay.", default=30),
    _days("--keep-trash", "Delete for good what was in the trash for so long; nothing by default."),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="One line, or one JSON object, a request.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Log nothing but trouble."),
)


@click.command(epilog=SERVE_EXAMPLES, short_help="Serve the APIs and the studio page.")
@listening
@click.option(
    "--key-required",
    is_flag=True,
    help="Let nobody in without a key, not even on this machine.",
)
@click.option(
    "--public-host",
    "public_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="A name that a proxy passes on; may be repeated.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="URL",
    help="A page elsewhere that may call the APIs; may be repeated.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Speak TLS with this certificate (PEM).",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The certificate's private key (PEM).",
)
@click.option("--no-studio", is_flag=True, help="Serve the APIs alone, without the page.")
@click.option(
    "--rate",
    type=click.IntRange(1, 1_000_000),
    default=6000,
    show_default=True,
    help="Changes a minute that one key, or one address, may ask for.",
)
def serve(tls_cert: Path | None, tls_key: Path | None, no_studio: bool, **options: Any) -> None:
    """Serve the APIs that image programs speak, and the studio page, until Ctrl-C.

    On this machine alone it needs no key. Anything else does: sfumato keys add NAME. Running
    drawings are finished before it ends; what waits is drawn next time.
    """
    _run(tls_certificate=tls_cert, tls_key=tls_key, studio=not no_studio, browse=False, **options)


@click.command(epilog=STUDIO_EXAMPLES, short_help="Open the studio in the browser.")
@listening
@click.option("--no-browser", is_flag=True, help="Only say where the page is.")
def studio(no_browser: bool, **options: Any) -> None:
    """Open the page for drawing, comparing and keeping pictures, served from this machine.

    Everything stays here: the page loads nothing from elsewhere.
    """
    _run(browse=not no_browser, **options)


def _run(
    *,
    host: str,
    port: int,
    folder: Path | None,
    model: str | None,
    rate: int = 6000,
    log_format: str,
    quiet: bool,
    browse: bool,
    **options: Any,
) -> None:
    # by name: nothing of the web is imported before it is wanted, nor by any other command
    serving = importlib.import_module("sfumato.server.serving")
    logs = importlib.import_module("sfumato.server.logs")
    from sfumato.models.catalogue import DEFAULT_MODEL

    socket = serving.bind(host, port)
    with socket:
        settings = serving.make_settings(
            host=host,
            port=socket.getsockname()[1],
            library=folder,
            warm=model or DEFAULT_MODEL,
            requests_per_minute=rate,
            **options,
        )
        logs.set_up_logs(log_format, quiet=quiet)

        def ready() -> None:
            click.echo(f"sfumato listens on {settings.address} (Ctrl-C ends it)", err=True)
            if browse:
                import webbrowser

                webbrowser.open(settings.address)

        serving.serve(settings, socket, on_ready=ready)
