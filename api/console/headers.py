"""What a browser may do with the console's answers: run our scripts, use our styles, talk to this server, and nothing else."""

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGE: Final = {
    "content-security-policy": POLICY,
    "cache-control": "private, no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""A page. It is about what one visitor may see now, so nobody keeps it."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
