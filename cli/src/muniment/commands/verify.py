"""`muniment verify`: an archive or its address in, what is proven and what is not out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from muniment.asking import api_key
from muniment.command import SWITCH, Argument, Command, Option
from muniment.download import download
from muniment.exits import ExitCode
from muniment.proof.report import check_and_tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context

KEY = Option("--key", help="the log's verifier key, if you have it from somewhere else than the archive")
JSON = Option("--json", kind=SWITCH, help="tell the outcome as JSON")


def verify(context: Context) -> ExitCode:
    """Check the archive; 0 if everything verifies, 5 if something does not."""
    archive = context.argument("ARCHIVE") or ""
    key, as_json = context.text(KEY), context.switch(JSON) or context.output.form == "json"
    if not archive.startswith(("https://", "http://")):
        return ExitCode(check_and_tell(archive, key, as_json=as_json))
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        path = Path(folder) / "archive.zip"
        download(archive, path, api_key=api_key(context, archive))
        return ExitCode(check_and_tell(os.fspath(path), key, as_json=as_json))


COMMANDS = (
    Command(
        "verify",
        verify,
        arguments=(Argument("ARCHIVE", help="ZIP file, unpacked directory, or http(s) address of an archive"),),
        options=(KEY, JSON),
        examples=('muniment verify archive.zip --key "$LOG_KEY"',),
    ),
)
