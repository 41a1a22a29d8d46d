"""``sfumato draw``: words in, picture files out."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli import params
from sfumato.cli.preview import Protocol, show_preview, terminal_protocol
from sfumato.cli.report import Reporter, Voice
from sfumato.cli.target import make_folder, missing_folders, remove_empty, resolve_target
from sfumato.errors import RequestError, SfumatoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.cli.session import Session
    from sfumato.files import WriteOptions
    from sfumato.request import GeneratedImage, GenerationRequest
    from sfumato.selection import Choice, Rules

EXAMPLES = """\b
Examples:
  sfumato "a red fox"
  sfumato "a red fox, flat" -n 4 --seed 7
  sfumato "a robot" --best-of 8
  sfumato "a paper lantern" --retry 5 --budget 20
  sfumato "app icon of a rocket" --background "#1d4ed8" -o rocket.png
  sfumato "a paper boat" --format svg
  sfumato "a lighthouse" --ar 16:9 --size 2048
  sfumato "a heart" -o - > heart.png
  sfumato --from prompts.csv -o pictures/
"""


@click.command(epilog=EXAMPLES, short_help="Draw pictures from words: the default command.")
@click.argument("words", nargs=-1, metavar="[PROMPT | -]")
@click.option("-n", "--num-images", type=int, help="How many pictures; each has its own seed.")
@click.option(
    "--seed", type=params.SEED, help="Repeats a picture; several use seed + 1, seed + 2, ..."
)
@click.option(
    "--best-of", type=int, metavar="N", help="Draw N sketches, finish the one that fits best."
)
@click.option("--retry", type=int, metavar="N", help="Draw again, N times at most, until clean.")
@click.option(
    "--budget",
    type=params.DURATION,
    help="Draw again until clean or until this time is over, for each picture: 30 or 1m30s.",
)
@click.option("--ranker", metavar="NAME|PATH", help="The model that compares pictures with words.")
@click.option(
    "--size",
    type=params.SIZE,
    metavar="WxH",
    help="Pixels, 16 to 4096 a side; 1024x1024 if not given.",
)
@click.option("--ar", type=params.ASPECT, help="Aspect ratio; the longest side is that of --size.")
@click.option("--steps", type=int, help="Steps of drawing: more are finer and slower.")
@click.option("--guidance", type=float, help="How closely to follow the words; 1 is off.")
@click.option(
    "--temperature", type=float, help="How much chance decides: 0 is none, more is more varied."
)
@click.option("--negative", metavar="TEXT", help="What the picture should not show.")
@click.option("--style", type=params.STYLE, help="One of the model's styles (sfumato models).")
@click.option("--background", metavar="COLOUR", help="transparent, opaque, #rrggbb or a name.")
@click.option("--format", "format_", type=params.FORMAT, help="File format; png if not given.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR|-",
    help="A file, a folder (a new one ends with /), or - for stdout.",
)
@click.option("--from", "source", metavar="FILE", help="A file of prompts: .txt, .csv or .jsonl.")
@click.option("--model", type=params.MODEL, help="Which model draws.")
@click.option("--sampler", type=params.SAMPLER, help="How noise is turned into a picture.")
@click.option("--scheduler", type=params.SCHEDULER, help="How the steps are spaced.")
@click.option("--device", metavar="DEVICE", help="Where to compute: auto or cpu.")
@click.option("--threads", type=int, help="Processor threads; all cores if not given.")
@click.option("--open", "open_", is_flag=True, help="Open the first picture when done.")
@click.option("--show/--no-show", default=None, help="Preview in the terminal; on where it can.")
@click.option("--no-metadata", is_flag=True, help="Leave the recipe out of the file.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each picture.")
def draw(
    words: tuple[str, ...],
    source: str | None,
    output: str | None,
    format_: str | None,
    open_: bool,
    show: bool | None,
    no_metadata: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Draw PROMPT and save the picture as <prompt>-<seed>.png in the current folder.

    With - the prompts are read from stdin, one a line. Existing files are never overwritten: a
    number is added to the name. Several prompts make a batch: pictures and a manifest.jsonl in
    one folder, and running it again draws only what is missing or changed.
    """
    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other.")
    if (output == "-") and (as_json or open_):
        raise click.UsageError("-o - gives stdout to the picture: leave --json and --open out.")
    voice: Voice = "quiet" if quiet else "json" if as_json else "people"
    reporter = Reporter(voice, on_stderr=output == "-")
    protocol = _preview_protocol(show, voice, output)
    options["format"] = format_
    prompts = _prompts(words, source)
    if source is None and len(prompts) == 1:
        request = params.make_request({**options, "prompt": prompts[0][1]})
        rules = params.make_rules(options)
        write = _write_options(format_, no_metadata)
        if output == "-":
            _draw_to_stdout(request, rules, write, reporter)
        else:
            made = missing_folders(output)
            target = resolve_target(output, format_)
            _draw_to_files(request, rules, target, write, reporter, protocol, open_, made)
        return
    if output == "-" or open_:
        raise click.UsageError("A batch goes to a folder: use -o DIR, without --open.")
    from sfumato.cli.batch import draw_batch
    from sfumato.cli.rows import Row, read_rows

    rows = (
        read_rows(Path(source))
        if source is not None
        else [Row(line=line, cells={"prompt": prompt}) for line, prompt in prompts]
    )
    made = missing_folders(output)
    code = draw_batch(
        rows,
        common=options,
        folder=make_folder(Path(output or ".")),
        tidy=partial(remove_empty, made),
        metadata=not no_metadata,
        reporter=reporter,
        protocol=protocol,
    )
    click.get_current_context().exit(code)


def _prompts(words: tuple[str, ...], source: str | None) -> list[tuple[int, str]]:
    """(line number, prompt) of everything to draw, from the arguments or from stdin."""
    if source is not None:
        if words:
            raise click.UsageError("Give a prompt or --from FILE, not both.")
        return []
    if not words:
        raise click.UsageError('Say what to draw, for example: sfumato "a red fox"')
    if words != ("-",):
        return [(1, " ".join(words))]
    from sfumato.cli.rows import prompt_lines

    # half characters survive reading, so that the request can say where they are
    text = sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape")
    return prompt_lines(text) or [(1, "")]


def _preview_protocol(show: bool | None, voice: Voice, output: str | None) -> Protocol | None:
    """How to show pictures in this terminal; None where it cannot or should not.

    Raises: RequestError: a preview was asked for and cannot be shown.
    """
    if show is False:
        return None
    protocol = terminal_protocol() if voice == "people" and output != "-" else None
    if show and protocol is None:
        raise RequestError(
            "--show needs a terminal that can show pictures (kitty, iTerm2 or sixel).",
            hint="Leave it out, or name the protocol in SFUMATO_PREVIEW.",
        )
    return protocol


def _write_options(format_: str | None, no_metadata: bool) -> WriteOptions:
    from sfumato.files import WriteOptions

    return WriteOptions(format=format_, metadata=not no_metadata)


def _draw(
    request: GenerationRequest,
    rules: Rules | None,
    show_bar: bool,
    keep: Callable[[Session, GeneratedImage, Choice | None], None],
    made: list[Path],
) -> None:
    """Draw, with or without choosing, and hand every picture over.

    Folders that were ``made`` for the pictures go again where there are none.
    """
    from sfumato.cli.session import CHOOSING_GRACE, Session
    from sfumato.generate import generate
    from sfumato.selection import choose_pictures

    grace = None if rules is None else CHOOSING_GRACE
    tidy = partial(remove_empty, made)
    with Session(request.num_images, show_bar=show_bar, grace=grace, tidy=tidy) as session:
        if rules is None:
            generate(
                request,
                on_event=session.on_event,
                on_image=lambda image: keep(session, image, None),
                stop=session.stop,
                keep_images=False,
            )
        else:
            choose_pictures(
                request,
                rules,
                on_event=session.on_event,
                on_image=partial(keep, session),
                stop=session.stop,
                keep_images=False,
            )


def _draw_to_files(
    request: GenerationRequest,
    rules: Rules | None,
    target: Path,
    write: WriteOptions,
    reporter: Reporter,
    protocol: Protocol | None,
    open_: bool,
    made: list[Path],
) -> None:
    """Draw, save and report each picture as soon as it is finished."""
    from sfumato.files import save_image

    paths: list[Path] = []

    def keep(session: Session, image: GeneratedImage, choice: Choice | None) -> None:
        with session.saving():
            paths.append(save_image(image, target, options=write))
            reporter.picture(image, paths[-1], choice=choice)
            show_preview(image, protocol)

    _draw(request, rules, reporter.voice != "quiet", keep, made)
    if open_ and click.launch(str(paths[0])) != 0:
        raise SfumatoError(
            f"{paths[0]} was saved, but no program opened it.", hint="Open it by hand."
        )


def _draw_to_stdout(
    request: GenerationRequest, rules: Rules | None, write: WriteOptions, reporter: Reporter
) -> None:
    """Draw one picture and put the file's bytes on stdout.

    Raises: RequestError: more than one picture, or stdout is a terminal.
    """
    if request.num_images != 1:
        raise RequestError("-o - takes one picture.", hint="Leave -n out, or give a folder to -o.")
    if sys.stdout.isatty():
        raise RequestError(
            "-o - would print a picture's bytes on the terminal.",
            hint="Send them on: sfumato ... -o - > picture.png",
        )
    from sfumato.files import encode_image

    def keep(session: Session, image: GeneratedImage, choice: Choice | None) -> None:
        with session.saving():
            sys.stdout.buffer.write(encode_image(image, write.format or "png", options=write))
            sys.stdout.buffer.flush()
            reporter.picture(image, None, choice=choice)

    _draw(request, rules, reporter.voice != "quiet", keep, made=[])
