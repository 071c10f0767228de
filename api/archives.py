"""Archives over HTTP: GET /archives/<id>.zip, in one go or in ranges.

Every download is an entry, appended before the first byte leaves. A download that goes on where it broke off is still the same one:
a range from beyond the beginning makes an entry only for somebody who has none yet, so nobody gets a byte without one.
"""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import downloads
from api.downloads import Item
from api.identity import identify
from api.recognising import decided_again
from record.archives import service
from record.archives.queries import Archive
from record.archives.rules import ArchiveKind
from record.ids import ArchiveId
from record.record import Record
from record.refusals import NotFound


async def get(request: Request) -> Response:
    """The archive's file."""
    archive_id = _checked(request.path_params["archive_id"])
    record: Record = request.app.state.record

    async def attempt(_: bool) -> Item:
        caller = await identify(request)
        archive, outcome = await service.finished(record, caller, archive_id)
        item = Item(
            key=outcome.key,
            version_id=outcome.version_id,
            size=outcome.byte_count,
            digest=outcome.digest,
            name=_name(archive),
            media_type="application/zip",
        )
        if _takes_bytes(request, item):
            is_resumed = _starts_beyond(request, item)
            await service.note_download(record, caller, archive, outcome, is_resumed=is_resumed)
        return item

    return await downloads.answer(request, record.vault, await decided_again(attempt))


ROUTES: Final = [Route("/archives/{archive_id}.zip", get, methods=["GET"])]


def _checked(text: str) -> ArchiveId:
    try:
        return ArchiveId(UUID(text))
    except ValueError:
        raise NotFound("There is no such archive. Request one with requestArchive, or check its id.") from None


def _takes_bytes(request: Request, item: Item) -> bool:
    return request.method != "HEAD" and not downloads.is_known(request.headers, item)


def _starts_beyond(request: Request, item: Item) -> bool:
    """Whether the first byte is not among those that are asked for."""
    asked = downloads.portion(request.headers, item)
    return asked is None or asked.start > 0


def _name(archive: Archive) -> str:
    """What the file is called: what it is about, and as of which ledger size."""
    question = archive.question
    match question.kind:
        case ArchiveKind.TRAIL:
            about = f"{question.flow}-{question.trail}"
        case ArchiveKind.ARTIFACT:
            about = f"artifact-{(question.fingerprint or '')[:12]}"
        case ArchiveKind.FLOW:
            about = f"flow-{question.flow}"
        case ArchiveKind.ORGANIZATION:
            about = "organization"
    return f"muniment-{about[:100]}-at-{archive.size}.zip"
