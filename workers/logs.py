"""Structured logs of a worker: one line for each event, on stderr. Never a key, never evidence."""

import logging
import sys
from typing import Any

import orjson
import structlog


def _written(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(log_format: str) -> None:
    """Sends structlog's and the standard library's logs the same way: as JSON, or as text for people."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
    ]
    last: Any = (
        structlog.processors.JSONRenderer(_written)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(event_key="message", colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared[:-1], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-1],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shared[-1], last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("arq").setLevel(logging.WARNING)
