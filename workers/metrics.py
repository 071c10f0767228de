"""Numbers and liveness of a worker, over HTTP on a port of its own when one is set: /metrics and /healthz.

A thread of its own answers, so that the answers say something about the event loop: when that hangs, /healthz turns to 503.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.work import Work

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

BEAT_SECONDS_MAX: Final = 15.0


class Pulse:
    """When the event loop last showed that it is alive."""

    def __init__(self) -> None:
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._beaten_at


class WorkCollector(Collector):
    """What the worker is doing, as Prometheus wants to hear it."""

    def __init__(self, work: Work, deliveries: Work, pulse: Pulse) -> None:
        self._work = work
        self._deliveries = deliveries
        self._pulse = pulse

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("muniment_jobs_running", "Jobs that this worker is doing.", value=self._work.running)
        yield CounterMetricFamily("muniment_jobs_ended", "Jobs that this worker has ended.", value=self._work.ended)
        yield CounterMetricFamily(
            "muniment_job_attempts_failed", "Attempts that will be repeated.", value=self._work.failed_attempts
        )
        sending = self._deliveries
        yield GaugeMetricFamily("muniment_notices_sending", "Notices on their way now.", value=sending.running)
        yield CounterMetricFamily(
            "muniment_notices_ended", "Notices delivered, given up or cancelled.", value=sending.ended
        )
        yield CounterMetricFamily(
            "muniment_notice_attempts_failed",
            "Attempts at notices that will be repeated.",
            value=sending.failed_attempts,
        )
        yield GaugeMetricFamily(
            "muniment_worker_pulse_age_seconds", "How long ago the event loop was alive.", value=self._pulse.age_seconds
        )


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that the base class gives it)
        """Nobody wants a line for each probe."""


class MetricsServer:
    """Serves until it is stopped."""

    def __init__(self, work: Work, deliveries: Work, pulse: Pulse, *, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(WorkCollector(work, deliveries, pulse))
        self._server: WSGIServer = make_server(host, port, _application(registry, pulse), handler_class=_Quiet)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _application(registry: CollectorRegistry, pulse: Pulse) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        found = environ["PATH_INFO"] == "/healthz"
        alive = pulse.age_seconds < BEAT_SECONDS_MAX
        status = "404 Not Found" if not found else "200 OK" if alive else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{status[4:].lower()}\n".encode()]

    return answer
