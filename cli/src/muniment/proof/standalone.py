"""`verify.py` out: the modules that check an archive, put into one file that needs nothing but Python.

An auditor should not have to install anything, and should be able to read what they run. So the file is the plain source
of the same modules that the server uses, one after another, in an order in which each needs only those above it. The same
version of the package always makes the same bytes, so a copy found in an archive can be compared.

Modules put into one file share one namespace: two that define the same name are refused here, not discovered there.
"""

from __future__ import annotations

import ast
import pkgutil
from functools import lru_cache

from muniment import __version__

MODULES = (
    "canonical",
    "merkle",
    "ed25519",
    "notes",
    "checkpoint",
    "policy",
    "bundle",
    "findings",
    "container",
    "manifest",
    "archive",
    "report",
)

_HEADER = '''#!/usr/bin/env python3
"""Checks the Muniment archive that it came with, offline. Needs Python 3.9 or newer and nothing else.

    python verify.py [ARCHIVE.zip or DIRECTORY] [--key VERIFIER-KEY] [--json]

Without an archive it checks the directory that it lies in. Exit codes: 0 verified, 5 not verified, 2 bad usage.
This file is made from the modules of the package muniment {version}; each begins with a line of dashes.
Whoever could change the archive could change this file too: if that matters, use a copy that you got otherwise, or the
command `muniment verify`, which makes the same checks.
"""

from __future__ import annotations

{imports}
'''


@lru_cache(maxsize=1)
def source() -> bytes:
    """The content of `verify.py`."""
    imports: set[str] = set()
    bodies = []
    owners: dict[str, str] = {}
    for module in MODULES:
        data = pkgutil.get_data("muniment.proof", f"{module}.py")
        assert data is not None
        text = data.decode("utf-8").replace("\r\n", "\n")
        tree = ast.parse(text)
        _claim_names(tree, module, owners)
        bodies.append(f"# {'-' * 20} muniment.proof.{module}\n\n{_without_imports(text, tree, imports)}")
    ordered = sorted(imports, key=lambda line: (line.startswith("from "), line))
    header = _HEADER.format(version=__version__, imports="\n".join(ordered))
    footer = 'if __name__ == "__main__":\n    raise SystemExit(main())\n'
    return "\n\n".join([header, *bodies, footer]).encode("utf-8")


def _without_imports(text: str, tree: ast.Module, imports: set[str]) -> str:
    """The module's text without its imports; those of the standard library are added to `imports`."""
    lines = text.split("\n")
    for statement in tree.body:
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        origin = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
        if any(alias.asname for alias in statement.names):
            raise AssertionError(f"{ast.unparse(statement)}: a renamed import does not survive in one file")
        if origin != "__future__" and not origin.startswith("muniment"):
            imports.update(_import_lines(statement))
        for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
            lines[number] = "\0"
    kept = "\n".join(line for line in lines if line != "\0").strip("\n")
    while "\n\n\n\n" in kept:
        kept = kept.replace("\n\n\n\n", "\n\n\n")
    return kept


def _import_lines(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [f"import {alias.name}" for alias in statement.names]
    return [f"from {statement.module} import {alias.name}" for alias in statement.names]


def _claim_names(tree: ast.Module, module: str, owners: dict[str, str]) -> None:
    for statement in tree.body:
        names: list[str] = []
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names = [statement.name]
        elif isinstance(statement, ast.Assign):
            names = [each.id for target in statement.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        for name in names:
            owner = owners.setdefault(name, module)
            if owner != module:
                raise AssertionError(
                    f"{name} is defined in {owner} and in {module}; one file can hold only one of them"
                )
