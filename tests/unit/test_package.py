"""The package's own names: what ``import sfumato`` promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sfumato


@pytest.mark.parametrize("name", sfumato.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(sfumato, name) is not None
    assert name in dir(sfumato)


def test_generate_stays_a_function_when_the_file_of_that_name_is_imported() -> None:
    code = (
        "import sfumato, types\n"
        "import sfumato.generate\n"
        "from sfumato.generate import generate_and_store\n"
        "assert isinstance(sfumato.generate, types.FunctionType), sfumato.generate\n"
        "for _ in range(2): sfumato.generate('a fox', model='fake', width=16, height=16)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(sfumato, "nonsense".lower())
