"""Numbers for Prometheus at /metrics: what was asked and how long it took, and how far the work of workers is behind.

Labels are few and fixed: routes by their first segment, never a path, an organization or a key. What only the database knows
is asked when somebody scrapes.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from api.graphql.view import View
from api.health import Health
from record.lags import Lags

ROUTES: Final = frozenset(
    {"graphql", "evidence", "archives", "log", "schemas", "healthz", "readyz", "metrics", "o", "static"}
)
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The numbers of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "muniment_http_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "muniment_http_request_seconds",
            "From the request's first line to the answer's last byte.",
            ("route",),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._answers = Gauge(
            "muniment_answer_cache_lookups", "Answers found or not found.", ("found",), registry=self.registry
        )
        self._answer_bytes = Gauge("muniment_answer_cache_bytes", "Memory held by answers.", registry=self.registry)
        self._subscriptions = Gauge("muniment_subscriptions_open", "Open subscriptions.", registry=self.registry)
        self._entries = Gauge("muniment_ledger_entries", "Entries in all ledgers.", registry=self.registry)
        self._unsigned = Gauge(
            "muniment_ledger_entries_unsigned", "Entries that no signed checkpoint covers yet.", registry=self.registry
        )
        self._age = Gauge(
            "muniment_checkpoint_age_seconds",
            "How long the oldest entry without a signed checkpoint has waited.",
            registry=self.registry,
        )
        self._unjudged = Gauge(
            "muniment_judging_entries_waiting", "Entries that judging has not looked at yet.", registry=self.registry
        )
        self._judging_age = Gauge(
            "muniment_judging_age_seconds",
            "How long the oldest of them, or a verdict that time may have changed, has waited.",
            registry=self.registry,
        )
        self._untold = Gauge(
            "muniment_notice_entries_waiting",
            "Entries that are not turned into deliveries yet, where there are notices.",
            registry=self.registry,
        )
        self._telling_age = Gauge(
            "muniment_notice_age_seconds", "How long the oldest of them has waited.", registry=self.registry
        )
        self._waiting = Gauge(
            "muniment_jobs_waiting", "Jobs that are due and that nobody does.", ("kind",), registry=self.registry
        )
        self._waiting_age = Gauge(
            "muniment_job_age_seconds", "How long the oldest of them has waited.", ("kind",), registry=self.registry
        )
        self._known: dict[tuple[str, str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def note(self, path: str, method: str, status: int, seconds: float) -> None:
        """One request was answered."""
        route = path.split("/", 2)[1] if path.startswith("/") else ""
        route = route if route in ROUTES else "other"
        counter = self._known.get((route, method, status))
        if counter is None:
            method = method if method in ("GET", "HEAD", "POST", "PUT") else "other"
            counter = self._known[route, method, status] = self._requests.labels(route, method, str(status))
        counter.inc()
        timed = self._timed.get(route)
        if timed is None:
            timed = self._timed[route] = self._seconds.labels(route)
        timed.observe(seconds)

    async def scrape(self, view: View, health: Health) -> bytes:
        """Everything, as Prometheus reads it. What the database knows is left as it was when the database is away."""
        self._answers.labels("yes").set(view.answers.hits)
        self._answers.labels("no").set(view.answers.misses)
        self._answer_bytes.set(view.answers.bytes_held)
        self._subscriptions.set(len(view.asking.subscriptions))
        lags = await health.lags()
        if lags is not None:
            self._tell(lags)
        return generate_latest(self.registry)

    def _tell(self, lags: Lags) -> None:
        self._entries.set(lags.signing.entries)
        self._unsigned.set(lags.signing.unsigned)
        self._age.set(lags.signing.seconds)
        self._unjudged.set(lags.judging.entries)
        self._judging_age.set(lags.judging.seconds)
        self._untold.set(lags.telling.entries)
        self._telling_age.set(lags.telling.seconds)
        for kind, overdue in lags.jobs.items():
            self._waiting.labels(kind).set(overdue.count)
            self._waiting_age.labels(kind).set(overdue.seconds)


async def metrics(request: Request) -> Response:
    """`GET /metrics`."""
    state = request.app.state
    scraped: Metrics = state.metrics
    return Response(await scraped.scrape(state.view, state.health), media_type=CONTENT_TYPE_LATEST)
