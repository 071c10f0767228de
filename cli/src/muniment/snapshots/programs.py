"""A platform's own command line, asked for JSON: words in, what it answered out, or a sentence about why it did not."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

from muniment.snapshots.members import SnapshotError, Unanswered

_SECONDS = 300.0


class Answer(NamedTuple):
    """What a program answered: its exit code, its stdout read as JSON (null when it failed), and its last words."""

    code: int
    said: Any
    talk: str


def ask(program: str, words: Sequence[str], *, install: str) -> Answer:
    """Run a program. Raises SnapshotError when it cannot be run, or says what is no JSON."""
    whole = shutil.which(program)
    if whole is None:
        raise SnapshotError(f"{program} is not on PATH. {install}")
    try:
        ran = subprocess.run(  # noqa: S603 (found on PATH, as a shell would)
            [whole, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unanswered(f"{program} cannot be run ({error}). {install}") from None
    talk = ran.stderr.decode("utf-8", "replace").strip()
    if ran.returncode != 0:
        return Answer(ran.returncode, None, talk)
    try:
        return Answer(0, json.loads(ran.stdout), talk)
    except ValueError:
        raise Unanswered(f"{program} {' '.join(words[:3])} answers what is no JSON. Run it yourself.") from None


def answer_of(program: str, words: Sequence[str], *, install: str) -> Any:
    """What a program answered. Raises SnapshotError also when it failed."""
    answer = ask(program, words, install=install)
    if answer.code != 0:
        last = answer.talk.splitlines()[-1] if answer.talk else f"exit code {answer.code}"
        raise Unanswered(f"{program} {' '.join(words[:3])} fails: {last}")
    return answer.said
