"""Files that options name: read whole when they are texts, gathered when they are evidence."""

from __future__ import annotations

import json

from muniment.commands import shared
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.command import Option
    from muniment.context import Context
    from muniment.evidence import File

TEXT_LENGTH_MAX = 1_000_000


def text_of(path: str) -> str:
    """A file's text; `-` is stdin."""
    import sys  # as everything here: only when it is needed

    from muniment.evidence import unreadable

    try:
        if path == "-":
            text = sys.stdin.read(TEXT_LENGTH_MAX + 1)
        else:
            with open(path, encoding="utf-8-sig") as file:
                text = file.read(TEXT_LENGTH_MAX + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise BadUsage(f"{path} is not UTF-8 text. Write it as UTF-8.") from None
    if len(text) > TEXT_LENGTH_MAX:
        raise BadUsage(f"{path} is longer than {TEXT_LENGTH_MAX} characters. Attach it as evidence instead.")
    return text


def json_of(path: str) -> Any:
    """The JSON value of a file."""
    try:
        return json.loads(text_of(path))
    except ValueError as error:
        raise BadUsage(f"{path} is not JSON: {error}.") from None


def object_of(context: Context, option: Option) -> dict[str, Any] | None:
    """The JSON object of the file that this option names; None without one."""
    path = context.text(option)
    if path is None:
        return None
    value = json_of(path)
    if not isinstance(value, dict):
        raise BadUsage(f"{path} holds no JSON object. Write {{...}}.")
    return value


def attached(context: Context, *, beside: int = 0) -> list[File]:
    """The files that `--attachments` names, encrypted if that is asked for.

    Refuses, before any is read, more files than an attestation can name. `beside`: how many others it names.
    """
    paths = context.texts(shared.ATTACHMENTS)
    if not paths and not beside:
        return []
    from muniment import evidence

    files = evidence.gathered(paths)
    evidence.check_count(len(files) + beside)
    return sealed(context, files)


def sealed(context: Context, files: list[File]) -> list[File]:
    """These files, encrypted to the recipients that `--encrypt-to` names; as they are without any."""
    recipients = context.texts(shared.ENCRYPT_TO) if shared.ENCRYPT_TO in context.command.options else []
    if not recipients:
        return files
    from muniment.encryption import encrypted  # an extra

    return encrypted(files, recipients)
