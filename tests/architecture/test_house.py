"""The house rules that a machine can check: layers, lazy imports, sizes, names, docstrings."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sfumato

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "sfumato"
FILES = sorted(SOURCE.rglob("*.py"))
BANNED = re.compile(r"(utils?|helpers?|misc|common|.*manager)\.py")

every_file = pytest.mark.parametrize(
    "path", FILES, ids=[path.relative_to(SOURCE).as_posix() for path in FILES]
)


def python(code: str) -> str:
    """What a fresh interpreter prints for ``code``."""
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LINT = """
from importlinter.cli import lint_imports
raise SystemExit(lint_imports(config_filename="pyproject.toml", no_cache=True))
"""


def test_rooms_import_downwards_only() -> None:
    """In a process of its own: import-linter switches off every logger that exists."""
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import sfumato", ("numpy", "PIL", "torch", "onnxruntime", "fastapi", "resvg_py", "rich")),
        ("import sfumato.cli", ("numpy", "torch", "onnxruntime", "diffusers")),
        ("import sfumato.generate", ("torch", "onnxruntime", "fastapi", "diffusers")),
        ("import sfumato; sfumato.load('fake')", ("torch", "onnxruntime", "diffusers")),
    ],
)
def test_importing_loads_nothing_heavy(statement: str, heavy: tuple[str, ...]) -> None:
    loaded = json.loads(python(f"{statement}\nimport sys, json\nprint(json.dumps([*sys.modules]))"))
    assert "sfumato" in loaded
    assert not set(heavy) & set(loaded)


IMPORT_ALL = """
import os, sys
touched = []
def hook(event, args):
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event == "open" and args[2] & writing or event in (
        "os.mkdir", "os.rename", "os.remove", "socket.connect", "subprocess.Popen", "os.system"
    ):
        touched.append(f"{event} {args[0]}")
for name in ("numpy", "PIL.Image", "click", "rich.console", "resvg_py"):
    __import__(name)
sys.addaudithook(hook)
import pkgutil, sfumato
# torch has habits of its own; Alembic alone runs migrations; __main__ runs the program
LEFT_OUT = (
    "sfumato.training", "sfumato.backends.torch", "sfumato.gallery.migrations", "sfumato.__main__"
)
for module in pkgutil.walk_packages(sfumato.__path__, "sfumato."):
    if not module.name.startswith(LEFT_OUT):
        __import__(module.name)
print("\\n".join(touched))
"""


def test_importing_writes_nothing_and_asks_no_network() -> None:
    assert python(IMPORT_ALL).strip() == ""


def test_every_public_name_is_there_and_listed() -> None:
    assert len(set(sfumato.__all__)) == len(sfumato.__all__)
    assert dir(sfumato) == sorted(sfumato.__all__)
    for name in sfumato.__all__:
        assert getattr(sfumato, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sfumato.nonsense


@every_file
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 600


@every_file
def test_no_file_has_a_name_that_says_nothing(path: Path) -> None:
    assert not BANNED.fullmatch(path.name)


@every_file
def test_nothing_is_left_for_later(path: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", path.read_text("utf-8"))


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Public functions, classes and methods without a docstring."""
    if ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            yield node.name
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if (
                    isinstance(method, ast.FunctionDef)
                    and not method.name.startswith("_")
                    and ast.get_docstring(method) is None
                ):
                    yield f"{node.name}.{method.name}"


@every_file
def test_everything_public_is_documented(path: Path) -> None:
    assert list(undocumented(ast.parse(path.read_text("utf-8")))) == []


def test_the_weights_stay_small() -> None:
    """Weights, indices, tables, fonts: all that ships and is no program, wherever it lies."""
    program = {".py", ".pyc", ".js", ".css", ".html"}
    shipped = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix not in program]
    assert {"flow.onnx", "near-copies.npz", "judge.npz"} <= {path.name for path in shipped}
    assert any(path.parent == SOURCE / "clip" / "data" for path in shipped)
    assert sum(path.stat().st_size for path in shipped) <= 64 * 2**20


def test_the_story_stays_short() -> None:
    assert len((SOURCE / "generate.py").read_text("utf-8").splitlines()) <= 250
