"""Who we are to a registry: its name in, user and password out, from where `docker login` and `podman login` put them.

Read in this order: the file that REGISTRY_AUTH_FILE names, Docker's `config.json` (in DOCKER_CONFIG or `~/.docker`), Podman's
`auth.json`. A credential helper is asked when a file names one. Nothing found is not an error: many images are public.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from muniment.images.references import HUB

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER_SECONDS = 30
_TOKEN_USER = "<token>"  # noqa: S105 (what helpers answer as the user's name when the password is an identity token)


class Credentials(NamedTuple):
    """A user and a password; or an identity token, to be exchanged for one that opens the registry."""

    user: str
    password: str
    identity_token: str = ""


def credentials_for(registry: str, environment: Mapping[str, str] | None = None) -> Credentials | None:
    """What this machine knows about us and the registry; null when it knows nothing."""
    environment = os.environ if environment is None else environment
    for file in _files(environment):
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found = _in_settings(settings, registry) if isinstance(settings, dict) else None
        if found is not None:
            return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or Path.home())
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield home / ".config" / "containers" / "auth.json"


def _in_settings(settings: Mapping[str, Any], registry: str) -> Credentials | None:
    keys = _HUB_KEYS if registry == HUB else (registry, f"https://{registry}", f"https://{registry}/v1/")
    helpers, auths = settings.get("credHelpers"), settings.get("auths")
    for key in keys:
        if isinstance(helpers, dict) and isinstance(helpers.get(key), str):
            return _asked(helpers[key], key)
    for key in keys:
        known = auths.get(key) if isinstance(auths, dict) else None
        found = _of_entry(known) if isinstance(known, dict) else None
        if found is not None:
            return found
    store = settings.get("credsStore")
    if isinstance(store, str) and store:
        return next(filter(None, (_asked(store, key) for key in keys)), None)
    return None


def _of_entry(entry: Mapping[str, Any]) -> Credentials | None:
    identity = str(entry.get("identitytoken") or "")
    try:
        user, _, password = base64.b64decode(str(entry.get("auth") or "")).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, password = user or str(entry.get("username") or ""), password or str(entry.get("password") or "")
    return Credentials(user, password.rstrip("\0"), identity) if user or identity else None


def _asked(helper: str, key: str) -> Credentials | None:
    """What the program `docker-credential-<helper>` answers."""
    if not helper.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return None
    try:
        answered = subprocess.run(  # noqa: S603 (the user's own settings name the helper)
            [f"docker-credential-{helper}", "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=True,
        )
        said = json.loads(answered.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Credentials("", "", secret) if user == _TOKEN_USER else Credentials(user, secret)
