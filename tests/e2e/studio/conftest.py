"""A real server, a real Chromium, and a person in front of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
VENDOR = Path(__file__).with_name("vendor")
WAIT = 60.0  # seconds; a guard against hanging on a busy machine, not a measurement


@dataclass(slots=True)
class Server:
    """A running server, called as a program would."""

    address: str
    process: subprocess.Popen[str]
    folder: Path
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """JSON in, JSON out."""
        request = urllib.request.Request(
            f"{self.address}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self.headers},
        )
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return json.loads(answer.read())

    def draw(self, prompt: str, **values: Any) -> dict[str, Any]:
        """A finished job of the model that draws at once."""
        body = {"prompt": prompt, "model": "fake", "width": 256, "height": 256, **values}
        job = self.call("POST", "/jobs", body)["job"]
        deadline = time.monotonic() + WAIT
        while job["state"] in ("queued", "running") and time.monotonic() < deadline:
            time.sleep(0.05)
            job = self.call("GET", f"/jobs/{job['id']}")["job"]
        return dict(job)

    def kill(self) -> None:
        """End the process at once: nothing is said, nobody is asked."""
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def start_again(self) -> None:
        """Another process at the same address, with the same library."""
        port = self.address.rpartition(":")[2]
        self.process = _launch(self.folder, "--port", port)
        _listen(self.process)
        self.wait_until_ready()

    def end(self) -> None:
        """Ask it to stop."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(WAIT)
        self.kill()

    def wait_until_ready(self) -> None:
        """Until it takes work."""
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/readyz", timeout=WAIT).close()
                return
            except urllib.error.HTTPError as error:
                error.close()
                time.sleep(0.1)


def environment_of(folder: Path) -> dict[str, str]:
    """A person's environment whose home and library lie in ``folder``."""
    values = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    home = str(folder / "home")
    library = str(folder / "library")
    return values | {"HOME": home, "USERPROFILE": home, "SFUMATO_LIBRARY": library}


def _launch(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sfumato", "serve", "--model", "fake", "--quiet", *options]
    environment = environment_of(folder)
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def _listen(process: subprocess.Popen[str]) -> str:
    """The address it says it listens on."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"listens on (http://\S+)", line):
            return found[1].rstrip("/")
    process.wait()
    process.stderr.close()
    raise AssertionError("".join(said))


def _make_key(folder: Path) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "sfumato", "keys", "add", "test"],
        env=environment_of(folder), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return next(word for word in made.stdout.split() if word.startswith("sf-"))


def run(folder: Path, *options: str) -> Server:
    """A server with its home and library in ``folder``."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    key = _make_key(folder) if "--key-required" in options else None
    process = _launch(folder, "--port", "0", *options)
    server = Server(_listen(process), process, folder)
    if key is not None:
        server.headers["Authorization"] = f"Bearer {key}"
    server.wait_until_ready()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own for each file; the prompt box begins with the model that is instant."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    running = run(tmp_path_factory.mktemp("studio"))
    running.call("PATCH", "/settings", {"model": "fake", "width": 256, "height": 256})
    yield running
    running.end()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """``serve("--key-required")``: a server of this test's own, its library below ``tmp_path``."""
    running: list[Server] = []

    def one(*options: str) -> Server:
        running.append(run(tmp_path, *options))
        return running[-1]

    yield one
    for server in running:
        server.end()


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Any]:
    """One Chromium for each file."""
    sync_api.expect.set_options(timeout=20_000)  # two cores serve page, server and workers
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield running
        running.close()


Visit = Callable[..., Any]


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Visit]:
    """``visit("#/history", width=360, theme="dark", scripts=[...])`` opens the page.

    Afterwards nothing may have gone wrong in it: no error, no refused resource. A test that
    provokes some names them in ``page.expected``.
    """
    contexts, troubles = [], []
    # a busy browser takes longer to lay text out than it gives a font that was fetched ahead
    expected = [re.compile("was preloaded using link preload but not used")]

    def open_page(
        place: str = "",
        *,
        width: int = 1280,
        height: int = 860,
        theme: str = "light",
        scripts: tuple[str, ...] = (),
        address: str | None = None,
        expect: str | None = None,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
            locale="en-GB",
            accept_downloads=True,
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        for script in scripts:
            context.add_init_script(script)
        page = context.new_page()
        if expect is not None:
            expected.append(re.compile(expect))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.goto(f"{address or server.address}/{place}")
        page.locator("main h1").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    left = [one for one in troubles if not any(pattern.search(one) for pattern in expected)]
    assert left == []
