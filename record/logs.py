"""Structured logs of every process: one line for each event, with the request's id, on stderr. Never a key, never evidence.

Whatever is logged passes through `redacted` last, so that a key that got into a message or a traceback by accident does
not get out.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

import orjson
import structlog

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The request that this task serves."""

_KEY: Final = re.compile(r"mun_[0-9A-Za-z]{4,}")
_AUTHORIZATION: Final = re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',]+")

Event = MutableMapping[str, Any]


def redacted(_logger: Any, _method: str, event: Event) -> Event:
    """The event without anything that looks like a credential."""
    for name, value in event.items():
        event[name] = _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _AUTHORIZATION.sub(r"\1 [redacted]", _KEY.sub("mun_[redacted]", value))
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each) for each in value]
    return value


def _with_request(_logger: Any, _method: str, event: Event) -> Event:
    request_id = REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def _written(event: Event, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(log_format: str) -> None:
    """Sends structlog's and the standard library's logs the same way: as JSON, or as text for people."""
    shared: list[Any] = [
        _with_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        redacted,
    ]
    last: Any = (
        structlog.processors.JSONRenderer(_written)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(event_key="message", colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared[:-2], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-2],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared[-2:], last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for talkative in ("uvicorn.error", "arq"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # Strawberry logs every refusal as an error with its traceback; `api.graphql.errors` logs those that are faults of ours.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)
