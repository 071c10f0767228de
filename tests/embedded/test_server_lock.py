"""What the image installs: files that requirements.lock names too, and everything that the server imports."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SERVER = ("api", "workers", "record", "cli/src/muniment/proof")
OURS = {"api", "workers", "record", "muniment"}


def pins(lock: str) -> dict[str, str]:
    """Each distribution's lines by its name: version, condition and hashes."""
    entries = re.split(r"^(?=\S)", (CHECKOUT / lock).read_text(), flags=re.MULTILINE)
    return {entry.partition("==")[0]: entry for entry in entries if entry.strip()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, early or late."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_server_runs_on_the_files_that_the_tests_run_on() -> None:
    everything = pins("requirements.lock")

    apart = [name for name, entry in pins("requirements.server.lock").items() if everything.get(name) != entry]

    assert apart == [], "Run `make lock`."


def test_the_lock_of_the_server_holds_what_its_page_names() -> None:
    lines = (CHECKOUT / "requirements.server.in").read_text().splitlines()
    named = {normal(re.split(r"[\[;]", line)[0].strip()) for line in lines if line and not line.startswith("#")}

    assert named <= pins("requirements.server.lock").keys(), "Run `make lock`."


def test_the_image_holds_what_the_server_imports() -> None:
    installed = pins("requirements.server.lock").keys()
    providers = packages_distributions()
    modules = [path for folder in SERVER for path in (CHECKOUT / folder).rglob("*.py")]
    foreign = {name for path in modules for name in imported(path)} - OURS - sys.stdlib_module_names

    missing = {name for name in foreign if not installed & {normal(each) for each in providers.get(name, [])}}

    assert len(foreign) > 20
    assert missing == set(), "Name what brings these in requirements.server.in and run `make lock`."
