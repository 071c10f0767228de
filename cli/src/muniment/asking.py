"""A command's settings in, the client of its server out; and where the key comes from.

The key is looked for in the flag, the environment, the user's own configuration file, a file that these name, and the system's
keyring, in this order. It is never printed and never logged.
"""

from __future__ import annotations

import os

from muniment.client import Client, authorization
from muniment.commands import shared
from muniment.connections import Connections, warn_of_clear_text
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context

KEYRING_SERVICE = "muniment"


def open_client(context: Context) -> Client:
    """The client for what this command was set to."""
    connections = Connections(
        context.required(shared.HOST),
        timeout_seconds=max(1, context.number(shared.TIMEOUT)),
        ca_file=context.text(shared.CA_FILE),
        proxy=context.text(shared.PROXY),
        environment=context.environment,
    )
    key = api_key(context, connections.address)
    if key:
        warn_of_clear_text(connections)
    return Client(
        connections,
        authorization(key, context.text(shared.ORGANIZATION)),
        retries=context.number(shared.RETRIES),
        deadline_seconds=context.number(shared.DEADLINE),
        is_debugging=context.switch(shared.DEBUG),
    )


def api_key(context: Context, address: str) -> str | None:
    """The key, or None when there is none anywhere."""
    if context.settings.is_given(shared.API_KEY_FILE):
        return _from_file(context.required(shared.API_KEY_FILE))
    key = context.text(shared.API_KEY)
    if key:
        return key.strip()
    file = context.text(shared.API_KEY_FILE)
    if file:
        return _from_file(file)
    return _from_keyring(address) if context.switch(shared.KEYRING) else None


def _from_file(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        raise BadUsage(f"The API key file {path} cannot be read. Name a text file.") from None


def _from_keyring(address: str) -> str:
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]  # an extra
    except ImportError:
        raise BadUsage("The keyring needs a library: pip install 'muniment[keyring]'") from None
    found = keyring.get_password(KEYRING_SERVICE, address)
    if not found:
        raise BadUsage(f"The keyring holds no key for {address}. Store one: keyring set {KEYRING_SERVICE} {address}")
    return str(found)
