"""The words of each channel, and that nothing from outside gets out of its place in them."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from record.ids import DeliveryId, NoticeId, OrgId
from record.notices import messages
from record.notices.messages import SLACK_HEADER_MAX, SLACK_SECTION_MAX, Told
from record.notices.secrets import Seal, message_id, new_secret, signed_headers

DELIVERY = DeliveryId(UUID(int=5))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def told(title: str = "prod is NON_COMPLIANT", *lines: tuple[str, str], **more: Any) -> Told:
    event = {
        "type": "environment.verdict_changed",
        "at": "2026-11-22T12:00:00.000000Z",
        "title": title,
        "lines": [list(line) for line in lines],
        "data": {"status": "NON_COMPLIANT"},
        "entry_index": 7,
        **more,
    }
    return Told(event, "acme", "alerts", "https://muniment.example/")


def test_a_webhook_says_type_timestamp_and_data() -> None:
    body = json.loads(messages.webhook_body(told(path="/archives/x.zip")))

    assert body == {
        "type": "environment.verdict_changed",
        "timestamp": "2026-11-22T12:00:00.000000Z",
        "organization": "acme",
        "notice": "alerts",
        "title": "prod is NON_COMPLIANT",
        "entry_index": 7,
        "url": "https://muniment.example/archives/x.zip",
        "data": {"status": "NON_COMPLIANT"},
    }


def test_slack_gets_a_header_the_facts_and_where_it_comes_from() -> None:
    body = json.loads(messages.slack_body(told("It stopped", ("Reason", "a & b"), path="/archives/x.zip")))

    assert body["text"] == "It stopped"
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "section", "context"]
    assert body["blocks"][1]["text"]["text"] == "*Reason:* a &amp; b"
    assert body["blocks"][2]["text"]["text"] == "<https://muniment.example/archives/x.zip|Open>"


def test_nobody_is_called_and_nothing_is_linked_by_what_slack_is_told() -> None:
    attack = "<!channel> <https://evil.example|click> & more"

    body = json.loads(messages.slack_body(told(attack, ("By", attack))))

    assert "<" not in body["text"]
    assert "<" not in body["blocks"][1]["text"]["text"]
    assert body["blocks"][0]["text"] == {"type": "plain_text", "text": attack}


@given(TEXTS, st.lists(st.tuples(TEXTS, st.text(max_size=4_000, alphabet="<&>ab ")), max_size=5))
def test_whatever_is_told_slack_can_take(title: str, lines: list[tuple[str, str]]) -> None:
    body = json.loads(messages.slack_body(told(title, *lines)))

    assert len(body["text"]) <= SLACK_SECTION_MAX
    for block in body["blocks"]:
        texts = block.get("elements", [block.get("text")])
        for each in texts:
            assert len(each["text"]) <= (SLACK_HEADER_MAX if block["type"] == "header" else SLACK_SECTION_MAX)
            if each["type"] == "mrkdwn":
                bare = each["text"].replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
                assert not set(bare) & set("<>&")


def sent(message: Told) -> Any:
    mail = messages.mail(message, DELIVERY, sender="muniment@example.org", recipient="ops@example.com")
    return message_from_bytes(mail.as_bytes(), policy=default)


def test_a_mail_is_plain_text_under_the_deliverys_id() -> None:
    mail = sent(told("It stopped", ("Reason", "tests are missing"), path="/archives/x.zip"))

    assert mail["Message-ID"] == f"<{message_id(DELIVERY)}@example.org>"
    assert (mail["To"], mail["Subject"]) == ("ops@example.com", "[acme] It stopped")
    assert mail.get_content_type() == "text/plain"
    assert "Reason: tests are missing" in mail.get_content()
    assert "https://muniment.example/archives/x.zip" in mail.get_content()


def test_the_same_delivery_is_the_same_mail() -> None:
    first, again = (
        messages.mail(told(), DELIVERY, sender="m@example.org", recipient="ops@example.com").as_bytes()
        for _ in range(2)
    )

    assert first == again


@given(TEXTS, TEXTS)
def test_nothing_that_is_told_becomes_a_header_of_a_mail(title: str, line: str) -> None:
    mail = sent(told(f"{title}\r\nBcc: eve@evil.example\r\n\r\n{title}", ("By\r\nX", line)))

    assert {name.lower() for name in mail} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted"),
        *("content-type", "content-transfer-encoding", "mime-version"),
    }
    assert mail["To"] == "ops@example.com"


# --- signatures


def verified(secret: str, headers: dict[str, str], body: bytes) -> Any:
    return Webhook(secret).verify(body, headers)


def test_the_library_of_the_standard_verifies_what_we_sign() -> None:
    secret, now = new_secret(), datetime.now(UTC)
    body = messages.webhook_body(told())

    assert (
        verified(secret, signed_headers([secret], DELIVERY, now, body), body)["type"] == "environment.verdict_changed"
    )


@given(st.binary(min_size=24, max_size=64), TEXTS)
def test_we_sign_byte_for_byte_as_the_library_does(key: bytes, text: str) -> None:
    now = datetime.now(UTC)
    secret = "whsec_" + base64.b64encode(key).decode()

    ours = signed_headers([secret], DELIVERY, now, text.encode())["webhook-signature"]

    assert ours == Webhook(secret).sign(message_id(DELIVERY), now, text)


def test_another_body_another_id_another_secret_or_another_day_is_not_verified() -> None:
    secret, now, body = new_secret(), datetime.now(UTC), b'{"a":1}'
    headers = signed_headers([secret], DELIVERY, now, body)
    other = signed_headers([secret], DELIVERY, now - timedelta(minutes=6), body)

    for key, given_headers, given_body in (
        (secret, headers, b'{"a":2}'),
        (secret, headers | {"webhook-id": "msg_other"}, body),
        (new_secret(), headers, body),
        (secret, other, body),
    ):
        with pytest.raises(WebhookVerificationError):
            verified(key, given_headers, given_body)


def test_during_an_overlap_either_secret_verifies() -> None:
    new, old, body = new_secret(), new_secret(), b"{}"
    headers = signed_headers([new, old], DELIVERY, datetime.now(UTC), body)

    assert verified(new, headers, body) == verified(old, headers, body) == {}


def test_every_secret_is_a_new_one_of_enough_bytes() -> None:
    secrets = {new_secret() for _ in range(50)}

    assert len(secrets) == 50
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)


# --- sealing

ORG, NOTICE, SECRET = OrgId(UUID(int=1)), NoticeId(UUID(int=2)), UUID(int=3)


def test_what_is_sealed_opens_only_where_it_belongs() -> None:
    seal = Seal([b"k" * 32])
    sealed = seal.seal("whsec_x", ORG, NOTICE, SECRET)

    assert b"whsec" not in sealed
    assert seal.open(sealed, ORG, NOTICE, SECRET) == "whsec_x"
    assert seal.open(sealed, OrgId(UUID(int=9)), NOTICE, SECRET) is None
    assert seal.open(sealed, ORG, NoticeId(UUID(int=9)), SECRET) is None
    assert seal.open(sealed, ORG, NOTICE, UUID(int=9)) is None
    assert Seal([b"x" * 32]).open(sealed, ORG, NOTICE, SECRET) is None
    assert seal.open(sealed[:-1], ORG, NOTICE, SECRET) is None
    assert seal.open(b"", ORG, NOTICE, SECRET) is None


def test_an_older_key_still_opens_what_it_sealed() -> None:
    sealed = Seal([b"o" * 32]).seal("whsec_x", ORG, NOTICE, SECRET)

    assert Seal([b"n" * 32, b"o" * 32]).open(sealed, ORG, NOTICE, SECRET) == "whsec_x"
    assert not Seal([])


def test_what_the_documentation_shows_receivers_verifies_a_signature() -> None:
    page = (Path(__file__).parents[3] / "docs" / "notices.md").read_text()
    with_library, without = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    secret, body = new_secret(), messages.webhook_body(told())
    headers = signed_headers([new_secret(), secret], DELIVERY, datetime.now(UTC), body)
    shown: dict[str, Any] = {}
    exec(with_library.replace("whsec_...", secret), shown)
    exec(without, shown)

    assert shown["receive"](body, headers)["type"] == "environment.verdict_changed"
    assert shown["is_genuine"](secret, headers, body)
    assert not shown["is_genuine"](secret, headers, body + b" ")
    assert not shown["is_genuine"](secret, headers | {"webhook-timestamp": "1"}, body)
