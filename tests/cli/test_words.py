"""What is typed, and what is printed: words, switches, tables, markdown."""

import io

import pytest

from muniment.naming import template_name
from muniment.output import Output
from muniment.parsing import load, parse
from tests.cli.running import Muniment, git_repository


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--compliant"], "true"),
        (["--compliant", "false"], "false"),
        (["--compliant=false"], "false"),
        (["-C", "True"], "true"),
        (["-C"], "true"),
    ],
)
def test_a_switch_is_true_by_itself_and_may_be_told(words: list[str], told: str) -> None:
    flags, arguments = parse(load("attest generic"), [*words, "app.jar"])

    assert flags["compliant"] == told
    assert arguments["ARTIFACT"] == "app.jar"


def test_arguments_and_options_stand_in_any_order() -> None:
    for words in (
        ["production", "app.jar", "--flow", "f"],
        ["--flow", "f", "production", "app.jar"],
        ["production", "--flow=f", "app.jar"],
    ):
        flags, arguments = parse(load("report deployment"), words)
        assert (flags["flow"], arguments) == ("f", {"ENVIRONMENT": "production", "ARTIFACT": "app.jar"})


def test_what_follows_two_dashes_is_no_option() -> None:
    assert parse(load("report artifact"), ["--", "-x"])[1] == {"ARTIFACT": "-x"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "artifact"], "Which artifact"),
        (["report", "artifact", "a", "b"], "one word too many"),
        (["report", "artifact", "a", "--frobnicate"], "--frobnicate is no option"),
        (["report", "artifact", "a", "--flow"], "expected one argument"),
        (
            ["report", "artifact", "a", "--artifact-type", "zip", "--flow", "f", "--commit", "abc1234"],
            "Choose file, dir",
        ),
        (["attest", "generic", "--flow", "f", "--commit", "abc1234", "--name", "x"], "nothing is compliant by default"),
        (["list", "trails"], "MUNIMENT_FLOW"),
        (["get", "flow", "x", "--host", "ftp://nowhere"], "not the address of a server"),
        (["get", "flow", "x", "--api-key", "mun x"], "holds characters"),
    ],
)
def test_bad_usage_ends_with_2_and_a_sentence(words: list[str], said: str, offline: Muniment) -> None:
    told = offline(*words)

    assert told.code == 2
    assert told.out == ""
    assert said in told.said


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("myapp:v1.0", "myapp"),
        ("registry.example.com:5000/team/my.app:v1@sha256:" + "a" * 64, "my-app"),
        ("build/app.jar", "app"),
        ("dist/", "dist"),
        ("./.env", "env"),
        ("C:\\build\\app.exe", "app"),
        ("Ünïcode.zip", "n-code"),
        ("...", "artifact"),
    ],
)
def test_a_template_calls_an_artifact_by_its_bare_name(name: str, meant: str) -> None:
    assert template_name(name) == meant


def written(form: str) -> tuple[Output, io.StringIO]:
    out = io.StringIO()
    return Output(form, {}, stdout=out), out


def test_a_table_shows_nothing_that_a_terminal_would_obey() -> None:
    output, out = written("table")

    output.rows(["name"], [["red\x1b[31m\x07"]])

    assert out.getvalue() == "NAME\nred\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\n"


def test_markdown_shows_what_was_said_and_not_what_it_would_become() -> None:
    output, out = written("markdown")

    output.rows(["name"], [["a|b <script> [x](y)\nnext"]])

    assert out.getvalue().splitlines()[2] == "| a\\|b &lt;script> \\[x](y)<br>next |"


def test_colours_are_for_terminals_and_only_if_they_are_wanted() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    coloured, plain, unwanted = Terminal(), io.StringIO(), Terminal()
    for stream, environment in ((coloured, {}), (plain, {}), (unwanted, {"NO_COLOR": "1"})):
        Output("table", environment, stdout=stream).facts([("verdict", "COMPLIANT")])

    assert coloured.getvalue() == "verdict  \x1b[32mCOMPLIANT\x1b[0m\n"
    assert plain.getvalue() == unwanted.getvalue() == "verdict  COMPLIANT\n"


def test_a_dry_run_prints_what_would_be_sent_with_what_git_knows(offline: Muniment) -> None:
    commit = git_repository(offline.folder)
    offline.file("app.jar", "bytes")

    told = offline("report", "artifact", "app.jar", "--flow", "f", "--dry-run", "--redact-commit-info", "author")

    assert told.code == 0
    given = told.json["input"]
    assert told.json["mutation"] == "reportArtifact"
    assert given["trail"] == commit
    assert given["commit"].pop("committedAt").startswith("2026-11-01T12:00:00")
    assert given["commit"] == {
        "sha": commit,
        "message": "Add refunds\n\nIn euros.",
        "branch": "main",
    }
    assert (given["name"], given["templateName"], given["kind"]) == ("app.jar", "app", "file")


def test_the_key_dry_run_is_a_dry_run(offline: Muniment) -> None:
    told = offline("create", "flow", "f", KOSLI_API_TOKEN="DRY_RUN", MUNIMENT_HOST="http://127.0.0.1:1")

    assert (told.code, told.json["mutation"]) == (0, "createFlow")


def test_a_dry_gate_asks_nothing_and_says_so(offline: Muniment) -> None:
    told = offline("assert", "artifact", "a" * 64, "--flow", "f", "--dry-run")

    assert told.code == 0
    assert "nothing was asked" in told.said
    assert set(told.json) == {"query", "variables"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_knows_every_verb_and_its_options(shell: str, offline: Muniment) -> None:
    told = offline("completion", shell)

    assert told.code == 0
    assert "junit" in told.out
    assert "results-file" in told.out


def test_bash_completes_a_verb_and_an_option(offline: Muniment) -> None:
    import subprocess

    script = offline.file("completion.bash", offline("completion", "bash").out)
    ask = (
        f"source {script}; COMP_WORDS=({{words}}); COMP_CWORD=$((${{{{#COMP_WORDS[@]}}}} - 1)); _muniment; "
        'echo "${{COMPREPLY[@]}}"'
    )

    def completed(words: str) -> list[str]:
        return subprocess.check_output(["bash", "-c", ask.format(words=words)], text=True).split()

    assert completed("muniment rep") == ["report"]
    assert completed("muniment report ''") == ["approval", "artifact", "deployment", "evidence"]
    assert "--commit-url" in completed("muniment report artifact x --commit")
