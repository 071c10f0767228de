"""Who may look: signing in by key, several organizations, forms that are ours, and what ends a session."""

import uuid

from tests.console.conftest import Console


def test_a_page_asks_visitors_to_sign_in_first_and_leads_back(console: Console) -> None:
    visitor = console.stranger()

    sent_away = visitor.get("/o/acme/flows/payment-api?size=20")

    assert sent_away.status_code == 303
    assert sent_away.headers["location"] == "/sign-in?next=%2Fo%2Facme%2Fflows%2Fpayment-api%3Fsize%3D20"
    led_back = visitor.sign_in(console.key, next="/o/acme/flows/payment-api?size=20")
    assert led_back.headers["location"] == "/o/acme/flows/payment-api?size=20"


def test_nobody_is_led_out_of_the_console_after_signing_in(console: Console) -> None:
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "/o/acme/../../x", "/o/acmeevil/", ""):
        visitor = console.stranger()

        led = visitor.sign_in(console.key, next=wanted)

        assert led.headers["location"] == "/o/acme/"


def test_a_wrong_key_is_refused_in_the_words_of_the_api(console: Console) -> None:
    visitor = console.stranger()

    refused = visitor.sign_in("mun_nonsense")

    assert refused.status_code == 403
    assert "This is not an API key of this server." in refused.text
    assert "Authorization" not in refused.text
    assert 'aria-describedby="refused about-keys"' in refused.text
    assert "muniment-session" not in visitor.http.cookies


def test_a_refusal_does_not_forget_where_the_visitor_wanted_to_go(console: Console) -> None:
    refused = console.stranger().sign_in("mun_nonsense", next="/o/acme/flows?size=20")

    assert '<input type="hidden" name="next" value="/o/acme/flows?size=20">' in refused.text


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(console: Console) -> None:
    visitor = console.stranger()

    signed_in = visitor.sign_in(console.key)

    cookie = next(each for each in signed_in.headers.get_list("set-cookie") if each.startswith("muniment-session="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_signing_in_makes_a_new_secret_so_that_none_can_be_planted(console: Console) -> None:
    visitor = console.visitor()
    before = visitor.http.cookies["muniment-session"]

    visitor.sign_in(console.key)

    assert visitor.http.cookies["muniment-session"] != before
    planted = console.stranger(**{"muniment-session": before})
    assert planted.get("/o/acme/").status_code == 303


def test_signing_out_ends_the_session_on_the_server(console: Console) -> None:
    visitor = console.visitor()
    secret = visitor.http.cookies["muniment-session"]

    visitor.send("/sign-out")

    kept = console.stranger(**{"muniment-session": secret})
    assert kept.get("/o/acme/").status_code == 303


def test_a_revoked_key_ends_its_sessions_with_the_next_request(console: Console) -> None:
    name = f"temporary-{uuid.uuid4().hex[:8]}"
    visitor = console.visitor(console.issue(name, {"role": "READER"}))
    assert visitor.get("/o/acme/flows").status_code == 200

    keys = console.writer.ask("{ record { principals { name keys { id } } } }")["record"]["principals"]
    [key] = next(each["keys"] for each in keys if each["name"] == name)
    console.writer.write("revokeKey", "RevokeKeyInput", keyId=key["id"])

    assert visitor.get("/o/acme/flows").status_code == 303


def test_a_session_is_kept_as_hashes_alone(console: Console) -> None:
    visitor = console.visitor()
    secret = visitor.http.cookies["muniment-session"]

    page = visitor.get("/o/acme/settings").text

    assert secret not in page
    assert console.key not in page


def test_a_form_without_the_visitors_token_records_nothing(console: Console) -> None:
    visitor, other = console.visitor(), console.visitor()
    before = console.writer.ask("{ record { size } }")["record"]["size"]

    for token in ("", "0" * 64, other.token()):
        answer = visitor.http.post("/o/acme/settings/keys", data={"token": token, "description": "stolen"})
        assert answer.status_code == 403
        assert "nothing was recorded" in answer.text

    assert console.writer.ask("{ record { size } }")["record"]["size"] == before


def test_a_form_that_another_site_sends_records_nothing_even_with_a_token(console: Console) -> None:
    visitor = console.visitor()

    answer = visitor.http.post(
        "/o/acme/settings/keys",
        data={"token": visitor.token(), "description": "stolen"},
        headers={"sec-fetch-site": "cross-site"},
    )

    assert answer.status_code == 403


def test_nobody_can_be_signed_in_by_another_site(console: Console) -> None:
    without_page = console.stranger()

    answer = without_page.http.post("/sign-in", data={"key": console.key, "token": "guess"})

    assert answer.status_code == 403
    assert "muniment-session" not in without_page.http.cookies


def test_pressing_a_button_twice_records_once(console: Console) -> None:
    visitor = console.visitor()
    once = str(uuid.uuid4())
    fields = {"name": f"twice-{once[:8]}", "role": "READER", "once": once}

    first = visitor.send("/o/acme/settings/service-accounts", **fields)
    second = visitor.send("/o/acme/settings/service-accounts", **fields)

    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]


def test_one_session_can_be_signed_in_to_several_organizations(console: Console) -> None:
    other = f"globex-{uuid.uuid4().hex[:6]}"
    made = console.organization(other)
    visitor = console.visitor()

    visitor.sign_in(made)

    home = visitor.get("/o/acme/").text
    assert f'href="/o/{other}/"' in home
    assert visitor.get(f"/o/{other}/").status_code == 200
    assert 'href="/o/acme/" aria-current="true"' not in visitor.get(f"/o/{other}/").text


def test_another_organizations_pages_are_closed(console: Console) -> None:
    other = f"initech-{uuid.uuid4().hex[:6]}"
    console.organization(other)

    assert console.visitor().get(f"/o/{other}/").status_code == 303
