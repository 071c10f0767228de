"""An event in the words of each channel: a webhook's body, a Slack message, an e-mail. Pure: the same event, the same bytes.

Whatever comes from outside (names, reasons, comments) is data here: JSON quotes it, Slack's three control characters are escaped,
and nothing with a line break gets into a header.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final

from record.ids import DeliveryId
from record.notices.events import instant_of
from record.notices.secrets import message_id

SLACK_HEADER_MAX: Final = 150
SLACK_SECTION_MAX: Final = 3_000
SUBJECT_MAX: Final = 200
_SEVEN_BITS: Final = SMTP.clone(cte_type="7bit")
"""Every mail server takes it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told: a kept event, by which organization's notice, and where this server is reached."""

    event: Mapping[str, Any]
    organization: str
    notice: str
    public_url: str | None = None

    @property
    def link(self) -> str | None:
        """Where a person finds what it is about."""
        path = self.event.get("path")
        return None if path is None or self.public_url is None else self.public_url.rstrip("/") + path


def webhook_body(told: Told) -> bytes:
    """JSON with `type`, `timestamp` and `data`, as Standard Webhooks recommends, and what a person would want beside it."""
    event = told.event
    body = {
        "type": event["type"],
        "timestamp": event["at"],
        "organization": told.organization,
        "notice": told.notice,
        "title": event["title"],
        **({"entry_index": event["entry_index"]} if "entry_index" in event else {}),
        **({"url": told.link} if told.link is not None else {}),
        "data": event["data"],
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def slack_body(told: Told) -> bytes:
    """A header, the facts, and where it comes from. `text` is what notifications show."""
    event = told.event
    facts = "\n".join(f"*{_escaped(label)}:* {_escaped(value)}" for label, value in event["lines"])
    source = f"{told.organization} · {told.notice} · {event['type']} · {event['at']}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(_line(event["title"]), SLACK_HEADER_MAX)}}
    ]
    if facts:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": _cut(facts, SLACK_SECTION_MAX)}})
    if told.link is not None:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{_escaped(told.link)}|Open>"}})
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(_escaped(source), 2_000)}]})
    body = {"text": _cut(_escaped(_line(event["title"])), SLACK_SECTION_MAX), "blocks": blocks}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def mail(told: Told, delivery_id: DeliveryId, *, sender: str, recipient: str) -> EmailMessage:
    """Plain text. Its Message-ID is the delivery's, so that a mailbox that gets it twice can know."""
    event = told.event
    message = EmailMessage(policy=_SEVEN_BITS)
    message["From"] = Address("Muniment", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = _cut(f"[{_line(told.organization)}] {_line(event['title'])}", SUBJECT_MAX)
    message["Date"] = format_datetime(instant_of(event))
    message["Message-ID"] = f"<{message_id(delivery_id)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [event["title"], "", *(f"{label}: {value}" for label, value in event["lines"])]
    if told.link is not None:
        lines += ["", told.link]
    lines += ["", f"Organization {told.organization}, notice {told.notice}, {event['type']}, {event['at']}"]
    if "entry_index" in event:
        lines.append(f"Entry {event['entry_index']} of the ledger")
    message.set_content("\n".join(_line(line) for line in lines) + "\n")
    return message


def _escaped(text: str) -> str:
    """Slack's own three characters as entities: without them there are no links, no mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(text: str) -> str:
    """One line: whatever breaks or does not print is a space."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _cut(text: str, most: int) -> str:
    """At most so many characters, never half an entity."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    ampersand = cut.rfind("&")
    if ampersand >= 0 and ";" not in cut[ampersand:] and len(cut) - ampersand <= 5:
        cut = cut[:ampersand]
    return cut + "…"
