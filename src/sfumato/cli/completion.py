"""``sfumato completion``: print the script that lets a shell complete commands and names."""

from __future__ import annotations

import click

_HOW = {
    "bash": 'eval "$(sfumato completion bash)"        in ~/.bashrc',
    "zsh": 'eval "$(sfumato completion zsh)"         in ~/.zshrc',
    "fish": "sfumato completion fish | source        in ~/.config/fish/config.fish",
}


@click.command(
    epilog="\b\nPut this line into your shell's start-up file:\n"
    + "\n".join(f"  {line}" for line in _HOW.values())
)
@click.argument("shell", type=click.Choice(list(_HOW)))
def completion(shell: str) -> None:
    """Print the completion script for bash, zsh or fish.

    Models, styles, samplers and formats are completed from what is installed, plug-ins included.
    """
    from click.shell_completion import BashComplete, get_completion_class

    from sfumato.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None  # click ships all three
    script = found(cli, {}, "sfumato", "_SFUMATO_COMPLETE")
    if isinstance(script, BashComplete):
        # click's own source() first runs bash to see its version; printing needs no bash here
        click.echo(script.source_template % script.source_vars())
    else:
        click.echo(script.source())
