"""What every page keeps: its budgets, its escaping, its moment, and that it is made of its documents alone."""

import hashlib
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from graphql import parse, validate

from api.console.actions import ACTIONS
from api.console.catalogue import JUDGED_MAX, PAGES
from api.console.page import DOCUMENTS_MAX, Page
from api.console.static import ASSETS
from api.graphql.schema import SCHEMA
from tests.console import town
from tests.console.conftest import Console, Visitor

HTML_BYTES_MAX = 200_000
ANSWER_BYTES_MAX = 100_000
ASSET_BYTES_MAX = 120_000
HTMX_SHA256 = "60231ae6ba9db3825eb15a261122d5f55921c4d53b66bf637dc18b4ee27c79f9"
VENDORED = Path(__file__).parents[2] / "api/console/static/vendor"
ENTRY_LINK = re.compile(r'href="/o/acme/ledger/(\d+)')


def addresses(console: Console) -> dict[str, str]:
    """One address of every page."""
    found = console.writer.ask(
        """{ record {
            environment(name: "production") { deployments(first: 1) { nodes { id } } }
            trail(flow: "payment-api", name: "v1.1") { attestations { id evidence { digest } } }
            archives(first: 1) { nodes { id } }
            approvals(first: 1) { nodes { id } }
        } }"""
    )["record"]
    if not found["archives"]["nodes"]:
        console.writer.write("requestArchive", "RequestArchiveInput", kind="TRAIL", flow=town.FLOW, trail="v1.0")
        return addresses(console)
    attestation = next(each for each in found["trail"]["attestations"] if each["evidence"])
    names = {
        "environment": "production",
        "number": "2",
        "flow": town.FLOW,
        "trail": "v1.1",
        "fingerprint": town.fingerprint_of("v1.1"),
        "policy": "production-gate",
        "framework": "soc2",
        "control": "CC8.1",
        "notice": "red-production",
        "index": "12",
        "digest": attestation["evidence"][0]["digest"],
    }
    ids = {
        "deployment": found["environment"]["deployments"]["nodes"][0]["id"],
        "evidence": attestation["id"],
        "approval": found["approvals"]["nodes"][0]["id"],
        "archive": found["archives"]["nodes"][0]["id"],
    }

    def address(page: Page) -> str:
        known = names | {"id": ids.get(page.name, "")}
        return "/o/acme" + re.sub(r"\{(\w+)\}", lambda hole: quote(known[hole[1]], safe=""), page.path)

    made = {page.name: address(page) for page in PAGES}
    return made | {"policy tried": made["policy"] + "?against=production", "found": made["search"] + "?q=payment"}


@pytest.fixture(scope="module")
def served(console: Console, admin: Visitor) -> dict[str, str]:
    """Every page, as HTML."""
    pages = {}
    for name, address in addresses(console).items():
        answer = admin.get(address)
        assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.text[:400]}"
        pages[name] = answer.text
    return pages


def test_every_page_is_served_without_complaint(served: dict[str, str]) -> None:
    for name, page in served.items():
        assert "could not be read" not in page, name
        assert "</html>" in page, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_one_or_two_documents_that_the_schema_answers(page: Page) -> None:
    assert 1 <= len(page.documents) <= DOCUMENTS_MAX
    for document in page.documents:
        assert not _invalid(document.text), document.name


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_form_has_a_mutation_that_the_schema_knows(action: object) -> None:
    assert not _invalid(action.document.text)  # type: ignore[attr-defined]


def _invalid(text: str) -> list[str]:
    return [error.message for error in validate(SCHEMA._schema, parse(text))]


def test_the_documents_of_every_page_are_one_click_away(served: dict[str, str]) -> None:
    for page in PAGES:
        for document in page.documents:
            assert f"<h3>{document.name}.graphql</h3>" in served[page.name], page.name


def test_a_page_shows_the_answer_that_it_was_made_from(admin: Visitor) -> None:
    answer = admin.get("/o/acme/flows/payment-api?answer=json").json()

    assert answer["flow"]["data"]["record"]["flow"]["name"] == "payment-api"


def test_pages_about_the_record_can_be_looked_at_as_they_stood() -> None:
    without = {page.name for page in PAGES if not page.has_moment}

    assert without == {"evidence", "archive", "entry", "settings", "notices", "notice"}


def test_a_page_as_it_stood_keeps_its_moment_in_every_link(admin: Visitor) -> None:
    page = admin.get("/o/acme/flows/payment-api?size=21").text

    assert "As it stood at" in page
    page = re.sub(r"<a[^>]*>Back to now</a>", "", page)
    for link in re.findall(r'href="(/o/acme/(?:flows|environments|policies|ledger)[^"]*)"', page):
        assert "size=21" in link, link
    assert "v1.2" not in page


def test_facts_link_to_the_entries_behind_them(served: dict[str, str]) -> None:
    without = {name for name in set(served) - {"search", "adoption"} if not ENTRY_LINK.search(served[name])}

    assert not without


def test_no_page_is_heavier_than_its_budget(served: dict[str, str]) -> None:
    assert max(len(page.encode()) for page in served.values()) < HTML_BYTES_MAX


def test_long_lists_are_turned_page_by_page_within_the_budget(console: Console, admin: Visitor) -> None:
    wide = "".join(f"        - {{name: check-{number}, type: generic}}\n" for number in range(18))
    template = f"version: 1\ntrail:\n  attestations:\n{wide.replace('        -', '    -')}"
    console.writer.write("createFlow", "CreateFlowInput", name="busy", template=template)
    for number in range(35):
        console.writer.write("beginTrail", "BeginTrailInput", flow="busy", name=f"run-{number:03}")
    console.writer.write("createEnvironment", "CreateEnvironmentInput", name="crowded", type="K8S")
    console.writer.write("attachPolicy", "PolicyAttachmentInput", policy="production-gate", environment="crowded")
    town.snapshot(console.writer, "crowded", *[(town.fingerprint_of(f"s{n}"), f"service-{n}", 3) for n in range(150)])

    flow, crowded = admin.get("/o/acme/flows/busy"), admin.get("/o/acme/environments/crowded")

    assert max(len(flow.content), len(crowded.content)) < HTML_BYTES_MAX
    assert "145 more artifacts" in crowded.text
    assert "run-034" in flow.text
    assert "run-004" not in flow.text
    next_turn = re.search(r'href="([^"]*)">Next', flow.text)
    assert next_turn is not None
    assert "run-004" in admin.get(next_turn[1].replace("&amp;", "&")).text


def test_styles_and_scripts_together_are_within_their_budget() -> None:
    weights = [len(asset.body) for name, asset in ASSETS.items() if name.endswith((".css", ".js"))]

    assert sum(weights) < ASSET_BYTES_MAX


def test_htmx_is_the_very_file_that_was_reviewed_and_carries_its_licence() -> None:
    [script] = VENDORED.glob("*.js")

    assert hashlib.sha256(script.read_bytes()).hexdigest() == HTMX_SHA256
    assert "Zero-Clause BSD" in (VENDORED / "htmx-LICENSE.txt").read_text()


def test_files_are_served_under_their_digest_for_ever(admin: Visitor) -> None:
    for asset in ASSETS.values():
        answer = admin.get(asset.path)
        assert answer.content == asset.body
        assert "immutable" in answer.headers["cache-control"]
    assert admin.get("/static/0000000000000000/console.css").status_code == 404


def test_nothing_may_run_in_a_page_but_the_consoles_own_files(admin: Visitor) -> None:
    answer = admin.get("/o/acme/")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "private, no-store"


def test_no_page_has_inline_scripts_or_styles(served: dict[str, str]) -> None:
    for name, page in served.items():
        assert not re.search(r"<script(?![^>]*src=)", page), name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page), name


def test_what_strangers_wrote_is_shown_and_never_run(console: Console, admin: Visitor) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    console.writer.write("createFlow", "CreateFlowInput", name="hostile", description=hostile)
    console.writer.write(
        "beginTrail",
        "BeginTrailInput",
        flow="hostile",
        name="t",
        description=hostile,
        originUrl="https://x.example/?q=" + quote(hostile),
        commit={"sha": "a" * 40, "message": hostile, "author": hostile},
    )

    for address in (
        "/o/acme/flows",
        "/o/acme/flows/hostile",
        "/o/acme/flows/hostile/trails/t",
        "/o/acme/search?q=hostile",
    ):
        page = admin.get(address).text
        assert "<img src=x" not in page
        assert "{{7*7}}" in page


def test_an_address_that_is_no_page_is_a_page_that_says_so(admin: Visitor) -> None:
    for address in (
        "/o/acme/nothing",
        "/o/acme/flows/nothing",
        "/o/acme/ledger/999999999",
        "/o/acme/artifacts/" + "0" * 64,
    ):
        answer = admin.get(address)
        assert answer.status_code == 404, address
        assert "There is no" in answer.text


def test_what_cannot_be_asked_is_explained(admin: Visitor) -> None:
    for address in (
        "/o/acme/flows?size=999999999",
        "/o/acme/flows?at=nonsense",
        "/o/acme/flows?size=x",
        "/o/acme/ledger/abc",
    ):
        answer = admin.get(address)
        assert answer.status_code == 400, address
        assert "<h1>This cannot be shown</h1>" in answer.text


def test_pages_that_roles_do_not_open_say_which_role_would(console: Console) -> None:
    visitor = console.visitor(console.issue("narrow-reader", {"role": "READER", "flows": [town.FLOW]}))

    refused = visitor.get("/o/acme/archives")
    home = visitor.get("/o/acme/")

    assert refused.status_code == 403
    assert "Ask an admin for the role" in refused.text
    assert home.status_code == 200
    assert "payment-api" in home.text
    assert "Last recorded" not in home.text


def test_a_part_that_reloads_itself_is_told_when_nothing_changed(admin: Visitor) -> None:
    page = admin.get("/o/acme/ledger?size=20")
    assert page.status_code == 200
    for _ in range(5):  # an entry may be recorded in between
        live = admin.get("/o/acme/flows/payment-api/trails/v1.0").text
        seen = re.search(r'"Muniment-Seen": "([0-9a-f]+)"', live)
        assert seen is not None
        again = admin.get("/o/acme/flows/payment-api/trails/v1.0", **{"muniment-seen": seen[1]})
        if again.status_code == 204:
            break

    assert again.status_code == 204
    assert again.content == b""


def test_very_long_names_are_shown_whole(console: Console, admin: Visitor) -> None:
    name = "a" + "very-long-name." * 17
    console.writer.write("createFlow", "CreateFlowInput", name=name[:256], description="long")

    page = admin.get(f"/o/acme/flows/{name[:256]}")

    assert page.status_code == 200
    assert name[:256] in page.text


def test_reports_are_previewed_as_tables_and_texts(console: Console, admin: Visitor) -> None:
    found = console.writer.ask(
        '{ record { trail(flow: "payment-api", name: "v1.1") { attestations { id type evidence { digest } } } } }'
    )["record"]["trail"]["attestations"]
    pages = {
        each["type"]: admin.get(f"/o/acme/attestations/{each['id']}/evidence/{each['evidence'][0]['digest']}").text
        for each in found
    }

    assert "expected 1 payment, got 2" in pages["junit"]
    assert "<td" in pages["junit"]
    assert "python.style.long-line" in pages["sarif"]
    assert "app/refunds.py:7" in pages["sarif"]
    assert "&#34;approvedBy&#34;" in pages["generic"]
    assert "<script>alert" not in pages["junit"]


def test_evidence_and_archives_are_downloads_for_the_signed_in_alone(console: Console, admin: Visitor) -> None:
    [attestation, *_] = console.writer.ask(
        '{ record { trail(flow: "payment-api", name: "v1.0") { attestations { evidence { digest fileName } } } } }'
    )["record"]["trail"]["attestations"]
    digest = attestation["evidence"][0]["digest"]

    answer = admin.get(f"/o/acme/evidence/sha256:{digest}?name=x.json")
    stranger = console.stranger().get(f"/o/acme/evidence/sha256:{digest}")

    assert hashlib.sha256(answer.content).hexdigest() == digest
    assert answer.headers["content-disposition"].startswith("attachment")
    assert stranger.status_code == 303


def test_an_organization_that_is_open_to_everyone_can_be_read_without_signing_in(console: Console) -> None:
    writer = console.writer_of(console.organization("commons"))
    writer.write("createFlow", "CreateFlowInput", name="open-source", description="for all", public=True)
    writer.write("createFlow", "CreateFlowInput", name="closed-source")
    anyone = console.stranger()

    open_flow = anyone.get("/o/commons/flows/open-source")
    closed = anyone.get("/o/commons/flows/closed-source")

    assert open_flow.status_code == 200
    assert "Sign in" in open_flow.text
    assert closed.status_code == 404


def test_an_environment_in_which_very_much_runs_is_not_judged_in_full_for_its_page(console: Console) -> None:
    key = console.organization("vast")
    writer, visitor = console.writer_of(key), console.visitor(key)
    writer.write("createEnvironment", "CreateEnvironmentInput", name="vast", type="K8S", graceSeconds=0)
    writer.write(
        "createPolicy",
        "CreatePolicyInput",
        name="known",
        document="version: 1\nartifacts: {provenance: {required: true}}\n",
    )
    writer.write("attachPolicy", "PolicyAttachmentInput", policy="known", environment="vast")
    town.snapshot(
        writer, "vast", *[(town.fingerprint_of(f"v{n}"), f"service-{n:04}", 1) for n in range(JUDGED_MAX + 1)]
    )
    size = writer.ask("{ record { size } }")["record"]["size"]

    past = visitor.get(f"/o/vast/environments/vast?size={size}")
    in_full = visitor.get(f"/o/vast/environments/vast?size={size}&worst=5")
    home = visitor.get(f"/o/vast/?size={size}")

    assert "Nobody has judged it by then" in past.text
    assert "1,001 artifacts run here" in past.text
    assert past.text.count("1 rule is not satisfied.") == 25
    assert "more artifacts, none of them worse" not in past.text
    assert "996 more artifacts, none of them worse" in in_full.text
    assert "Nobody has judged it" not in in_full.text
    assert "not judged yet" in home.text
    assert "service-0003" not in home.text.partition("<h2>Environments")[0]
    assert "More drifts in" in home.text
    assert max(len(each.content) for each in (past, in_full, home)) < HTML_BYTES_MAX
    assert len(visitor.get(f"/o/vast/environments/vast?size={size}&answer=json").content) < ANSWER_BYTES_MAX
