"""The two cookies of the console, and the tokens by which a form proves that it is ours.

    session   the secret of the session; only this server ever sees it
    form      a random text for visitors without a session, whose sign-in form must repeat it

A form's token is an HMAC of the session's secret (or of the `form` cookie), so a page of another site can neither read nor guess
it, and a token ends with its session. Both cookies are HttpOnly and SameSite=Lax; behind TLS they are Secure and carry the
`__Host-` prefix, by which browsers refuse to have them set by neighbours.
"""

import hashlib
import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from record.settings import Settings

_PURPOSE: Final = b"muniment form"
_SECRET_MAX: Final = 100


def behind_tls(request: Request) -> bool:
    """Whether the visitor reaches this server over TLS: it ends here, or in front of us as `public_url` says."""
    settings: Settings = request.app.state.settings
    return request.url.scheme == "https" or (settings.public_url or "").startswith("https:")


def secret_in(request: Request, name: str) -> str | None:
    """The cookie's value, if it can be one of ours."""
    value = request.cookies.get(_named(request, name))
    return value if value and len(value) <= _SECRET_MAX and value.isascii() else None


def give(request: Request, response: Response, name: str, value: str, *, seconds: int | None) -> None:
    """Sets a cookie; `seconds` None: until the browser is closed."""
    response.set_cookie(
        _named(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=behind_tls(request),
        httponly=True,
        samesite="lax",
    )


def take(request: Request, response: Response, name: str) -> None:
    """Forgets a cookie."""
    response.delete_cookie(_named(request, name), path="/", secure=behind_tls(request), httponly=True, samesite="lax")


def new_secret() -> str:
    """A secret for a visitor who has none yet."""
    return secrets.token_urlsafe(32)


def form_token(secret: str) -> str:
    """What forms of whoever has this secret carry."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def is_ours(request: Request, secret: str | None, token: str | None) -> bool:
    """Whether a form came from a page that we gave to this very visitor."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    if secret is None or token is None:
        return False
    return hmac.compare_digest(form_token(secret).encode(), token.encode("utf-8", "surrogatepass"))


def _named(request: Request, name: str) -> str:
    return f"__Host-muniment-{name}" if behind_tls(request) else f"muniment-{name}"
