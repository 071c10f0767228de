"""`muniment verify`: an archive or its address in, what is proven and what is not out."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from muniment.download import download
from muniment.exits import CommandError, ExitCode
from muniment.proof.report import check_and_tell


def describe(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("archive", help="ZIP file, unpacked directory, or http(s) address of an archive")
    parser.add_argument("--key", help="the log's verifier key, if you have it from somewhere else than the archive")
    parser.add_argument("--json", action="store_true", help="tell the outcome as JSON")
    parser.add_argument(
        "--api-key-file", help="file with the API key for downloading; default: the environment's MUNIMENT_API_KEY"
    )


def run(options: argparse.Namespace) -> ExitCode:
    """Check the archive; 0 if everything verifies, 5 if something does not."""
    if not options.archive.startswith(("https://", "http://")):
        return ExitCode(check_and_tell(options.archive, options.key, as_json=options.json))
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        path = Path(folder) / "archive.zip"
        download(options.archive, path, api_key=_api_key(options.api_key_file))
        return ExitCode(check_and_tell(str(path), options.key, as_json=options.json))


def _api_key(file: str | None) -> str | None:
    if not file:
        return os.environ.get("MUNIMENT_API_KEY") or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"The API key file {file} cannot be read. Name a text file.", ExitCode.BAD_USAGE) from None
