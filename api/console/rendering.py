"""Templates: what every page may use, and how its links are made.

Everything is escaped, and a name that a template misspells fails instead of showing nothing. A page depends on its answers alone,
never on the time at which it is rendered: instants are written out, in UTC, so the same answer gives the same page.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.datastructures import QueryParams

from api.console import attention, events, forms, lines, matrix, static, timeline
from api.console.catalogue import PAGES, SECTIONS
from api.console.page import PAGES as FOLDER
from api.console.page import Page
from record import showing
from record.verdicts import Status

_BRACES: Final = re.compile(r"\{([a-z]+)\}")
_LINE: Final = re.compile(r"\bline (\d+)\b")
PATHS: Final[Mapping[str, str]] = {page.name: page.path for page in PAGES}

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader([FOLDER, Path(__file__).parent / "templates", showing.TEMPLATES]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, context: Mapping[str, Any]) -> str:
    """The whole page."""
    return _ENVIRONMENT.get_template(template).render(context)


def names_in(path: str) -> list[str]:
    """The names in the braces of a path."""
    return _BRACES.findall(path)


def title_of(page: Page, address: Mapping[str, str]) -> str:
    """The page's title with the names of its address, long ones cut."""
    return _BRACES.sub(lambda found: clip(address[found[1]]), page.title)


def heading_of(page: Page, address: Mapping[str, str]) -> str:
    """The same for the page itself, where names stand whole."""
    return _BRACES.sub(lambda found: address[found[1]], page.title)


class Query(dict[str, str]):
    """The parameters of the address; one that was not given is empty, so that templates may ask for any."""

    def __init__(self, given: QueryParams) -> None:
        super().__init__(given)
        self.all = given.multi_items()

    def __missing__(self, name: str) -> str:
        return ""


class Links:
    """Addresses within one organization, all at the moment that the visitor looks at."""

    def __init__(self, organization: str, moment: Mapping[str, str], path: str, query: Mapping[str, str]) -> None:
        self.base = f"/o/{quote(organization, safe='')}"
        self.moment = moment
        self.path = path
        self.query = query
        self._moment = f"?{urlencode(moment)}" if moment else ""
        self._entries, self._entries_end = escape(f"{self.base}/ledger/"), escape(self._moment)

    def entry(self, index: int) -> str:
        """Where an entry of the ledger is shown. Pages are full of these, so they are put together by hand."""
        return f"{self.base}/ledger/{index}{self._moment}"

    def to(self, name: str, /, **given: Any) -> str:
        """The address of a page; what is not in its path goes into its query."""
        used: set[str] = set()

        def fill(found: re.Match[str]) -> str:
            used.add(found[1])
            return quote(str(given[found[1]]), safe="")

        path = self.base + _BRACES.sub(fill, PATHS[name])
        rest = {key: value for key, value in given.items() if key not in used and value not in (None, "")}
        return _with_query(path, {**rest, **self.moment})

    def here(self, **changes: Any) -> str:
        """This very page with other parameters; None takes one away."""
        query = {key: value for key, value in {**self.query, **changes}.items() if value is not None}
        return _with_query(self.path, query)

    def address(self, page: Page, given: Mapping[str, str]) -> str:
        """The path of a page, without a query; whatever else `given` holds is left out."""
        return self.base + _BRACES.sub(lambda found: quote(given[found[1]], safe=""), page.path)

    def below(self, path: str, **query: Any) -> str:
        """The address of something that is not a page: a download, a form's target."""
        return _with_query(self.base + path, query)

    def cell(self, requirement: Mapping[str, Any] | None) -> Markup:
        """A cell of a flow's matrix: how one thing that is asked for stands, and the entry that decided. None: not asked."""
        if requirement is None:
            return _NOT_ASKED
        index = requirement["entryIndex"]
        if index is None:
            return _MISSING
        begin, middle, end = _CELLS[requirement["status"]]
        where = f"{self._entries}{int(index)}{self._entries_end}"
        return Markup(f'<td class="cell"><a class="sign-box {begin}{where}{middle}{int(index)}{end}</a></td>')  # noqa: S704

    def entry_link(self, index: int) -> Markup:
        """A link to an entry, for templates."""
        where = f"{self._entries}{int(index)}{self._entries_end}"
        return Markup(f'<a class="entry" href="{where}">entry {int(index)}</a>')  # noqa: S704 (escaped above, and a number)


_NOT_ASKED: Final = Markup('<td class="cell soft" title="its template does not ask for this">·</td>')
_CELLS: Final = {
    status: (
        f'{name}" href="',
        f'" title="{word}, entry ',
        f'">{showing.sign(name, 18)}<span class="unseen">{word}</span>',
    )
    for status, (name, word) in ((each.value, showing.words(each)) for each in Status)
}
_MISSING: Final = Markup(  # noqa: S704 (a constant of ours)
    f'<td class="cell"><span class="sign-box open" title="Missing">{showing.sign("open", 18)}'
    '<span class="unseen">Missing</span></span></td>'
)


def time_of(at: str) -> Markup:
    """An instant for people and for programs."""
    written = escape(at)
    return Markup(f'<time datetime="{written}">{showing.instant(written)}</time>')  # noqa: S704 (escaped)


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def short(text: str | None, most: int = 12) -> str:
    """The beginning of a digest, a commit or a long name."""
    if text is None:
        return ""
    most = 12 if most == 40 and len(text) in (40, 64) and re.fullmatch(r"[0-9a-f]+", text) else most
    return text if len(text) <= most else text[:most] + "\u2026"


def clip(text: str, most: int = 60) -> str:
    """A name with its middle left out when it is long: how it begins and how it ends tells names apart. Digests are cut."""
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        return short(text)
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end]}\u2026{text[-end:]}"


def line_of(rule: str) -> int | None:
    """The line of the template or policy that a rule says it stands in."""
    found = _LINE.search(rule)
    return None if found is None else int(found[1])


def pretty(value: object) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)


def first_line(text: str | None) -> str:
    """The subject of a commit's message."""
    return (text or "").split("\n", 1)[0]


def narrowing(grants: Sequence[Mapping[str, Any]], to: str) -> str:
    """The names that grants are narrowed to (`flows` or `environments`), as a form's field has them."""
    return ", ".join(sorted({name for grant in grants for name in grant[to] or ()}))


_ENVIRONMENT.filters.update(showing.FILTERS)
_ENVIRONMENT.filters.update(
    {
        "short": short,
        "clip": clip,
        "line_of": line_of,
        "pretty": pretty,
        "first_line": first_line,
        "said": forms.said,
        "narrowing": narrowing,
    }
)
_ENVIRONMENT.tests["containing"] = lambda text, part: part.lower() in text.lower()
_ENVIRONMENT.globals.update(
    {
        "asset": static.address,
        "sections": SECTIONS,
        "matrix_of": matrix.matrix_of,
        "timeline_of": timeline.timeline_of,
        "needs_of": attention.needs_of,
        "events_of": events.events_of,
        "drifts": events.DRIFTS,
        "lines_of": lines.lines_of,
        "worst_first": lines.worst_first,
        "named": lines.named,
        "once": forms.once,
        "most_told": 20,
        "attestation_rows": forms.attestation_rows,
        "time": time_of,
    }
)
