"""API keys as texts: one form, one checksum, one sentence for everything that is no key."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.access import tokens
from record.ids import OrgId, uuid7
from record.refusals import Unauthenticated

ORG = OrgId(UUID(int=2**127 + 7))


@given(st.uuids())
def test_a_token_tells_its_organization_and_nothing_else(org_id: UUID) -> None:
    token = tokens.new_token(OrgId(org_id))

    assert tokens.organization_of(token) == org_id
    assert token.startswith("mun_")
    assert token.isascii()
    assert len(token) == 75


def test_two_tokens_of_one_organization_share_no_secret() -> None:
    made = {tokens.new_token(ORG) for _ in range(50)}

    assert len({token[26:] for token in made}) == 50


@given(place=st.integers(min_value=0, max_value=74), letter=st.characters())
def test_a_token_with_one_letter_changed_is_no_token(place: int, letter: str) -> None:
    token = tokens.new_token(ORG)
    changed = token[:place] + letter + token[place + 1 :]

    if changed != token:
        with pytest.raises(Unauthenticated, match="not an API key of this server"):
            tokens.organization_of(changed)


@given(st.text())
def test_no_text_breaks_the_reader_of_tokens(text: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.organization_of(text)


def test_a_token_with_an_impossible_organization_is_no_token() -> None:
    body = "mun_" + "z" * 22 + "0" * 43
    token = body + tokens._checksum(body)

    with pytest.raises(Unauthenticated):
        tokens.organization_of(token)


@pytest.mark.parametrize("cut", [0, 1, 74])
def test_a_cut_token_is_no_token(cut: int) -> None:
    with pytest.raises(Unauthenticated):
        tokens.organization_of(tokens.new_token(OrgId(uuid7()))[:cut])
