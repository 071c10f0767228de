"""The house rules that can be read off the tree: each failure is a sentence that says what to do."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("api", "workers", "record", "embedded", "cli/src", "benchmarks")
LINES_MAX = 600
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
NOUN_MODULES = {"models", "rules", "service", "queries", "readings"}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", sources(*CODE, "tests"), ids=named)
def test_no_file_is_longer_than_anyone_wants_to_read(path: Path) -> None:
    if path.parent.name == "versions":
        return  # a migration is written from the models, and nobody splits what is released
    lines = len(path.read_text().splitlines())

    assert lines <= LINES_MAX, f"{named(path)} has {lines} lines. Split it by use; {LINES_MAX} is the most."


@pytest.mark.parametrize("path", sources(*CODE), ids=named)
def test_every_module_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(tree(path)), (
        f"{named(path)} has no docstring. Say in a line what goes in and what comes out."
    )


@pytest.mark.parametrize("path", sources(*CODE), ids=named)
def test_names_of_modules_say_something(path: Path) -> None:
    found = FORBIDDEN_NAMES & {path.stem, *path.relative_to(ROOT).parts}

    assert not found, f"{named(path)} is called {found}. Name it after what it does."


@pytest.mark.parametrize("path", sources("record"), ids=named)
def test_only_the_ledger_writes_into_the_record(path: Path) -> None:
    """Its append, its signer, and the migration that creates the tables; nothing else inserts into schema `record`."""
    allowed = {"record/ledger/statements.py", "record/ledger/integrate.py"}
    if named(path) in allowed:
        return

    found = re.search(r"INSERT\s+INTO\s+record\.|UPDATE\s+record\.|DELETE\s+FROM\s+record\.", path.read_text())

    assert not found, f"{named(path)} writes into schema record. Append an entry instead, and read the row from it."


@pytest.mark.parametrize("path", sources("record", "api", "workers"), ids=named)
def test_nothing_updates_or_deletes_what_is_recorded(path: Path) -> None:
    found = re.search(r"\b(UPDATE|DELETE FROM|TRUNCATE)\s+record\.", path.read_text())

    assert not found, f"{named(path)} changes the record. A change is a newer row."


@pytest.mark.parametrize("path", sources("api", "workers"), ids=named)
def test_deliveries_hold_no_sql(path: Path) -> None:
    found = re.search(r'"""?\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s', path.read_text())

    assert not found, f"{named(path)} holds SQL. Put it into a queries module of the record."


@pytest.mark.parametrize("path", [p for p in sources("record") if p.stem in {"rules", "readings"}], ids=named)
def test_rules_and_readings_neither_wait_nor_look_at_the_clock(path: Path) -> None:
    module = tree(path)

    waiting = [node for node in ast.walk(module) if isinstance(node, (ast.AsyncFunctionDef, ast.Await))]
    clocks = [
        call
        for call in calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"now", "utcnow", "today", "time", "time_ns"}
    ]

    assert not waiting, f"{named(path)} waits. Rules are pure: read before, decide here."
    assert not clocks, f"{named(path)} reads a clock. Take the instant as an argument."


@pytest.mark.parametrize("path", [p for p in sources("record") if p.stem == "queries"], ids=named)
def test_queries_take_the_connection_first_and_then_the_tenant(path: Path) -> None:
    for node in tree(path).body:
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
            arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            if "ops" in (ast.get_docstring(node) or "") or arguments[:1] != ["connection"]:
                continue
            assert len(arguments) < 2 or arguments[1] in {"moment", "org_id", "uses", "lease"}, (
                f"{named(path)}: {node.name}({', '.join(arguments)}) does not take the organization after the connection."
            )


@pytest.mark.parametrize("path", sources(*CODE), ids=named)
def test_imports_stand_at_the_top(path: Path) -> None:
    module = tree(path)
    late = [
        node
        for function in ast.walk(module)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    allowed = "cli/src" in named(path) or named(path) in LATE_IMPORTS

    assert allowed or not late, f"{named(path)} imports inside a function. Move it to the top, or move the wall."


LATE_IMPORTS = {
    "record/controls/oscal.py",  # the OSCAL model takes longer to load than all else in the sandbox
    "api/graphql/artifacts.py",  # Trail and ArtifactInTrail show each other
}


def test_the_tree_names_no_package_registry_and_no_downloads() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert "uv.lock" not in tracked
    assert not [name for name in tracked if name.endswith("package-lock.json")]
    assert "--index-url" not in (ROOT / "requirements.lock").read_text()


def test_every_requirement_is_pinned_with_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    pins = [line for line in lines if line and not line.startswith((" ", "#"))]

    assert pins
    assert all("==" in line and line.endswith("\\") for line in pins)
