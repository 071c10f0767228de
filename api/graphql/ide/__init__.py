"""A page to ask questions from, for a browser that opens /graphql: one file, nothing fetched from anywhere else.

The usual IDEs load themselves from content delivery networks. This one is small instead: a question, its variables, the
answer, and the schema to read beside it. The key is kept in the page's memory only. Its Content-Security-Policy names the
script and the style by their hashes, so nothing else can run, and it may talk to this server alone.
"""

import base64
import hashlib
from pathlib import Path
from typing import Final

from starlette.types import Send

_HERE: Final = Path(__file__).parent
STYLE: Final = (_HERE / "ide.css").read_text()
SCRIPT: Final = (_HERE / "ide.js").read_text()
PAGE: Final = (_HERE / "ide.html").read_text().replace("/*style*/", STYLE).replace("/*script*/", SCRIPT).encode()


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_hash(SCRIPT)}'; style-src 'sha256-{_hash(STYLE)}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", str(len(PAGE)).encode()),
    (b"content-security-policy", POLICY.encode()),
    (b"cache-control", b"no-cache"),
)


async def send_page(send: Send) -> None:
    """Sends the page. To HEAD the server sends the headers alone."""
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
    await send({"type": "http.response.body", "body": PAGE})
