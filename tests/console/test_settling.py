"""Frameworks, mappings and the organization's settings, recorded through forms: by whom, with what refusals, and what is shown."""

import html
import re
import uuid

import httpx
import pytest
from playwright.sync_api import expect

from tests.console import town
from tests.console.conftest import Console, Visitor
from tests.console.test_journeys import Browse
from tests.record.controls.catalogues import catalogue, control

RECORDED = re.compile(r"Recorded in the ledger as <a[^>]*>entry (\d+)</a>")


@pytest.fixture
def reader(console: Console) -> Visitor:
    """Somebody who may look at everything and record nothing."""
    return console.visitor(console.issue(f"reader-{uuid.uuid4().hex[:8]}", {"role": "READER"}))


def size_of(console: Console) -> int:
    size: int = console.writer.ask("{ record { size } }")["record"]["size"]
    return size


def kind_of(console: Console, index: str) -> str:
    asked = "query ($i: EntryIndex!) { record { ledger { entry(index: $i) { kind } } } }"
    kind: str = console.writer.ask(asked, i=int(index))["record"]["ledger"]["entry"]["kind"]
    return kind


def imported(visitor: Visitor, file: bytes | None, **fields: str) -> httpx.Response:
    """The form of an import, as a browser sends it."""
    files = {"catalogue": ("house.json", file or b"", "application/json")}
    token = visitor.token(visitor.http.get("/o/acme/search"))
    return visitor.http.post("/o/acme/controls", data={"token": token, **fields}, files=files)


def test_a_catalogue_is_imported_from_a_file_and_then_a_new_version_from_a_text(console: Console) -> None:
    visitor, name = console.visitor(), f"house-{uuid.uuid4().hex[:8]}"

    first = imported(visitor, catalogue(control("C1"), control("C2")), framework=name)
    shown = visitor.get(first.headers["location"]).text
    text = catalogue(control("C1"), control("C2"), control("C3")).decode()
    second = imported(visitor, None, framework=name, text=text, title="Our rules", comment="a third one")

    assert first.status_code == second.status_code == 303
    recorded = RECORDED.search(shown)
    assert recorded is not None
    assert kind_of(console, recorded[1]) == "framework.recorded"
    assert ">C2</a>" in shown
    again = visitor.get(second.headers["location"]).text
    assert "Version 2, 3 controls" in again
    assert "<h1>Our rules</h1>" in again


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        (None, {}, "There is no catalogue in this form"),
        (b"{}", {"text": "{}"}, "Choose a file or paste its text, and not both"),
        (b'{"profile": {}}', {}, "This is not an OSCAL catalogue"),
        (b"not json", {}, "JSON"),
        (catalogue(control("C1")), {"framework": "not a name"}, "is not a valid framework name"),
    ],
    ids=["nothing", "both", "profile", "text", "name"],
)
def test_an_import_that_is_refused_says_so_beside_the_field_and_keeps_what_was_written(
    console: Console, file: bytes | None, fields: dict[str, str], said: str
) -> None:
    wished = {"framework": f"refused-{uuid.uuid4().hex[:6]}", "title": "Kept title", **fields}

    answer = imported(console.visitor(), file, **wished)

    assert answer.status_code == 422
    [beside] = re.findall(r'<p class="refused beside"[^>]*>(.*?)</p>', answer.text)
    assert said in beside
    assert 'value="Kept title"' in answer.text
    assert "open" in answer.text.partition('id="import"')[2]


def test_whoever_may_not_import_is_told_which_role_would_and_nothing_is_stored(
    console: Console, reader: Visitor
) -> None:
    page = reader.get("/o/acme/controls").text
    before = size_of(console)

    answer = imported(reader, catalogue(control("X1")), framework="sneaked")

    assert "Import it" not in page
    assert "Adding one needs the role writer or admin" in page
    assert answer.status_code == 403
    assert "Ask an admin for the role" in answer.text
    assert size_of(console) == before


LISTED = """\
# Changes

H-1  Every change is reviewed
  Whoever wrote it
  does not count.
H-2 What is delivered was tested
# People
H-3 Leavers lose their keys"""


def test_a_framework_is_written_by_hand_in_a_browser(browse: Browse, console: Console) -> None:
    name = f"hand-{uuid.uuid4().hex[:8]}"
    page = browse("/o/acme/controls")
    page.get_by_text("By hand, control by control").click()
    form = page.locator("#by-hand")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_label("Title", exact=True).fill("House rules")
    form.get_by_label("Controls, one a line").fill(LISTED)
    form.get_by_label("Why it is recorded").fill("agreed in spring")
    form.get_by_role("button", name="Record this framework").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("House rules")
    expect(page.get_by_role("status")).to_contain_text("Recorded in the ledger as entry")
    asked = "query ($n: String!) { record { framework(name: $n) { controls { nodes { control title section statement } } } } }"
    found = console.writer.ask(asked, n=name)["record"]["framework"]["controls"]["nodes"]
    assert [(each["control"], each["section"], each["statement"]) for each in found] == [
        ("H-1", "Changes", "Whoever wrote it\ndoes not count."),
        ("H-2", "Changes", ""),
        ("H-3", "People", ""),
    ]
    assert found[0]["title"] == "Every change is reviewed"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "not a name"}, "is not a valid framework name"),
        ({"name": "soc2"}, "A framework called soc2 exists already"),
        ({"title": "  "}, "A framework needs a title"),
        ({"controls": " \n"}, "List at least one"),
        ({"controls": "H-1 Reviewed\nH-2"}, "Line 2, 'H-2', is an id without a title"),
        ({"controls": "  of what"}, "Line 1 begins with a blank"),
        ({"controls": "H/1 Reviewed"}, "'H/1' is not a valid control id"),
        ({"controls": "H-1 Reviewed\nh-1 Again"}, "The control h-1 is there twice"),
    ],
    ids=["name", "taken", "title", "none", "titleless", "blank", "id", "twice"],
)
def test_a_framework_that_is_refused_says_so_beside_the_field_and_keeps_what_was_written(
    console: Console, fields: dict[str, str], said: str
) -> None:
    visitor, before = console.visitor(), size_of(console)
    wished = {"name": f"refused-{uuid.uuid4().hex[:6]}", "title": "Kept", "controls": "K-1 Kept", "comment": "Why so"}

    answer = visitor.send("/o/acme/frameworks", **wished | fields)

    assert answer.status_code == 422
    [beside] = re.findall(r'<p class="refused beside"[^>]*>(.*?)</p>', answer.text)
    assert said in html.unescape(beside)
    imports, _, by_hand = answer.text.partition('id="by-hand"')
    assert by_hand.startswith(" open")
    for name, written in (wished | fields).items():
        assert html.escape(written, quote=False).strip() in by_hand, name
    assert "Why so" not in imports
    assert size_of(console) == before


def test_whoever_may_not_write_makes_no_framework(console: Console, reader: Visitor) -> None:
    before = size_of(console)

    answer = reader.send("/o/acme/frameworks", name="sneaked", title="Sneaked", controls="S-1 Sneaked")

    assert answer.status_code == 422
    assert "Ask an admin for the role" in answer.text
    assert size_of(console) == before


def test_a_form_with_a_file_needs_the_visitors_token_too(console: Console) -> None:
    visitor, before = console.visitor(), size_of(console)

    answer = imported(visitor, catalogue(control("X2")), framework="forged", token="0" * 64)

    assert answer.status_code == 403
    assert "nothing was recorded" in answer.text
    assert size_of(console) == before


def test_a_control_is_mapped_changed_and_unmapped_in_a_browser(browse: Browse, console: Console) -> None:
    page = browse("/o/acme/controls/soc2/CC7.1")
    page.get_by_label("Name", exact=True).first.fill("security-scan")
    page.get_by_label("Type").first.fill("sarif")
    page.get_by_label("By how many people at least").fill("2")
    page.get_by_label("authors of the commits do not count").check()
    page.get_by_label("production-gate").check()
    page.get_by_label("Ask it only of changes to").fill("production")
    page.get_by_label("Why it is mapped so").fill("as agreed with the auditors")
    page.get_by_role("button", name="Record this mapping").click()

    expect(page.get_by_role("status")).to_contain_text("Recorded in the ledger as entry")
    facts = page.get_by_role("main").locator("dl").first
    expect(facts).to_contain_text("security-scan (sarif)")
    expect(facts).to_contain_text("approvals, at least 2, not by an author")
    expect(facts).to_contain_text("policy production-gate")
    expect(facts).to_contain_text("of changes to production only")

    page.get_by_text("Change its mapping").click()
    expect(page.get_by_label("Name", exact=True).first).to_have_value("security-scan")
    expect(page.get_by_label("authors of the commits do not count")).to_be_checked()
    page.get_by_label("Type").nth(1).fill("no-such-type")
    page.get_by_role("button", name="Record this mapping").click()
    expect(page.get_by_role("alert")).to_contain_text("no-such-type")
    expect(page.get_by_label("Type").nth(1)).to_have_value("no-such-type")

    page.get_by_label("Why it is taken back").fill("tested elsewhere")
    page.get_by_role("button", name="Take the mapping back").click()
    expect(page.get_by_role("main")).to_contain_text("so it is not tested")


def test_mapping_is_closed_to_readers(console: Console, reader: Visitor) -> None:
    page = reader.get("/o/acme/controls/soc2/CC8.1").text
    fields = {"attestation": "unit-tests", "type": "", "flows": ""}

    answer = reader.http.post(
        "/o/acme/controls/soc2/CC8.1/mapping",
        data={"token": reader.token(reader.http.get("/o/acme/search")), **fields},
    )

    assert "Record this mapping" not in page
    assert "Mapping a control needs the role writer or admin" in page
    assert answer.status_code == 422
    assert "Ask an admin for the role" in answer.text


def test_the_organizations_settings_are_changed_and_a_wrong_pattern_is_refused_beside_its_field(
    console: Console,
) -> None:
    name = f"settled-{uuid.uuid4().hex[:6]}"
    visitor = console.visitor(console.organization(name))
    where, path = f"/o/{name}/settings", f"/o/{name}/settings/organization"
    token = visitor.token(visitor.http.get(where))
    wished = {"token": token, "days": "400", "pattern": "^team-[a-z-]+$", "types": "junit, sarif", "public": "on"}

    changed = visitor.http.post(path, data=wished)
    shown = visitor.get(changed.headers["location"].partition("#")[0]).text
    refused = visitor.http.post(path, data={**wished, "pattern": "([a-z"})
    lifted = visitor.http.post(path, data={"token": token, "days": "400", "pattern": "", "types": ""})
    after = visitor.get(lifted.headers["location"].partition("#")[0]).text

    assert changed.status_code == 303
    assert "Recorded in the ledger as" in shown
    for said in ("400 days", "^team-[a-z-]+$", "junit, sarif", "yes: anonymous readers see all of it"):
        assert said in shown
    assert refused.status_code == 422
    [beside] = re.findall(r'<p class="refused beside"[^>]*>(.*?)</p>', refused.text)
    assert "is no regular expression" in beside
    assert 'value="([a-z"' in refused.text
    assert "as you like" in after
    assert "nothing in particular" in after


def test_settings_are_closed_to_everybody_but_admins(console: Console, reader: Visitor) -> None:
    page = reader.get("/o/acme/settings").text

    answer = reader.send("/o/acme/settings/organization", days="1", pattern="", types="", public="on")

    assert "Record these settings" not in page
    assert "Changing these needs the role admin." in page
    assert answer.status_code == 422
    assert "Ask an admin for the role admin" in answer.text


def test_an_artifact_that_no_flow_reported_has_a_page_of_its_own(browse: Browse) -> None:
    page = browse("/o/acme/environments/staging")
    page.get_by_role("region", name="What runs now").get_by_role("link", name="redis").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("redis")
    expect(page.locator(".verdict")).to_contain_text("No flow reported it: its provenance is unknown")
    expect(page.get_by_role("main")).to_contain_text(f"--fingerprint {town.fingerprint_of('redis')}")
    runs = page.get_by_role("region", name="Runs")
    expect(runs).to_contain_text("staging")
    expect(runs).to_contain_text("still running")


def test_somebody_with_narrowed_roles_is_not_told_that_nobody_reported_it(console: Console) -> None:
    name = f"narrow-{uuid.uuid4().hex[:8]}"
    key = console.issue(name, {"role": "READER", "environments": ["production"]})

    page = console.visitor(key).get(f"/o/acme/artifacts/{town.fingerprint_of('v1.0')}").text

    assert "No flow that you may read reported it" in page


def test_somebody_changes_what_a_colleague_may_do(browse: Browse, console: Console) -> None:
    name = f"colleague-{uuid.uuid4().hex[:8]}"
    console.writer.write("addPerson", "AddPrincipalInput", name=name, grants=[{"role": "READER"}])
    page = browse("/o/acme/settings")
    page.get_by_role("link", name=f"Change {name}").click()
    page.get_by_role("group", name="Roles from now on").get_by_label("auditor").check()
    page.get_by_role("button", name="Record the change").click()

    expect(page.get_by_role("status")).to_contain_text("Recorded in the ledger as entry")
    row = page.get_by_role("region", name="People and service accounts").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("auditor")


def test_every_checkpoint_leads_to_the_record_that_it_covers(browse: Browse) -> None:
    page = browse("/o/acme/ledger")
    page.get_by_role("link", name="all checkpoints").click()
    row = page.get_by_role("region", name="Checkpoints").get_by_role("row").nth(1)
    row.locator("summary").click()
    expect(row).to_contain_text("/log/acme\n")

    row.get_by_role("link", name="the record then").click()

    expect(page.locator("details.moment")).to_contain_text("As it stood at")
