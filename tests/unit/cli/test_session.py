"""The bar counts every step of every picture; the brake keeps what is finished."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

import pytest

from sfumato.cli import session as session_module
from sfumato.cli.session import Bar, Session
from sfumato.errors import Cancelled, RequestError
from sfumato.request import Event


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the bar shows, on a terminal that is a string."""
    from rich.console import Console

    shown = io.StringIO()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        "rich.console.Console",
        lambda **options: Console(file=shown, force_terminal=True, width=100, _environ={}),
    )
    return shown


def test_the_bar_moves_with_every_step(screen: io.StringIO) -> None:
    bar = Bar(2)
    bar.start()
    for image in (0, 1):
        for step in (1, 2, 3):
            bar.on_event(Event(kind="step", image=image, step=step, total=3))
        bar.on_event(Event(kind="finished", image=image))
    bar.stop()
    assert bar._progress is not None
    (task,) = bar._progress.tasks
    assert (task.completed, task.total) == (2, 2)
    assert "drawing 2 of 2" in screen.getvalue()


def test_the_bar_shows_the_step_of_a_single_picture(screen: io.StringIO) -> None:
    bar = Bar(1)
    bar.start()
    bar.on_event(Event(kind="step", image=0, step=5, total=12))
    bar.stop()
    assert "step 5 of 12" in screen.getvalue()


def test_jobs_of_a_batch_are_counted_apart(screen: io.StringIO) -> None:
    bar = Bar(3)
    bar.skip(0)
    for job in (1, 2):
        bar.on_event(Event(kind="finished", image=0), job)
    assert bar._progress is not None
    assert bar._progress.tasks[0].completed == 3


def test_printing_takes_the_bar_away_and_brings_it_back(screen: io.StringIO) -> None:
    bar = Bar(1)
    bar.start()
    assert bar._progress is not None
    with bar.aside():
        assert not bar._progress.live.is_started
    assert bar._progress.live.is_started
    bar.stop()


def test_no_bar_where_stderr_is_no_terminal_or_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "_make_progress", lambda: pytest.fail("made a bar"))
    Bar(1).start()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    Bar(1, shown=False).start()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_while_drawing_only_sets_the_event() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Session(1, show_bar=False) as session:
        session.on_event(Event(kind="loaded"))
        interrupt()
        assert session.stop.is_set()
        with pytest.raises(KeyboardInterrupt):  # the second time it is meant at once
            interrupt()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_before_drawing_interrupts_at_once() -> None:
    with Session(1, show_bar=False) as session, pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not session.stop.is_set()


def test_a_session_outside_the_main_thread_leaves_signals_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with Session(1, show_bar=False):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The codes that the process would have left with."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(session_module, "GRACE", 0.0)
    return codes


def test_what_cannot_be_stopped_is_left_behind(
    left: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    with Session(1, show_bar=False) as session:
        session.on_event(Event(kind="loaded"))
        interrupt()
        assert session._leaving is not None
        session._leaving.join()  # a renderer would be busy here
    assert left == [130]
    assert capsys.readouterr().err == "sfumato: Stopped. No picture was finished yet.\n"


def test_pictures_that_were_kept_are_spoken_of_and_their_folder_stays(
    left: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    tidied: list[bool] = []
    with Session(2, show_bar=False, tidy=lambda: tidied.append(True)) as session:
        session.on_event(Event(kind="loaded"))
        with session.saving():
            pass
        interrupt()
        assert session._leaving is not None
        session._leaving.join()
    assert capsys.readouterr().err == "sfumato: Stopped. Finished pictures were kept.\n"
    assert tidied == []


@pytest.mark.parametrize("kept", [False, True])
def test_a_cancelled_session_says_what_became_of_its_pictures(kept: bool) -> None:
    tidied: list[bool] = []
    with (
        pytest.raises(Cancelled) as caught,
        Session(2, show_bar=False, tidy=lambda: tidied.append(True)) as session,
    ):
        with session.speaking():
            pass  # a complaint is no picture
        if kept:
            with session.saving():
                pass
        raise Cancelled("Stopped.", hint="Finished pictures were kept.")
    assert ("were kept" in caught.value.hint) is kept
    assert tidied == ([] if kept else [True])


def test_a_session_that_fails_early_tidies_up() -> None:
    tidied: list[bool] = []
    with (
        pytest.raises(RequestError),
        Session(1, show_bar=False, tidy=lambda: tidied.append(True)),
    ):
        raise RequestError("No.")
    assert tidied == [True]


def test_nobody_leaves_in_the_middle_of_a_save(left: list[int]) -> None:
    with Session(1, show_bar=False) as session:
        session.on_event(Event(kind="loaded"))
        with session.saving():
            interrupt()
            assert session._leaving is not None
            session._leaving.join(0.2)
            assert session._leaving.is_alive()  # it waits for the save
            assert left == []
        session._leaving.join()
    assert left == [130]


def test_a_session_that_ended_by_itself_is_not_left_again(left: list[int]) -> None:
    with Session(1, show_bar=False) as session:
        pass
    session._leave()
    assert left == []


def test_the_bar_counts_sketches_and_tries_of_a_single_picture(screen: io.StringIO) -> None:
    bar = Bar(1)
    bar.start()
    assert bar._progress is not None
    (task,) = bar._progress.tasks

    def after(event: Event) -> tuple[str, float]:
        bar.on_event(event)
        return task.description, task.completed

    assert after(Event(kind="sketched", step=3, total=4)) == ("sketch 3 of 4", 3 / 5)
    assert after(Event(kind="sketched", step=4, total=4)) == ("finishing the best", 4 / 5)
    assert after(Event(kind="retrying", step=2, total=5)) == ("try 2 of 5", 0.0)
    assert after(Event(kind="finished")) == ("finishing", 1.0)
    bar.stop()


def test_the_bar_counts_pictures_where_there_are_several(screen: io.StringIO) -> None:
    bar = Bar(2)
    bar.start()
    bar.on_event(Event(kind="finished", image=0))
    bar.on_event(Event(kind="sketched", image=1, step=1, total=3))
    assert bar._progress is not None
    (task,) = bar._progress.tasks
    assert (task.description, task.completed) == ("drawing 2 of 2", 1.25)
    bar.stop()


def test_a_session_waits_as_long_as_it_is_told(left: list[int]) -> None:
    with Session(1, show_bar=False, grace=60.0) as session:
        session.on_event(Event(kind="loaded"))
        interrupt()
        assert session._leaving is not None
        assert session._leaving.interval == 60.0
    assert left == []
