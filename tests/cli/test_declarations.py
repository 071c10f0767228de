"""Every command as it is declared: found, told, without contradictions, and understood by the server."""

import importlib
import pkgutil
import shlex
from pathlib import Path

import graphql
import pytest

import muniment
from muniment.command import Command
from muniment.commands.index import COMMANDS
from muniment.commands.shared import EVERYWHERE
from muniment.documents import Mutation, Query
from muniment.parsing import load, parse
from tests.cli.running import Muniment

SCHEMA = graphql.build_schema((Path(__file__).resolve().parents[2] / "schema.graphql").read_text())


def documents() -> list[tuple[str, str]]:
    found = []
    for module in pkgutil.walk_packages(muniment.__path__, "muniment."):
        if module.name.startswith(("muniment.proof", "muniment.__main__")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Mutation | Query):
                found.append((f"{module.name}.{name}", value.document))
    return found


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_is_declared_with_an_example_that_calls_it(verb: str) -> None:
    command = load(verb)

    assert isinstance(command, Command)
    assert command.examples
    for example in command.examples:
        words = shlex.split(example.partition(" | ")[0].partition(" && ")[0].partition(" >> ")[0].partition(" > ")[0])
        assert words[: len(verb.split()) + 1] == ["muniment", *verb.split()]
        parse(command, words[len(verb.split()) + 1 :])


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_tells_what_each_of_its_options_means(verb: str, offline: Muniment) -> None:
    told = offline(*verb.split(), "--help")

    assert told.code == 0
    assert told.said == ""
    for option in load(verb).options:
        assert option.help
        assert any(name in told.out for name in option.names)


@pytest.mark.parametrize("verb", COMMANDS)
def test_no_two_options_of_a_verb_share_a_flag_or_a_name(verb: str) -> None:
    options = load(verb).options
    names = [name for option in options for name in option.names]

    assert len(names) == len(set(names))
    everywhere = {option.name for option in EVERYWHERE}
    assert not everywhere & {option.name for option in options}


@pytest.mark.parametrize(("name", "document"), documents(), ids=[name for name, _ in documents()])
def test_every_document_is_valid_by_the_servers_schema(name: str, document: str) -> None:
    errors = graphql.validate(SCHEMA, graphql.parse(document))

    assert not errors, f"{name}: {errors}"


def test_the_general_help_names_every_verb(offline: Muniment) -> None:
    told = offline("--help").out

    assert all(f"  {verb} " in told for verb in COMMANDS)


@pytest.mark.parametrize(
    "words", [["report"], ["report", "--help"], ["help", "report"], ["report", "evidence", "--help"]]
)
def test_the_beginning_of_a_verb_tells_how_it_goes_on(words: list[str], offline: Muniment) -> None:
    told = offline(*words)

    assert told.code == (2 if words == ["report"] else 0)
    assert "evidence" in told.out + told.said


def test_a_misspelt_verb_is_answered_with_what_was_probably_meant(offline: Muniment) -> None:
    told = offline("report", "artefact", "x")

    assert told.code == 2
    assert "'artifact'" in told.said
