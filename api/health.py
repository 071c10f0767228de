"""Alive and ready: `/healthz` says that the process runs, `/readyz` asks each part and says in a sentence how it is.

A part that is down makes `/readyz` say 503; it does not stop the API: without the vault, questions are still answered, and without
Redis nothing is lost. Asking is bounded in time, and shared by all who ask within a second.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.wakes import Wakes
from record.lags import Lags, lags
from record.ledger.lag import Lag, ping, signing_lag
from record.record import Record
from record.refusals import Refusal, Unavailable
from record.vault import WormReport

PATIENCE_SECONDS: Final = 2.0
KEPT_SECONDS: Final = 1.0
LAG_GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """How one part is."""

    ready: bool
    sentence: str


class Health:
    """Asks the parts of one application."""

    def __init__(self, record: Record, wakes: Wakes) -> None:
        self._record = record
        self._wakes = wakes
        self._worm: WormReport | None = None
        self._worm_problem = "The vault's self-test is not done yet. Wait a moment."
        self._asked_at = -KEPT_SECONDS
        self._asking: asyncio.Task[dict[str, Part]] | None = None

    def vault_tested(self, report: WormReport) -> None:
        """The vault's self-test is done."""
        self._worm = report

    def vault_untested(self, why: str) -> None:
        """The vault's self-test could not be done yet."""
        self._worm_problem = why

    async def parts(self) -> dict[str, Part]:
        """Each part by name. Whoever asks within a second gets the same answer."""
        now = time.monotonic()
        if self._asking is None or (self._asking.done() and now - self._asked_at >= KEPT_SECONDS):
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def lag(self) -> Lag | None:
        """How far signing is behind; None when the database does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await signing_lag(self._record.database, now=self._record.clock.now())
        except (Refusal, TimeoutError):
            return None

    async def lags(self) -> Lags | None:
        """How far signing, judging, telling and jobs are behind; None when the database does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await lags(self._record.database, now=self._record.clock.now())
        except (Refusal, TimeoutError):
            return None

    async def _ask(self) -> dict[str, Part]:
        names = ("database", "vault", "redis", "checkpoint")
        asked = (self._database(), self._vault(), self._redis(), self._checkpoint())
        return dict(zip(names, await asyncio.gather(*asked), strict=True))

    async def _database(self) -> Part:
        async def select() -> None:
            async with self._record.database.operations() as connection:
                await ping(connection)

        return await _asked(select, good="The database answers.", bad="The database does not answer")

    async def _vault(self) -> Part:
        part = await _asked(self._record.vault.ping, good="The vault answers.", bad="The vault does not answer")
        if not part.ready:
            return part
        if self._worm is None:
            return Part(False, self._worm_problem)
        if not self._worm.proven:
            return Part(False, "The vault may lose evidence: " + " ".join(self._worm.problems))
        return Part(True, "The vault answers, and was seen to refuse the loss of a locked version.")

    async def _redis(self) -> Part:
        return await _asked(
            self._wakes.ping,
            good="Redis answers.",
            bad="Redis does not answer; workers find their work later, by sweeping",
        )

    async def _checkpoint(self) -> Part:
        lag = await self.lag()
        if lag is None:
            return Part(False, "It is not known how old the checkpoints are: the database does not answer.")
        if lag.seconds > self._record.settings.checkpoint_interval_seconds + LAG_GRACE_SECONDS:
            return Part(
                False,
                f"The oldest of {lag.unsigned} entries without a signed checkpoint has waited {lag.seconds:.0f} seconds. "
                "See that a worker runs.",
            )
        return Part(True, "Signed checkpoints are up to date.")


async def _asked(question: Callable[[], Awaitable[None]], *, good: str, bad: str) -> Part:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await question()
    except TimeoutError:
        return Part(False, f"{bad}: no answer within {PATIENCE_SECONDS:g} seconds.")
    except Unavailable as refusal:
        return Part(False, refusal.message)
    except Exception as error:  # noqa: BLE001 (whatever a driver raises: the part is down)
        return Part(False, f"{bad}: {type(error).__name__}.")
    return Part(True, good)


async def healthz(_request: Request) -> Response:
    """`GET /healthz`: the process runs."""
    return _json({"status": "alive"}, 200)


async def readyz(request: Request) -> Response:
    """`GET /readyz`: each part, and 503 when any is down."""
    health: Health = request.app.state.health
    parts = await health.parts()
    ready = all(part.ready for part in parts.values())
    said = {name: {"ready": part.ready, "sentence": part.sentence} for name, part in parts.items()}
    return _json({"status": "ready" if ready else "not ready", "parts": said}, 200 if ready else 503)


def _json(content: object, status: int) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json; charset=utf-8")
