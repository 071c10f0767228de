"""What the documents say can be checked: names, paths, settings, help texts and examples are held against the tree.

`UPDATE=1 pytest tests/test_docs.py` writes anew what is generated.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from embedded.system import System
from muniment.commands.index import COMMANDS
from muniment.commands.shared import EVERYWHERE
from muniment.parsing import load
from record.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
OPERATING = ROOT / "docs" / "operating.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BENCHMARKS = "<!-- benchmarks -->"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each_document(test: Callable[..., None]) -> Any:
    return pytest.mark.parametrize("document", DOCUMENTS, ids=named)(test)


def prose(document: Path) -> str:
    """The text without its code blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def blocks(document: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [content for written, content in fenced if written == language]


def assert_fresh(document: Path, begin: str, end: str, generated: str) -> None:
    """What stands between two lines is what was generated; with UPDATE=1 it is made so."""
    before, opened, rest = document.read_text().partition(f"{begin}\n")
    _, closed, after = rest.partition(end)
    assert opened, f"{named(document)} has no line {begin!r}."
    assert closed, f"{named(document)} has no line {end!r} behind it."
    whole = f"{before}{begin}\n{generated}{end}{after}"
    if os.environ.get("UPDATE"):
        document.write_text(whole)

    assert document.read_text() == whole, f"{named(document)} is stale. Run UPDATE=1 pytest tests/test_docs.py."


# --- settings


def default_of(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`"


def settings_table() -> str:
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    lines += [
        f"| `MUNIMENT_{name.upper()}` | {default_of(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description, f"{name} has no description. The operator reads nothing else about it."
    assert description.endswith("."), f"The description of {name} is not a sentence."
    assert "|" not in description, f"The description of {name} breaks the table of settings."


def test_the_table_of_settings_is_fresh() -> None:
    begin = "<!-- settings: generated from record/settings.py by `UPDATE=1 pytest tests/test_docs.py` -->"

    assert_fresh(OPERATING, begin, "<!-- /settings -->", settings_table())


@each_document
def test_every_setting_that_is_named_exists(document: Path) -> None:
    known = {f"MUNIMENT_{name.upper()}" for name in Settings.model_fields}
    # Read by programs that are not servers: the embedded stack and the command-line tool.
    known |= {"MUNIMENT_DATA_DIR", "MUNIMENT_API_KEY"}
    known |= {name for verb in COMMANDS for option in (*load(verb).options, *EVERYWHERE) for name in option.variables()}

    named_here = set(re.findall(r"\bMUNIMENT_[A-Z][A-Z0-9_]+", document.read_text()))

    assert named_here <= known, f"{named(document)} names {named_here - known}, which nothing reads."


@each_document
def test_every_metric_that_is_named_exists(document: Path) -> None:
    sources = "".join((ROOT / path).read_text() for path in ("api/metrics.py", "workers/metrics.py"))
    defined = set(re.findall(r'"(muniment_[a-z_]+)"', sources))

    metrics = set(re.findall(r"`(muniment_[a-z_]+)`", document.read_text())) - {"muniment_owner", "muniment_app"}

    unknown = {name for name in metrics if name.removesuffix("_total") not in defined}
    assert not unknown, f"{named(document)} names {unknown}, which nobody measures."


# --- what the documents point at


@each_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    told = set(re.findall(r"(?:`|^)make ([a-z]+)", document.read_text(), flags=re.MULTILINE))

    assert told <= targets, f"{named(document)} names make {', '.join(sorted(told - targets))}, which is no target."


@each_document
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(document))

    for link in links:
        if re.match(r"[a-z]+:", link) or link.startswith("#"):
            continue
        path = document.parent / link.partition("#")[0]
        assert path.exists(), f"{named(document)} links to {link}, which is not there."


@each_document
def test_every_link_to_a_heading_finds_it(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s:]*#[^)\s]+)\)", prose(document)):
        file, _, anchor = link.partition("#")
        path = document.parent / file if file else document
        headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{named(document)} links to {link}, and {named(path)} has no such heading."


def repository_paths(text: str) -> Iterator[str]:
    """What stands in backticks and looks like a path of this repository: its first part is one."""
    tops = {entry.name for entry in ROOT.iterdir()}
    for quoted in re.findall(r"`([\w.][\w./-]*)`", text):
        first, slash, rest = quoted.partition("/")
        is_file = not slash and re.search(r"\.(py|md|lock|yaml|graphql|toml|in)$", quoted)
        if (slash and first in tops and rest) or is_file:
            yield quoted


@each_document
def test_every_path_that_is_named_exists(document: Path) -> None:
    # An archive's member; a file that must not be here; what users of the client write.
    made_elsewhere = {"verify.py", "uv.lock", "muniment.toml", "compose.override.yaml"}
    in_any_noun = {"models.py", "readings.py", "rules.py", "service.py", "queries.py"}

    for path in set(repository_paths(prose(document))) - made_elsewhere - in_any_noun:
        assert (ROOT / path).exists(), f"{named(document)} names {path}, which is not there."


def test_the_tree_in_the_readme_names_what_is_there() -> None:
    [tree] = [block for block in blocks(README, "") if "record/" in block and "workers/" in block]

    told = [line.split()[0].rstrip("/") for line in tree.splitlines() if line and not line.startswith(" ")]
    missing = [name for name in told if not (ROOT / name).exists()]
    forgotten = {
        entry.name
        for entry in ROOT.iterdir()
        if entry.is_dir() and not entry.name.startswith(".") and not entry.name.startswith("__")
    } - set(told)

    assert not missing, f"README's tree names {missing}, which is not there."
    assert not forgotten, f"README's tree leaves out {forgotten}."


def test_the_decisions_are_numbered_and_tell_the_same_five_things() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    for number, path in enumerate(decisions, start=1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04}-"), f"{path.name} should be number {number}."
        assert text.startswith(f"# {number}. "), f"{path.name} does not begin with its number."
        headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Cost", "Alternatives"], f"{path.name}: {headings}"
        assert len(text.splitlines()) <= 60, f"{path.name} is longer than a screen."


# --- what the README shows


def test_the_help_of_the_command_is_fresh() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "muniment", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT / "cli" / "src")},
    ).stdout

    assert_fresh(README, "<!-- help -->", "<!-- /help -->", f"```console\n$ python -m muniment --help\n{shown}```\n")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def graphql_examples(document: Path) -> list[str]:
    """GraphQL in blocks of its own, and what shell blocks hand to `ask`."""
    shown = blocks(document, "graphql")
    for block in blocks(document, "bash"):
        shown += re.findall(r"<<'?GRAPHQL'?\n(.*?)^GRAPHQL$", block, flags=re.DOTALL | re.MULTILINE)
    return shown


def test_the_readme_has_examples() -> None:
    assert len(graphql_examples(README)) >= 6


@each_document
def test_every_graphql_example_is_valid(document: Path, schema: GraphQLSchema) -> None:
    for example in graphql_examples(document):
        errors = validate(schema, parse(example))

        assert not errors, f"{named(document)}: {errors[0].message}\n{example}"


def test_shell_examples_parse() -> None:
    bash = shutil.which("bash")
    assert bash is not None, "The examples are written for bash."

    for document in DOCUMENTS:
        for block in (*blocks(document, "bash"), *blocks(document, "sh")):
            read = subprocess.run([bash, "-n"], input=block, text=True, capture_output=True, check=False)
            assert read.returncode == 0, f"{named(document)}: {read.stderr}\n{block}"


def test_the_quick_start_works_as_it_is_printed(tmp_path: Path) -> None:
    """Every shell block of the README, one after another, against the whole system as `make up` serves it."""
    script = "set -euo pipefail\n" + "\n".join(blocks(README, "bash"))
    script = script.replace("/tmp/", f"{tmp_path}/").replace(".venv/bin/muniment", f"{sys.executable} -m muniment")
    with System(tmp_path / "data", durable=False) as system:
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env={
                **os.environ,
                "URL": system.url,
                "DATA": str(system.directory),
                "PYTHONPATH": str(ROOT / "cli" / "src"),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"code"' not in ran.stdout, f"Something was refused:\n{ran.stdout}"
    assert '"errors"' not in ran.stdout, f"Something is no valid question:\n{ran.stdout}"
    assert ran.stdout.index('"INCOMPLETE"') < ran.stdout.index('"COMPLIANT"')
    assert ran.stdout.rstrip().endswith("VERIFIED")
    assert "NOT VERIFIED" not in ran.stdout


def test_the_figures_have_their_place() -> None:
    assert README.read_text().count(BENCHMARKS) == 1
