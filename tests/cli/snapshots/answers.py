"""What platforms answer, in their own shapes: pods, containers, tasks, functions, revisions, apps. Written for these tests.

Digests in them are the SHA-256 of a word, so that a test can say which image it means.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from muniment.snapshots.members import Member

ANSWERS = Path(__file__).resolve().parent / "recorded"


def answer(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_text())


def digest(word: str) -> str:
    return sha256(word.encode()).hexdigest()


def by_name(members: Sequence[Member]) -> dict[str, Member]:
    assert len({member.name for member in members}) == len(members)
    return {member.name: member for member in members}


def named(members: Sequence[Member]) -> set[str]:
    return {member.name.rpartition("/")[2] for member in members}


def answering(cases: dict[str, str]) -> str:
    """A program that prints a file for the words that it was given, and fails for others."""
    lines = "\n".join(f'  "{words}"*) cat {ANSWERS / file} ;;' for words, file in cases.items())
    return f'#!/bin/sh\ncase "$*" in\n{lines}\n  *) echo "ERROR: unknown: $*" >&2; exit 1 ;;\nesac\n'
