"""What adoption is measured by: counts from the record in, shares and periods out.

Rules kept here:
 * a share of nothing is unknown (None), and neither nought nor one;
 * periods are whole days, weeks (from Monday) and months in UTC, cut off where the window ends; together they are the window;
 * a run counts as reported when its deployment was reported in time, and as a shadow change when the grace period has passed
   without; within it, it is neither yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from record.controls.rules import Window
from record.refusals import InvalidInput

PERIODS_MAX: Final = 400


class Bucket(Enum):
    """How long periods are. The value is PostgreSQL's name for it."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Dimension(Enum):
    """What figures are about: everything, one flow, or one environment."""

    ALL = "all"
    FLOW = "flow"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted. Times are seconds from the first report of an artifact to its deployment."""

    runs: int = 0
    runs_reported: int = 0
    shadow_changes: int = 0
    deployments: int = 0
    deployments_not_seen: int = 0
    artifacts: int = 0
    attestations: int = 0
    evidence_files: int = 0
    times_stale: int = 0
    build_to_deploy_median: float | None = None
    build_to_deploy_p90: float | None = None

    @property
    def reported_share(self) -> float | None:
        """Of the runs that began, how many had a deployment report; 0 to 1."""
        return _share(self.runs_reported, self.runs)

    @property
    def attestations_per_artifact(self) -> float | None:
        return _share(self.attestations, self.artifacts)

    @property
    def evidence_per_artifact(self) -> float | None:
        """Files of evidence for each artifact."""
        return _share(self.evidence_files, self.artifacts)


class Counted(NamedTuple):
    """Some figures of one flow, one environment, or all; of one period (its begin as it is truncated), or of the whole window."""

    dimension: Dimension
    name: str
    begin: datetime | None
    figures: Mapping[str, int | float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of the whole window, and of each of its periods."""

    name: str
    whole: Figures
    periods: tuple[tuple[Window, Figures], ...]


@dataclass(frozen=True, slots=True)
class Adoption:
    """Everything, each flow by name, and each environment by name."""

    everything: Series
    flows: tuple[Series, ...]
    environments: tuple[Series, ...]


def periods_of(window: Window, bucket: Bucket) -> list[Window]:
    """The periods of a window in their order; refuses a window that has too many."""
    found: list[Window] = []
    begin = truncated(window.since, bucket)
    while begin < window.until:
        end = _next(begin, bucket)
        found.append(Window(max(begin, window.since), min(end, window.until)))
        if len(found) > PERIODS_MAX:
            raise InvalidInput(
                f"This window has more than {PERIODS_MAX} periods of a {bucket.value}. "
                "Ask about a shorter one, or by longer periods.",
                field="bucket",
            )
        begin = end
    return found


def truncated(instant: datetime, bucket: Bucket) -> datetime:
    """Where the period of an instant begins."""
    day = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if bucket is Bucket.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if bucket is Bucket.MONTH else day


def assembled(counted: Iterable[Counted], periods: Sequence[Window], bucket: Bucket) -> Adoption:
    """The figures put together: those of one place come from several questions."""
    held: dict[tuple[Dimension, str], dict[datetime | None, dict[str, int | float | None]]] = {}
    held[Dimension.ALL, ""] = {}
    for each in counted:
        of = held.setdefault((each.dimension, each.name), {}).setdefault(each.begin, {})
        of.update(each.figures)

    def series(dimension: Dimension) -> tuple[Series, ...]:
        return tuple(
            _series(name, held[found, name], periods, bucket)
            for found, name in sorted(held, key=_name)
            if found is dimension
        )

    return Adoption(series(Dimension.ALL)[0], series(Dimension.FLOW), series(Dimension.ENVIRONMENT))


def _series(
    name: str,
    held: Mapping[datetime | None, Mapping[str, int | float | None]],
    periods: Sequence[Window],
    bucket: Bucket,
) -> Series:
    def figures(begin: datetime | None) -> Figures:
        return Figures(**held.get(begin, {}))  # type: ignore[arg-type]  # counts are whole numbers, times are not

    return Series(name, figures(None), tuple((period, figures(truncated(period.since, bucket))) for period in periods))


def _name(key: tuple[Dimension, str]) -> str:
    return key[1]


def _next(begin: datetime, bucket: Bucket) -> datetime:
    if bucket is Bucket.MONTH:
        return (begin + timedelta(days=32)).replace(day=1)
    return begin + timedelta(days=7 if bucket is Bucket.WEEK else 1)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
