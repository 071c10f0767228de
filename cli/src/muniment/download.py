"""An archive's address in, the file on disk out: streamed, and with the API key told to nobody but the server asked.

The key goes to the host that the user named. If that host answers "it is over there", the key does not go there with the
request, and a secure address never leads to an insecure one.
"""

from __future__ import annotations

import http.client
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from muniment import __version__
from muniment.exits import CommandError, ExitCode

_PIECE_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def download(address: str, path: Path, *, api_key: str | None) -> None:
    """Store what is at `address` under `path`. Raises CommandError when the server cannot or will not give it."""
    headers = {"User-Agent": f"muniment/{__version__}", "Accept": "application/zip"}
    if api_key:
        headers["Authorization"] = f"Bearer {_fit_for_header(api_key)}"
        if urlsplit(address).scheme == "http" and urlsplit(address).hostname not in _LOOPBACK:
            print("muniment: the API key travels unencrypted; use an https address", file=sys.stderr)
    opener = urllib.request.build_opener(_CarefulRedirects)
    try:
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 (the caller admits only http and https)
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer, path.open("wb") as file:
            _copy(answer, file)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(error.code, error.reason) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise CommandError(
            f"The server cannot be reached ({reason}). Check the address and the network.", ExitCode.UNREACHABLE
        ) from None


def _copy(answer: Any, file: IO[bytes]) -> None:
    stated = answer.headers.get("Content-Length")
    expected = int(stated) if stated else None
    received = 0
    telling = sys.stderr.isatty()
    for piece in iter(lambda: answer.read(_PIECE_BYTES), b""):
        file.write(piece)
        received += len(piece)
        if telling:
            share = f" of {expected / 1e6:.1f}" if expected else ""
            print(f"\rdownloading {received / 1e6:.1f}{share} MB", end="", file=sys.stderr, flush=True)
    if telling:
        print(file=sys.stderr)
    if expected is not None and received != expected:
        raise http.client.IncompleteRead(b"", expected - received)


def _fit_for_header(api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise CommandError("The API key holds characters that no key has. Copy it again.", ExitCode.BAD_USAGE)
    return api_key


def _refused(status: int, reason: str) -> CommandError:
    if status in (401, 403):
        return CommandError(
            f"The server does not accept the API key for this archive ({status} {reason}). "
            "Set MUNIMENT_API_KEY to a key that may read archives.",
            ExitCode.NOT_AUTHORISED,
        )
    return CommandError(f"The server refuses ({status} {reason}). Check the address.", ExitCode.UNREACHABLE)


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects without taking the key to another host or leaving https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        if here.scheme == "https" and there.scheme != "https":
            raise urllib.error.URLError("it redirects from https to an insecure address")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (here.scheme, here.netloc) != (there.scheme, there.netloc):
            following.remove_header("Authorization")
        return following
