"""Where a setting comes from: the flag, the environment, a configuration file, the CI system, a default. In this order.

    --build-url URL                             the flag
    MUNIMENT_BUILD_URL, then KOSLI_BUILD_URL    the environment; an empty variable is one that is not set
    build-url = "..."                           muniment.toml, here or in the nearest directory above,
                                                then ~/.config/muniment/config.toml
    CI_JOB_URL and the like                     what the CI system tells (`muniment.ci`)

A `muniment.toml` travels with the repository, and so may come from whoever proposes a change to it. It therefore says nothing
about keys, and nothing about how the server is reached but its address.
"""

from __future__ import annotations

import os

from muniment.command import LIST, NUMBER, PAIRS, SWITCH, TEXTS, Option
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROJECT_FILE = "muniment.toml"
_NOT_IN_PROJECT = ("api-key", "api-token", "api-key-file", "keyring", "http-proxy", "ca-file")
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


class Settings:
    """The settings of one run of the program."""

    def __init__(self, flags: Mapping[str, Any], environment: Mapping[str, str], *, folder: str | None = None) -> None:
        self.environment = environment
        self._flags = flags
        self._folder = folder
        self._files: list[tuple[str, dict[str, Any]]] | None = None

    def value(self, option: Option) -> Any:
        """What this option is set to; None when nothing sets it. Raises BadUsage when what sets it makes no sense."""
        given = self._flags.get(option.name)
        if given is not None:
            return _checked(option, self._read(option, given, f"--{option.name.replace('_', '-')}"))
        for variable in option.variables():
            told = self.environment.get(variable)
            if told:
                return _checked(option, self._read(option, told, variable))
        for path, content in self._configured():
            for name in (name[2:] for name in option.names if name.startswith("--")):
                if name in content:
                    return _checked(option, self._read(option, content[name], f"{name} in {path}"))
        return self._told_by_ci(option)

    def is_given(self, option: Option) -> bool:
        """Whether its own flag sets it."""
        return self._flags.get(option.name) is not None

    def _told_by_ci(self, option: Option) -> Any:
        from muniment import ci  # only when it is needed

        told = ci.default(option.name, self.environment)
        return option.default if told is None else told

    def _configured(self) -> list[tuple[str, dict[str, Any]]]:
        if self._files is None:
            self._files = [(path, self._load(path, is_project)) for path, is_project in self._paths()]
        return self._files

    def _paths(self) -> list[tuple[str, bool]]:
        named = self._flags.get("config") or self.environment.get("MUNIMENT_CONFIG")
        if named:
            if not os.path.isfile(named):
                raise BadUsage(f"There is no configuration file {named}. Name a TOML file.")
            return [(named, False)]
        found = []
        project = _upwards(self._folder or os.getcwd())
        if project is not None:
            found.append((project, True))
        own = _own_file(self.environment)
        if own is not None and os.path.isfile(own):
            found.append((own, False))
        return found

    def _load(self, path: str, is_project: bool) -> dict[str, Any]:
        content = {str(name).replace("_", "-"): value for name, value in _toml(path).items()}
        if is_project:
            for name in _NOT_IN_PROJECT:
                if name in content:
                    raise BadUsage(
                        f"{path} sets {name}, and whoever changes the repository could then take your key. "
                        "Set it in the environment or in ~/.config/muniment/config.toml."
                    )
        return content

    def _read(self, option: Option, given: Any, where: str) -> Any:
        if option.kind == SWITCH:
            return _truth(given, where)
        if option.kind == NUMBER:
            return _number(given, where)
        if option.kind in (LIST, TEXTS):
            return _several(given, where, is_split=option.kind == LIST)
        if option.kind == PAIRS:
            return _pairs(given, where)
        if not isinstance(given, str):
            raise BadUsage(f"{where} is not a text. Put it between quotes.")
        if not given.strip():
            raise BadUsage(f"{where} is empty. Give it a value, or leave it out.")
        return given


def _checked(option: Option, value: Any) -> Any:
    if option.choices is not None and value not in option.choices:
        raise BadUsage(
            f"{value!r} is not a value of --{option.name.replace('_', '-')}. Choose {', '.join(option.choices)}."
        )
    return value


def _truth(given: Any, where: str) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadUsage(f"{where} is {given!r}, which is neither true nor false. Say true or false.")


def _number(given: Any, where: str) -> int:
    try:
        number = int(given)
    except (TypeError, ValueError):
        raise BadUsage(f"{where} is {given!r}, which is not a whole number.") from None
    if number < 0:
        raise BadUsage(f"{where} is {number}. Give 0 or more.")
    return number


def _several(given: Any, where: str, *, is_split: bool) -> list[str]:
    texts = [given] if isinstance(given, str) else list(given)
    parts = [part.strip() for text in texts for part in (text.split(",") if is_split else [text])]
    kept = [part for part in parts if part]
    if not kept:
        raise BadUsage(f"{where} is empty. Give it a value, or leave it out.")
    return kept


def _pairs(given: Any, where: str) -> dict[str, str]:
    if hasattr(given, "items"):
        return {str(name): str(value) for name, value in given.items()}
    # A flag is one pair, whatever commas its value holds; a variable holds several.
    texts = given.split(",") if isinstance(given, str) else given
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadUsage(f"{where} holds {text!r}. Write it as name=value.")
        pairs[name.strip()] = value
    return pairs


def _upwards(folder: str) -> str | None:
    while True:
        path = os.path.join(folder, PROJECT_FILE)
        if os.path.isfile(path):
            return path
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _own_file(environment: Mapping[str, str]) -> str | None:
    base = environment.get("XDG_CONFIG_HOME") or (environment.get("APPDATA") if os.name == "nt" else None)
    if not base:
        home = os.path.expanduser("~")
        if home == "~":
            return None
        base = os.path.join(home, ".config")
    return os.path.join(base, "muniment", "config.toml")


def _toml(path: str) -> dict[str, Any]:
    try:
        import tomllib  # most runs read no file
    except ImportError:  # Python 3.9 and 3.10
        try:
            import tomli as tomllib  # type: ignore[no-redef, import-not-found, unused-ignore]
        except ImportError:
            raise BadUsage(f"Reading {path} needs Python 3.11, or: pip install 'muniment[toml]'") from None
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as error:
        raise BadUsage(f"{path} cannot be read: {error}") from None
