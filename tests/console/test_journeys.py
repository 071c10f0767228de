"""What people come for, in a real browser: each journey ends where its question is answered.

The browser is also the judge of everything else: an error in its console, a violation of the page's policy or a request to
anybody but this server fails the test (`browse`).
"""

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.console import town
from tests.console.conftest import Console

Browse = Callable[..., Page]


def test_somebody_signs_in_and_out_again(browse: Browse, console: Console) -> None:
    page = browse(None)
    page.get_by_label("Your key").fill(console.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="acme")).to_be_visible()

    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_somebody_finds_out_why_production_is_red(browse: Browse) -> None:
    page = browse("/o/acme/")
    page.locator("#live").get_by_role("link", name="production").first.click()

    expect(page.locator(".verdict strong")).to_have_text("Not compliant")
    expect(page.locator("#why + section")).to_contain_text("1 of 2 tests failed")
    page.get_by_role("region", name="Deployments").get_by_role("link", name="v1.1").click()
    page.get_by_role("link", name="junit.xml", exact=True).click()

    expect(page.get_by_role("region", name="Test cases")).to_contain_text("expected 1 payment, got 2")


def test_an_approver_reads_what_a_request_brings_and_approves_it(browse: Browse, console: Console) -> None:
    fingerprint = town.deliver(console.writer, "v1.3", "Tell the bank", tests=town.PASSED, scan=town.sarif())
    town.ask_approval(console.writer, fingerprint, "v1.3 to customers")
    page = browse("/o/acme/", key=console.issue("grace"))
    page.locator("#live").get_by_role("link", name="payment-api to production").first.click()
    expect(page.get_by_role("region", name="Commits")).to_contain_text("Tell the bank")

    page.get_by_label("Comment").fill("The bank agreed")
    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("status")).to_contain_text("Recorded in the ledger as entry")
    expect(page.get_by_role("main")).to_contain_text("Approved by grace")
    expect(page.get_by_role("main")).to_contain_text("The bank agreed")


def test_whoever_requested_it_is_told_that_somebody_else_must_review(browse: Browse, console: Console) -> None:
    asked = town.ask_approval(console.writer, town.fingerprint_of("v1.2"), "mine")
    page = browse(f"/o/acme/approvals/{asked}")

    expect(page.get_by_role("main")).to_contain_text("Reviewing needs the role approver for production")
    page.get_by_label("Why").fill("not yet")
    page.get_by_role("button", name="Withdraw the request").click()

    expect(page.get_by_role("main")).to_contain_text("Withdrawn")


def test_a_waiver_is_asked_for_by_one_and_accepted_by_another(browse: Browse, console: Console) -> None:
    page = browse(f"/o/acme/artifacts/{town.fingerprint_of('v1.1')}")
    page.get_by_text("Ask for an approval or a waiver").click()
    page.get_by_label("To excuse it in").select_option("production")
    page.get_by_label("Until (UTC)").fill((datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Why").fill("until v1.3")
    page.get_by_role("button", name="Request a waiver").click()
    row = page.get_by_role("row").filter(has_text="until v1.3")
    expect(row).to_contain_text("Waiting")
    row.locator("summary").click()
    row.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page = browse("/o/acme/approvals", key=console.issue("grace"))
    row = page.get_by_role("row").filter(has_text="until v1.3")
    row.locator("summary").click()
    row.get_by_role("button", name="Accept").click()

    expect(page.get_by_role("row").filter(has_text="until v1.3")).to_contain_text("In force")
    row = page.get_by_role("row").filter(has_text="until v1.3")
    row.locator("summary").click()
    row.get_by_label("Why").fill("v1.3 is out")
    row.get_by_role("button", name="End it").click()
    expect(page.get_by_role("row").filter(has_text="until v1.3")).to_contain_text("Revoked")


def test_somebody_looks_at_the_record_as_it_stood(browse: Browse) -> None:
    page = browse("/o/acme/environments/production")
    page.locator("details.moment summary").click()
    page.get_by_label("or at a ledger size").fill("34")
    page.get_by_role("button", name="Look back").nth(1).click()

    expect(page.locator("details.moment")).to_contain_text("As it stood at")
    page.get_by_role("link", name="Flows", exact=True).click()
    assert "size=34" in page.url
    page.locator("details.moment summary").click()
    page.get_by_role("link", name="Back to now").click()
    assert "size" not in page.url


def test_somebody_takes_an_archive_away_and_verifies_it_offline(
    browse: Browse, console: Console, tmp_path: Path
) -> None:
    page = browse(f"/o/acme/flows/{town.FLOW}/trails/v1.0")
    page.get_by_role("button", name="Download evidence package").click()
    link = page.get_by_role("link", name="Download the archive")
    expect(link).to_be_visible(timeout=40_000)

    with page.expect_download() as started:
        link.click()

    with zipfile.ZipFile(io.BytesIO(Path(started.value.path()).read_bytes())) as packed:
        packed.extractall(tmp_path)
    verified = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(tmp_path), "--key", console.verifier_key],
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    page.reload()
    expect(page.get_by_role("listitem").filter(has_text="admin, ")).to_be_visible()


def test_an_archives_own_page_opens_without_complaint(browse: Browse, console: Console, tmp_path: Path) -> None:
    page = browse(f"/o/acme/flows/{town.FLOW}/trails/v1.1")
    page.get_by_role("button", name="Download evidence package").click()
    link = page.get_by_role("link", name="Download the archive")
    expect(link).to_be_visible(timeout=40_000)
    with page.expect_download() as started:
        link.click()
    with zipfile.ZipFile(io.BytesIO(Path(started.value.path()).read_bytes())) as packed:
        html = packed.read("index.html").decode()

    page.goto("about:blank")
    page.set_content(html)

    expect(page.locator(".verdict strong")).to_have_text("Not compliant")
    assert page.locator("svg.sign").first.bounding_box() is not None


def test_a_browser_checks_a_proof_and_the_ledgers_growth_by_itself(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/ledger")
    page.get_by_label("The log's verifier key").fill(console.verifier_key)
    page.get_by_role("button", name="Check this checkpoint").click()
    expect(page.locator("muniment-trust")).to_contain_text("The checkpoint is signed by the key that you gave.")
    expect(page.locator("muniment-trust")).to_contain_text("Your first visit with this browser")

    console.writer.write("createFlow", "CreateFlowInput", name="grown-meanwhile")
    page.goto("/o/acme/ledger/12")
    page.get_by_role("button", name="Check this entry").click()
    expect(page.locator("muniment-proof[data-checked]")).to_be_visible()
    assert page.locator("muniment-proof li.ok").count() == 3, page.locator("muniment-proof").inner_text()

    page.goto("/o/acme/ledger")
    page.get_by_role("button", name="Check this checkpoint").click()
    expect(page.locator("muniment-trust")).to_contain_text("It only grew since your last visit")


def test_a_browser_notices_an_entry_that_was_changed(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/ledger/12")
    page.evaluate("document.getElementById('canonical').textContent += ' '")

    page.get_by_role("button", name="Check this entry").click()

    expect(page.locator("muniment-proof")).to_contain_text("The proof does NOT lead to the checkpoint's root.")


def test_a_browser_notices_a_ledger_that_was_rewritten(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/ledger")
    origin = page.locator("muniment-trust").get_attribute("data-origin")
    page.evaluate(
        "origin => localStorage.setItem(`seen:${origin}`, JSON.stringify({size: 5, root: btoa('x'.repeat(32))}))",
        origin,
    )

    page.get_by_role("button", name="Check this checkpoint").click()

    expect(page.locator("muniment-trust")).to_contain_text("the ledger was rewritten")


def test_entries_arrive_while_somebody_watches(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/ledger")
    before = page.locator("#live").bounding_box()

    console.writer.write("createFlow", "CreateFlowInput", name="arrives-live")

    expect(page.locator("#live tbody tr").first).to_contain_text("flow.created", timeout=15_000)
    after = page.locator("#live").bounding_box()
    assert before is not None
    assert after is not None
    assert (before["x"], before["y"], before["width"]) == (after["x"], after["y"], after["width"])


def test_an_admin_issues_a_key_that_is_shown_once_and_revokes_it(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/settings")
    page.get_by_text("A new key", exact=True).click()
    page.get_by_label("What it is for").fill("a laptop")
    page.get_by_role("button", name="Issue it").click()
    token = page.locator("#new-key").inner_text()
    assert token.startswith("mun_")
    assert console.visitor(token).get("/o/acme/").status_code == 200

    page.get_by_role("link", name="Back to the settings").click()
    assert token not in page.content()
    row = page.get_by_role("row").filter(has_text="a laptop").first
    row.locator("summary").click()
    row.get_by_label("Why").fill("lost")
    row.get_by_role("button", name="Revoke at once").click()

    expect(page.get_by_role("status")).to_contain_text("Recorded in the ledger as entry")
    assert console.stranger().sign_in(token).status_code == 403


def test_a_policy_is_tried_line_by_line_before_it_is_recorded(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/policies/production-gate?against=production")
    expect(page.get_by_role("row").filter(has_text="unit-tests")).to_contain_text("Not compliant")

    page.get_by_label("Text").fill("version: 1\nartifacts:\n  provenance: {required: true}\n")
    page.get_by_role("button", name="Try, record nothing").click()

    expect(page.locator(".verdict strong")).to_have_text("Compliant")
    expect(page.get_by_label("Text")).to_have_value("version: 1\nartifacts:\n  provenance: {required: true}\n")
    page.get_by_label("Text").fill("version: 1\nnonsense: true\n")
    page.get_by_role("button", name="Record version 2").click()
    expect(page.get_by_role("alert")).to_contain_text("nonsense")
    expect(page.get_by_label("Text")).to_have_value("version: 1\nnonsense: true\n")


def test_an_auditor_finds_which_change_broke_a_control(browse: Browse) -> None:
    page = browse("/o/acme/controls")
    page.get_by_role("link", name="SOC 2").click()
    expect(page.get_by_role("region", name="Coverage")).to_contain_text("of 2")
    page.get_by_role("link", name="CC8.1").click()

    broken = page.get_by_role("row").filter(has_text="Not met").first

    expect(broken).to_contain_text("1 of 2 tests failed")


def test_adoption_is_a_chart_and_its_numbers(browse: Browse) -> None:
    page = browse("/o/acme/adoption")

    expect(page.get_by_role("img", name="Share of runs that were reported as deployed")).to_be_visible()
    expect(page.get_by_role("region", name="By environment")).to_contain_text("production")


def test_a_commit_leads_to_its_trail(browse: Browse) -> None:
    page = browse("/o/acme/")
    page.get_by_role("searchbox").fill("v1.")
    page.keyboard.press("Enter")

    page.get_by_role("main").get_by_role("link", name="v1.2").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("v1.2")


def test_everything_but_live_parts_works_without_javascript(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/", java_script_enabled=False)
    page.get_by_role("link", name="Flows", exact=True).click()
    page.get_by_role("main").get_by_role("link", name="payment-api", exact=True).click()
    page.get_by_role("main").get_by_role("link", name="v1.0", exact=True).click()
    page.get_by_role("button", name="Download evidence package").click()
    expect(page.get_by_role("heading", name="How to check it")).to_be_visible()

    page.locator("details.account summary").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_keyboard_alone_leads_from_the_door_to_the_reason(browse: Browse, console: Console) -> None:
    page = browse(None)
    page.keyboard.type(console.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/acme/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")

    reached = _tab_to(page, "production")
    assert reached, "no Tab reaches the link"
    page.keyboard.press("Enter")
    page.wait_for_url("**/environments/production*")
    assert _tab_to(page, "As it stands now", key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("As it stood at (UTC)")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("As it stood at (UTC)")).to_be_hidden()


def _tab_to(page: Page, text: str, *, key: str = "Tab") -> bool:
    """Presses Tab until something that says so has the focus, and shows it."""
    for _ in range(40):
        page.keyboard.press(key)
        said, ring = page.evaluate(
            "(e => [e.textContent.trim(), getComputedStyle(e).outlineStyle])(document.activeElement)"
        )
        if said.startswith(text):
            assert ring != "none", "what has the focus does not show it"
            return True
    return False
