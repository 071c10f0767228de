"""Archives: an audit package requested, awaited, and taken away."""

from __future__ import annotations

import sys
import time

from muniment.command import NUMBER, SWITCH, TEXTS, Argument, Command, Option
from muniment.commands import shared, subjects
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, CommandError, ExitCode, Refused
from muniment.output import JSON, MARKDOWN, TABLE
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context

_ARCHIVE = """id kind flowName trailName fingerprint since until size instant requestedBy requestedAt digest byteCount files
  checkpointSize url failure status progress { done total text attempts }"""
REQUEST = Mutation("requestArchive", "RequestArchiveInput", "ArchiveRequested", "archive { " + _ARCHIVE + " }")
GET = Query("query($id: ID!) { record { ledger { origin } archive(id: $id) { " + _ARCHIVE + " } } }")
LIST = Query(
    "query($first: Int, $after: String) { record { archives(first: $first, after: $after) { nodes { "
    + _ARCHIVE
    + " } pageInfo { hasNextPage endCursor } } } }"
)

WHOLE = Option("--whole", "--everything", kind=SWITCH, help="everything of the organization")
SINCE = Option("--since", help="what happened from this instant on", value="INSTANT")
UNTIL = Option("--until", help="what happened up to this instant", value="INSTANT")
SIZE = Option("--size", kind=NUMBER, help="as the record stood at this ledger size", value="N")
WAIT = Option("--wait", kind=SWITCH, help="wait until it is ready; --output FILE waits, too")
TO = Option(
    "--to",
    "--output",
    "-o",
    kind=TEXTS,
    help="file to download it into, going on where an earlier download broke off; table, json and markdown are forms of the answer",
    value="FILE",
)
PATIENCE = Option("--wait-seconds", kind=NUMBER, default=3600, help="how long to wait", value="SECONDS")
POLL_SECONDS_MAX = 5.0


def request(context: Context) -> ExitCode:
    """Requests an archive, and perhaps waits for it and takes it away."""
    to = _target(context)
    flow, trail, fingerprint = (
        context.text(shared.FLOW),
        context.text(shared.TRAIL),
        subjects.given_fingerprint(context),
    )
    outcome = context.record(
        REQUEST,
        {
            "kind": _kind(flow, trail, fingerprint, is_whole=context.switch(WHOLE)),
            "flow": None if fingerprint or context.switch(WHOLE) else flow,
            "trail": None if fingerprint or context.switch(WHOLE) else trail,
            "fingerprint": fingerprint,
            "since": context.text(SINCE),
            "until": context.text(UNTIL),
            "size": context.settings.value(SIZE),
        },
    )
    if outcome is None:
        return ExitCode.DONE
    archive = outcome["archive"]
    if to is None and not context.switch(WAIT):
        return context.told(outcome, lambda done: _facts(done["archive"]))
    return _taken(context, archive["id"], to, outcome["receipt"])


def _kind(flow: str | None, trail: str | None, fingerprint: str | None, *, is_whole: bool) -> str:
    if is_whole:
        return "ORGANIZATION"
    if fingerprint is not None:
        return "ARTIFACT"
    if trail is not None and flow is None:
        raise BadUsage("In which flow is that trail? Give --flow.")
    if trail is not None:
        return "TRAIL"
    if flow is not None:
        return "FLOW"
    raise BadUsage("An archive of what? Give --flow, --flow and --trail, --fingerprint, or --whole.")


def _target(context: Context) -> str | None:
    """The file to download to. `--output` is the form of the answer everywhere, and here it may also be the file."""
    told = context.texts(TO)
    forms = [each for each in told if each in (TABLE, JSON, MARKDOWN)]
    files = [each for each in told if each not in forms]
    if len(files) > 1:
        raise BadUsage(f"An archive goes into one file, and {', '.join(files)} are several.")
    if forms:
        context.output.form = forms[-1]
    return files[0] if files else None


def download(context: Context) -> ExitCode:
    """Takes an archive away, or goes on where that broke off."""
    to = _target(context)
    if to is None:
        raise BadUsage("Where to? Give --output FILE.")
    return _taken(context, context.argument("ARCHIVE") or "", to, None)


def _taken(context: Context, archive_id: str, to: str | None, receipt: dict[str, Any] | None) -> ExitCode:
    archive = _awaited(context, archive_id)
    facts = _facts(archive)
    if to is not None:
        from muniment.archives import fetch

        is_shown = sys.stderr.isatty() and not context.switch(shared.QUIET)
        size = int(archive["byteCount"])
        path = _path_of(archive["url"])
        had = fetch(context.client, path, to, digest=archive["digest"], size=size, is_shown=is_shown)
        if had:
            context.say(f"went on behind {had} bytes that were there")
        facts.append(("file", to))
        context.say(f"check it with: muniment verify {to} --key LOG-KEY")
    data = {"archive": archive, "file": to, **({"receipt": receipt} if receipt else {})}
    return context.show(data, lambda output: output.facts(facts))


def _awaited(context: Context, archive_id: str) -> dict[str, Any]:
    """The archive when it is ready. Raises CommandError when it failed or took too long."""
    ends = time.monotonic() + context.number(PATIENCE)
    pause, told = 0.2, ""
    while True:
        archive = _found(context, archive_id)
        if archive["status"] == "READY":
            return archive
        if archive["status"] == "FAILED":
            raise CommandError(f"The archive could not be made: {archive['failure']}", ExitCode.UNREACHABLE)
        progress = archive["progress"]
        text = progress["text"] if progress else "waiting for a worker"
        if text != told:
            context.say(text)
            told = text
        if time.monotonic() + pause > ends:
            raise CommandError(
                f"The archive is not ready yet. Go on with: muniment archive download {archive_id} --output FILE",
                ExitCode.UNREACHABLE,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


def _found(context: Context, archive_id: str) -> dict[str, Any]:
    archive: dict[str, Any] | None = context.ask(GET, {"id": archive_id})["record"]["archive"]
    if archive is None:
        raise Refused("There is no such archive, or it is not yours to see. See: muniment list archives", "NOT_FOUND")
    return archive


def _path_of(url: str) -> str:
    """The path of the archive's URL: the key goes to the host that was named, and nowhere else."""
    _, separator, rest = url.partition("://")
    return "/" + rest.partition("/")[2] if separator else url


def get(context: Context) -> ExitCode:
    """An archive and how far it is."""
    archive = _found(context, context.argument("ARCHIVE") or "")
    return context.show(archive, lambda output: output.facts(_facts(archive)))


def _facts(archive: dict[str, Any]) -> list[tuple[str, object]]:
    progress = archive["progress"]
    return [
        ("archive", archive["id"]),
        ("of", _question(archive)),
        ("at size", archive["size"]),
        ("status", archive["status"]),
        ("progress", progress["text"] if progress else None),
        ("failure", archive["failure"]),
        ("digest", archive["digest"]),
        ("bytes", None if archive["byteCount"] is None else int(archive["byteCount"])),
        ("files", archive["files"]),
    ]


def _question(archive: dict[str, Any]) -> str:
    parts = [
        archive["kind"].lower(),
        *(archive[name] for name in ("flowName", "trailName", "fingerprint") if archive[name]),
    ]
    period = [f"{name} {archive[name]}" for name in ("since", "until") if archive[name]]
    return " ".join([*parts, *period])


def several(context: Context) -> ExitCode:
    """Archives that were requested."""
    return context.listed(
        limited(context, LIST, of("archives")),
        ["archive", "of", "at size", "requested", "by", "status"],
        lambda each: [
            each["id"],
            _question(each),
            each["size"],
            each["requestedAt"],
            each["requestedBy"],
            each["status"],
        ],
    )


_ARCHIVE_ID = Argument("ARCHIVE", help="its id")

COMMANDS = (
    Command(
        "archive request",
        request,
        options=(
            shared.FLOW,
            shared.TRAIL,
            subjects.FINGERPRINT,
            WHOLE,
            SINCE,
            UNTIL,
            SIZE,
            WAIT,
            TO,
            PATIENCE,
            shared.IDEMPOTENCY_KEY,
        ),
        explanation="""
            An archive holds the entries, the evidence, the proofs and a verifier. The same question at the same size gives the same
            bytes. A download that broke off goes on where it stopped, when the same file is named again.
            """,
        examples=(
            "muniment archive request --flow payments-api --trail pull-request-87 --wait --output audit.zip",
            "muniment archive request --whole --since 2026-01-01T00:00:00Z --wait --output this-year.zip",
        ),
    ),
    Command(
        "archive download",
        download,
        arguments=(_ARCHIVE_ID,),
        options=(TO, PATIENCE),
        examples=("muniment archive download QXJjaGl2ZTo... --output audit.zip",),
    ),
    Command("get archive", get, arguments=(_ARCHIVE_ID,), examples=("muniment get archive QXJjaGl2ZTo...",)),
    Command("list archives", several, options=(shared.LIMIT, shared.AFTER), examples=("muniment list archives",)),
)
