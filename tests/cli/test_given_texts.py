"""Texts that are given as a file or on stdin: whole, or refused."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.commands.files import TEXT_LENGTH_MAX, text_of
from muniment.exits import BadUsage


@pytest.fixture(params=["stdin", "file"])
def given(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Gives a text and says what it is called."""

    def give(text: str) -> str:
        if request.param == "stdin":
            monkeypatch.setattr("sys.stdin", io.StringIO(text))
            return "-"
        path = tmp_path / "given.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return give


def test_a_text_comes_whole(given: Callable[[str], str]) -> None:
    text = "é" * TEXT_LENGTH_MAX

    assert text_of(given(text)) == text


def test_a_text_that_is_too_long_is_refused_and_never_cut(given: Callable[[str], str]) -> None:
    with pytest.raises(BadUsage, match="is longer than .* characters. Attach it as evidence"):
        text_of(given("x" * (TEXT_LENGTH_MAX + 1)))
