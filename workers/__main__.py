"""`python -m workers`: signs checkpoints, judges, makes archives, sends notices, scrubs, until SIGTERM, which drains.

Each of these is a loop that finds its work in PostgreSQL; the queue only makes some of it start sooner. A loop that ends by itself
is a fault and ends the process with a status that is not zero, because half a worker looks like a whole one from outside: above all
a refusal to sign a fork.
"""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog
import uvloop
from pydantic import ValidationError

from record import garbage, logs
from record.ledger.signing import ForkRefused, Notary
from record.record import Record, open_record
from record.refusals import Refusal
from record.settings import Settings, explained
from workers.archives import Archives
from workers.checkpoints import run_checkpoints
from workers.deliveries import Deliveries, Telling
from workers.judgements import run_judging
from workers.listening import keep_listening
from workers.metrics import MetricsServer, Pulse
from workers.queues import run_noting
from workers.scrubbing import run_scrubbing
from workers.sweeping import Sweep
from workers.tidying import run_tidying
from workers.work import Work

BEAT_SECONDS: Final = 1.0
FAULT: Final = 1
BAD_SETTINGS: Final = 2
FORK: Final = 3

log = structlog.get_logger(__name__)


class Process:
    """Everything that one worker process does."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.stop = asyncio.Event()
        archives = Archives().kind()
        self.work = Work(record, {archives.name: archives})
        deliveries = Deliveries(record.settings).kind()
        self.deliveries = Work(record, {deliveries.name: deliveries}, jobs_max=record.settings.notices_at_once)
        self.pulse = Pulse()
        self._notary = Notary(record.settings.signing_seed())
        self._signing_ends = asyncio.Event()

    async def run(self) -> None:
        """Until `stop` is set. Raises what ended a loop that should not have ended."""
        settings = self.record.settings
        context = {"record": self.record, "work": self.work, "notary": self._notary}
        sweep = Sweep(self.record, self.work)
        loops = [
            self._begin("checkpoints", run_checkpoints(self.record, self._signing_ends, notary=self._notary)),
            self._begin("judging", run_judging(self.record, self.stop)),
            self._begin("sweep", sweep.run(self.stop)),
            self._begin(
                "queue", keep_listening(str(settings.redis_url), context, self.stop, messages_max=settings.jobs_max)
            ),
            self._begin("scrubbing", run_scrubbing(self.record, self.stop)),
            self._begin("notices", Telling(self.record, self.deliveries).run(self.stop)),
            self._begin("tidying", run_tidying(self.record, self.stop)),
            self._begin("noting", run_noting(self.record, self.stop)),
            self._begin("pulse", self._beat()),
        ]
        log.info("worker is ready", jobs_max=settings.jobs_max)
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({*loops, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self.stop.set()
            # Archives that are being made may still wait for a checkpoint, so signing ends after them.
            await asyncio.gather(
                self.work.drain(grace_seconds=settings.shutdown_grace_seconds),
                self.deliveries.drain(grace_seconds=settings.shutdown_grace_seconds),
            )
        finally:
            self._signing_ends.set()
            await _ended(loops)
        for loop in loops:
            if not loop.cancelled():
                loop.result()

    @staticmethod
    def _begin(name: str, loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(loop, name=name)

    async def _beat(self) -> None:
        while not self.stop.is_set():
            self.pulse.beat()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), timeout=BEAT_SECONDS)


async def _ended(loops: list[asyncio.Task[None]]) -> None:
    """Waits a moment for the loops to see that they are to stop; a scrub in the middle is due again when it is cut off."""
    _, slow = await asyncio.wait(loops, timeout=5)
    for loop in slow:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def serve(settings: Settings) -> int:
    """One worker, until SIGTERM or SIGINT. The exit status."""
    record = open_record(settings)
    process = Process(record)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.stop.set)
    numbers = None
    if settings.worker_metrics_port is not None:
        host, port = settings.http_host, settings.worker_metrics_port
        numbers = MetricsServer(process.work, process.deliveries, process.pulse, host=host, port=port)
    try:
        await process.run()
    except ForkRefused:
        return FORK  # said loudly already
    except Exception as error:
        log.critical("the worker ends because a part of it has ended", exc_info=error)
        return FAULT
    finally:
        if numbers is not None:
            numbers.stop()
        await record.close()
    log.info("worker has stopped")
    return 0


def main() -> int:
    """Works until it is told to stop."""
    try:
        settings = Settings.from_environment()
    except ValidationError as error:
        sys.stderr.write(f"{explained(error)}\n")
        return BAD_SETTINGS
    logs.configure(settings.log_format)
    garbage.settle()
    try:
        return uvloop.run(serve(settings))
    except Refusal as refusal:  # a secret file that cannot be read
        sys.stderr.write(f"{refusal.message}\n")
        return BAD_SETTINGS


if __name__ == "__main__":
    raise SystemExit(main())
