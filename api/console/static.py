"""The console's own files: one style sheet, a few scripts, htmx. Each is served under its digest, so browsers keep it for ever.

The style sheet begins with the look that archives share (`record.showing`). Nothing is built: the folder is what is served.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.console.headers import FOR_EVER
from record import showing
from record.refusals import NotFound

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and the address under which it never changes."""

    body: bytes
    media_type: str
    path: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "Asset":
        digest = hashlib.sha256(body).hexdigest()[:16]
        return cls(body, _MEDIA[Path(name).suffix], f"/static/{digest}/{name}")


def _assets() -> dict[str, Asset]:
    found = {path.name: path.read_bytes() for path in _FOLDER.rglob("*") if path.suffix in _MEDIA}
    found["console.css"] = showing.LOOK.encode() + found["console.css"]
    return {name: Asset.of(name, body) for name, body in found.items()}


ASSETS: Final = _assets()
_BY_PATH: Final = {asset.path: asset for asset in ASSETS.values()}


def address(name: str) -> str:
    """Where a file is served."""
    return ASSETS[name].path


async def get(request: Request) -> Response:
    """One of the files."""
    asset = _BY_PATH.get(request.url.path)
    if asset is None:
        raise NotFound("There is no such file of the console. Reload the page: it may be from before an upgrade.")
    headers = {"cache-control": FOR_EVER}
    return Response(asset.body, headers=headers, media_type=asset.media_type)


ROUTES: Final = [Route("/static/{digest}/{name}", get, methods=["GET"])]
