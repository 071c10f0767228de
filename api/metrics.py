"""Numbers for Prometheus at /metrics: what was asked and how long it took, and how far the log's signatures are behind.

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
        lag = await health.lag()
        if lag is not None:
            self._entries.set(lag.entries)
            self._unsigned.set(lag.unsigned)
            self._age.set(lag.seconds)
        return generate_latest(self.registry)


async def metrics(request: Request) -> Response:
    """`GET /metrics`."""
    state = request.app.state
    scraped: Metrics = state.metrics
    return Response(await scraped.scrape(state.view, state.health), media_type=CONTENT_TYPE_LATEST)
