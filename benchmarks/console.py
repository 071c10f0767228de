"""The console: what a page costs beside the document that it is made of, asked through `/graphql` with the same rights.

Both sides keep no answers, so that each page and each answer is made anew; the page then adds the session, the template and the
bytes of HTML.
"""

from typing import Final
from urllib.parse import quote

from starlette.datastructures import QueryParams

from api.console.catalogue import PAGES
from api.console.page import Page
from benchmarks import content, questions
from benchmarks.load import Load, http_request
from benchmarks.rig import Rig
from benchmarks.turns import Contender, Options, Outcome, compare, in_turns
from record.sessions import service as sessions

ENTRIES: Final = 5_000
DELIVERY: Final = 150
PAGE_OF_DOCUMENT: Final = 0.5
"""A page takes at most twice its document's time: it is served at least half as often."""
ADDRESSES: Final[dict[str, dict[str, str]]] = {
    "flow": {"flow": content.flow_name(DELIVERY)},
    "trail": {"flow": content.flow_name(DELIVERY), "trail": content.trail_name(DELIVERY)},
    "artifact": {"fingerprint": content.fingerprint(DELIVERY)},
    "ledger": {},
}


async def measure(rig: Rig, options: Options) -> Outcome:
    """Pages with one document, each against it."""
    house = rig.house("console")
    forgetful = rig.api(house, "api-console", answer_cache_bytes="0")
    async with house.record() as record:
        owner = await content.organization(record, "acme")
        await content.load(record, owner, entries=ENTRIES)
        secret, _ = await sessions.begin(record, owner.token, before=None)
    rig.analyze(house)
    outcome = Outcome([], {})
    by_name = {page.name: page for page in PAGES}
    for name, address in ADDRESSES.items():
        page = by_name[name]
        document = _document(page, address, owner)
        shown = _page(f"/o/{owner.name}" + page.path.format_map({k: quote(v) for k, v in address.items()}), secret)
        rounds = in_turns(
            rig.load,
            [
                Contender("page", forgetful.port, Load([[shown]], b"</html>")),
                Contender("document", forgetful.port, Load([[document]], b'"data"')),
            ],
            options,
        )
        outcome.figures.extend(compare(f"page: {name}", rounds, "page", "document", at_least=PAGE_OF_DOCUMENT))
        outcome.medians[f"page: {name}"] = rounds.summary()
    return outcome


def _document(page: Page, address: dict[str, str], owner: content.Organization) -> bytes:
    [document] = page.documents
    variables = page.variables(document, address, QueryParams(""), owner.caller)
    return questions.graphql(questions.ask_bytes(document.text, variables), owner.headers)


def _page(path: str, secret: str) -> bytes:
    asked = http_request(path, b"", {"cookie": f"muniment-session={secret}"})
    return (
        asked.replace(b"POST ", b"GET ", 1)
        .replace(b"content-length: 0\r\n", b"")
        .replace(b"content-type: application/json\r\n", b"")
    )
