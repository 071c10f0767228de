"""What every page keeps in a real browser: no serious finding of axe, no sideways scrolling on a phone, light and dark."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.console.conftest import Console
from tests.console.test_pages import addresses

AXE = Path(__file__).parents[1] / "interop/node_modules/axe-core/axe.min.js"
PHONE = {"width": 400, "height": 800}
MISSING = "/o/acme/flows/no-such-flow"


@pytest.fixture(scope="module")
def places(console: Console) -> dict[str, str]:
    """Every page, the page of a fault left out: browsers write those into their console."""
    return addresses(console)


def pages_in(page: Page, places: dict[str, str]) -> Iterator[str]:
    for name, address in places.items():
        page.goto(address)
        yield name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(
    browse: Callable[..., Page], places: dict[str, str], scheme: str
) -> None:
    page = browse("/o/acme/", color_scheme=scheme, bypass_csp=True)
    found: dict[str, list[str]] = {}
    for name in pages_in(page, places):
        page.evaluate("document.querySelectorAll('main details:not(.moment)').forEach(each => { each.open = true; })")
        page.add_script_tag(path=AXE)
        result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [each for each in result["violations"] if each["impact"] in ("serious", "critical")]
        if serious:
            found[name] = [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in serious]

    assert not found


def test_no_page_scrolls_sideways_on_a_phone(browse: Callable[..., Page], places: dict[str, str]) -> None:
    page = browse("/o/acme/", viewport=PHONE)
    wide = {}
    for name in pages_in(page, places):
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[name] = width

    assert not wide


def test_the_way_in_has_nothing_serious_either(browse: Callable[..., Page]) -> None:
    page = browse(None, viewport=PHONE, bypass_csp=True)
    page.add_script_tag(path=AXE)

    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [each["id"] for each in result["violations"] if each["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_light_or_dark_is_the_visitors_choice_and_is_remembered(browse: Callable[..., Page]) -> None:
    page = browse("/o/acme/", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("details.account summary").click()

    page.get_by_role("button", name="Light or dark").click()
    page.goto("/o/acme/flows")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
