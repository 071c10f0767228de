"""Details that users attach: commits, links, free data; what they may hold and what is refused."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muniment.proof import canonical
from record import details
from record.details import Commit, Link
from record.refusals import InvalidInput, Refusal, TooLarge

SHA = "5e1f0c7a9b3d2468ace013579bdf02468ace0135"

GOOD_URLS = [
    "https://ci.example/build/17",
    "http://localhost:8080/",
    "https://ci.example/build/17?x=%20#frag",
    "https://例え.jp/ビルド",
    "HTTPS://CI.EXAMPLE/",
    "https://[2001:db8::1]/x",
]

BAD_URLS = [
    "",
    " ",
    "ci.example/build/17",
    "/build/17",
    "//ci.example/build/17",
    "javascript:alert(1)",
    "JavaScript:alert(1)//https://x",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://ci.example/",
    "https:",
    "https://",
    "https:///path",
    "http:alert(1)",
    "https://[::1",
    " https://ci.example/",
    "https://ci.example/\n",
    "https://ci.example/a b",
    "https://ci.example/\tx",
    "https://ci.example/\x7f",
    "https://ci.example/\u2028x",
    "https://ci.example/\u202egpj.exe",
    "https://" + "a" * 2041,
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_web_address_is_taken_as_it_is(url: str) -> None:
    assert details.checked_url(url, field="url") == url


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        details.checked_url(url, field="build URL")

    assert refused.value.field == "build URL"


def test_no_address_is_no_address() -> None:
    assert details.checked_url(None, field="url") is None


@given(st.text() | st.text().map("https://".__add__) | st.text().map("javascript:".__add__))
@example("https://x\u2029")
def test_whatever_is_accepted_is_a_link_that_a_page_may_show(text: str) -> None:
    try:
        url = details.checked_url(text, field="url")
    except Refusal:
        return

    assert url == text
    assert url.lower().startswith(("https://", "http://"))
    assert url.isprintable()
    assert " " not in url
    assert urlsplit(url).netloc


# --- commits


@pytest.mark.parametrize("sha", ["", "HEAD", "5e1f0c", SHA.upper(), SHA + "\n", "g" * 40, "a" * 65, "5e1f0c7\x00"])
def test_what_is_no_commit_is_refused(sha: str) -> None:
    with pytest.raises(InvalidInput, match="is not a valid commit"):
        details.commit_details(Commit(sha))


@pytest.mark.parametrize("sha", ["5e1f0c7", SHA, "a" * 64])
def test_a_commit_may_be_abbreviated_sha1_or_sha256(sha: str) -> None:
    assert details.commit_details(Commit(sha)) == {"commit": sha}


def test_what_is_known_of_a_commit_is_written_down() -> None:
    told = details.commit_details(
        Commit(
            SHA,
            message="ledger: publish",
            author="Ada <ada@example>",
            url="https://git.example/c",
            committed_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        )
    )

    assert told == {
        "commit": SHA,
        "commit_info": {
            "message": "ledger: publish",
            "author": "Ada <ada@example>",
            "url": "https://git.example/c",
            "committed_at": "2026-11-22T08:30:00.000000Z",
        },
    }


@pytest.mark.parametrize(
    "commit",
    [
        Commit(SHA, message="x" * 10_001),
        Commit(SHA, author="x" * 513),
        Commit(SHA, branch="x" * 513),
        Commit(SHA, url="javascript:alert(1)"),
        Commit(SHA, committed_at=datetime(2026, 11, 22, 8, 30)),  # noqa: DTZ001 (the point)
    ],
)
def test_what_a_commit_may_not_say_is_refused(commit: Commit) -> None:
    with pytest.raises(InvalidInput):
        details.commit_details(commit)


def test_no_commit_says_nothing() -> None:
    assert details.commit_details(None) == {}


# --- links


def test_links_are_kept_by_label_with_their_fingerprints() -> None:
    written = details.links((Link("logs", "https://logs.example/1"), Link("sbom", "https://x.example/", "a" * 64)))

    assert written == {
        "logs": {"url": "https://logs.example/1"},
        "sbom": {"url": "https://x.example/", "sha256": "a" * 64},
    }


@pytest.mark.parametrize(
    "given_links",
    [
        (Link("", "https://x.example/"),),
        (Link("a", "https://x.example/"), Link("a", "https://y.example/")),
        (Link("a" * 129, "https://x.example/"),),
        (Link("a", ""),),
        (Link("a", "javascript:alert(1)"),),
        (Link("a", "https://x.example/", "A" * 64),),
        (Link("a", "https://x.example/", "abc"),),
        (Link("a", "https://x.example/", ""),),
        tuple(Link(str(number), "https://x.example/") for number in range(details.LINKS_MAX + 1)),
    ],
)
def test_what_is_no_link_is_refused(given_links: tuple[Link, ...]) -> None:
    with pytest.raises(InvalidInput):
        details.links(given_links)


# --- what users attach

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(codec=None), max_size=8), JSON, max_size=5))
def test_whatever_is_attached_is_either_canonical_json_or_refused(value: dict[str, Any]) -> None:
    try:
        written = details.attached(value, field="user data")
    except InvalidInput:
        return

    assert canonical.parse(canonical.encode(written)) == written


def test_attachments_have_room_for_16_kib_and_no_more() -> None:
    details.attached({"x": "y" * (details.USER_DATA_BYTES_MAX - 8)}, field="user data")

    with pytest.raises(TooLarge, match="Upload them as evidence"):
        details.attached({"x": "y" * (details.USER_DATA_BYTES_MAX - 7)}, field="user data")


def test_a_text_that_is_too_long_is_refused_with_both_lengths() -> None:
    with pytest.raises(InvalidInput, match=r"has 4001 characters\. Use at most 4000"):
        details.checked_text("x" * 4001, field="description")
