"""The log for whoever wants to check it: checkpoints, tiles, entries and proofs over HTTP, as C2SP tlog-tiles lays them out.

    /log/<organization>/checkpoint             the newest signed note
    /log/<organization>/tile/<L>/<N>[.p/<W>]   hashes
    /log/<organization>/tile/entries/<N>[...]  the entries themselves
    /log/<organization>/proof/<index>          one entry's `.tlog-proof`, under the newest checkpoint
    /log/<organization>/consistency?old=&new=  one base64 hash a line, as witnesses are sent them (C2SP tlog-witness)

Everything needs a key that may read the whole organization; `log_public` opens checkpoints, hash tiles and consistency proofs,
which tell nothing but how much was recorded when. Only what is signed is served, so nothing here ever changes but `checkpoint`.
"""

import base64
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.identity import identify
from muniment.proof.tiles import Tile, TileError, parse_tile_path
from record.access.rules import Action
from record.database import Connection
from record.ids import EntryIndex, LedgerSize, OrgId
from record.ledger import proofs, queries
from record.ledger.queries import StoredCheckpoint
from record.record import Record
from record.refusals import InvalidInput, NotFound

CHECKPOINT_SECONDS: Final = 1
FOR_EVER: Final = "max-age=31536000, immutable"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,15}")


async def checkpoint(request: Request) -> Response:
    """The newest signed checkpoint."""
    record, org_id = await _reader(request, open_to_witnesses=True)
    async with record.database.connection(org_id) as connection:
        newest = await _newest(connection, org_id)
    return PlainTextResponse(newest.note, headers=_caching(record, f"max-age={CHECKPOINT_SECONDS}"))


async def tile(request: Request) -> Response:
    """A tile of hashes, or a bundle of entries."""
    path = "tile/" + request.path_params["path"]
    is_entries = path.startswith("tile/entries/")
    record, org_id = await _reader(request, open_to_witnesses=not is_entries)
    try:
        level, index, width = parse_tile_path(path)
    except TileError as error:
        raise NotFound(str(error)) from error
    async with record.database.connection(org_id) as connection:
        signed_size = (await _newest(connection, org_id)).size
        if level is None:
            found = await proofs.entry_bundle(connection, org_id, index, width, signed_size=signed_size)
        else:
            found = await proofs.tile(connection, org_id, Tile(level, index, width), signed_size=signed_size)
    if found is None:
        raise NotFound(f"There is no {path} in a log of {signed_size} signed entries. Ask for one that they fill.")
    headers = _caching(record, FOR_EVER, private=is_entries)
    return Response(found, media_type="application/octet-stream", headers=headers)


async def proof(request: Request) -> Response:
    """The `.tlog-proof` file of one entry."""
    record, org_id = await _reader(request, open_to_witnesses=False)
    index = _number(request.path_params["index"].removesuffix(".tlog-proof"), field="index")
    async with record.database.connection(org_id) as connection:
        newest = await _newest(connection, org_id)
        if index >= newest.size:
            raise NotFound(
                f"Entry {index} is not among the {newest.size} signed entries. Ask again in a second or two."
            )
        content = await proofs.tlog_proof(connection, org_id, EntryIndex(index), newest)
    headers = {
        **_caching(record, f"max-age={CHECKPOINT_SECONDS}", private=True),
        "Content-Disposition": f'attachment; filename="{index}.tlog-proof"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="text/plain; charset=utf-8", headers=headers)


async def consistency(request: Request) -> Response:
    """The proof that the log at size `new` (the newest checkpoint's, if left out) extends the log at size `old`."""
    record, org_id = await _reader(request, open_to_witnesses=True)
    old = _number(request.query_params.get("old", ""), field="old")
    async with record.database.connection(org_id) as connection:
        signed_size = (await _newest(connection, org_id)).size
        new = _number(request.query_params.get("new", str(signed_size)), field="new")
        if not old <= new <= signed_size:
            raise InvalidInput(
                f"Sizes {old} and {new} do not follow one another up to the signed size {signed_size}. "
                "Give old <= new <= the newest checkpoint's size."
            )
        hashes = await proofs.consistency_proof(connection, org_id, old_size=LedgerSize(old), new_size=LedgerSize(new))
    lines = "".join(base64.b64encode(each).decode() + "\n" for each in hashes)
    return PlainTextResponse(lines, headers=_caching(record, FOR_EVER if "new" in request.query_params else "no-cache"))


ROUTES: Final = [
    Route("/log/{organization}/checkpoint", checkpoint),
    Route("/log/{organization}/tile/{path:path}", tile),
    Route("/log/{organization}/proof/{index}", proof),
    Route("/log/{organization}/consistency", consistency),
]


async def _reader(request: Request, *, open_to_witnesses: bool) -> tuple[Record, OrgId]:
    """The record and the organization that is asked about. One that does not exist and one that is not yours are the same 404."""
    record: Record = request.app.state.record
    name = request.path_params["organization"]
    unknown = NotFound(
        f"There is no log of an organization called {name[:80]!r} here. Check the name, or use its own key."
    )
    if open_to_witnesses and record.settings.log_public:
        async with record.database.operations() as connection:
            org_id = await queries.organization_named(connection, name)
        if org_id is None:
            raise unknown
        return record, org_id
    caller = await identify(request)
    if caller.organization != name:
        raise unknown
    caller.require(Action.READ)
    return record, caller.org_id


async def _newest(connection: Connection, org_id: OrgId) -> StoredCheckpoint:
    newest = await queries.newest_checkpoint(connection, org_id)
    if newest is None:
        raise NotFound("Nothing is signed yet in this log. Ask again in a second or two.")
    return newest


def _caching(record: Record, rule: str, *, private: bool = False) -> dict[str, str]:
    """What needs a key is kept by the asker's own cache at most."""
    scope = "private" if private or not record.settings.log_public else "public"
    return {"Cache-Control": f"{scope}, {rule}"}


def _number(text: str, *, field: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise InvalidInput(f"{text[:40]!r} is not a whole number. Give {field} in decimal digits.", field=field)
    return int(text)
