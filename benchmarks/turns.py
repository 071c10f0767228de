"""Taking turns: each round loads every contender once, so that whatever slows the machine slows them all.

A figure is the median over the rounds of the ratio of two runs of the same round. Absolute numbers are shown for orientation
only; on a shared machine they differ by a factor of two from one hour to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.load import Generator, Load, Run

WARM_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and what it is asked."""

    name: str
    port: int
    load: Load


@dataclass(frozen=True, slots=True)
class Options:
    """How long to look."""

    seconds: float
    rounds: int
    entries: int


class Rounds:
    """The runs of some contenders, round by round."""

    def __init__(self, runs: dict[str, list[Run]]) -> None:
        self._runs = runs

    def ratio(self, one: str, other: str, number: Callable[[Run], float]) -> float:
        """The median over the rounds of `one`'s number by `other`'s."""
        return median(number(a) / number(b) for a, b in zip(self._runs[one], self._runs[other], strict=True))

    def spread(self, one: str, other: str, number: Callable[[Run], float]) -> tuple[float, float]:
        """The least and the greatest of these ratios."""
        ratios = [number(a) / number(b) for a, b in zip(self._runs[one], self._runs[other], strict=True)]
        return min(ratios), max(ratios)

    def summary(self) -> dict[str, dict[str, float]]:
        """Medians of each contender."""
        return {
            name: {
                "requests_per_second": round(median(run.per_second for run in runs), 1),
                "p50_ms": round(median(run.p50_ms for run in runs), 2),
                "p99_ms": round(median(run.p99_ms for run in runs), 2),
            }
            for name, runs in self._runs.items()
        }


def in_turns(load: Generator, contenders: Sequence[Contender], options: Options) -> Rounds:
    """Warms each contender, then loads all of them round after round, the order turned each time."""
    for contender in contenders:
        load.run(contender.port, contender.load, seconds=0.1, warm_seconds=WARM_SECONDS)
    runs: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(options.rounds):
        turn = number % len(contenders)
        for contender in (*contenders[turn:], *contenders[:turn]):
            runs[contender.name].append(load.run(contender.port, contender.load, seconds=options.seconds))
    return Rounds(runs)


def per_second(run: Run) -> float:
    return run.per_second


def p99(run: Run) -> float:
    return run.p99_ms


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is claimed, and what it must be."""

    case: str
    what: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def met(self) -> bool:
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    def to_json(self) -> dict[str, Any]:
        spread = None if self.spread is None else [round(end, 4) for end in self.spread]
        return {
            "case": self.case,
            "what": self.what,
            "value": round(self.value, 4),
            "spread": spread,
            "target": self.target or None,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark found: figures, and the medians behind them by case."""

    figures: list[Figure]
    medians: dict[str, dict[str, dict[str, float]]]


def compare(
    case: str,
    rounds: Rounds,
    one: str,
    other: str,
    *,
    at_least: float | None = None,
    p99_at_most: float | None = None,
) -> list[Figure]:
    """`one` against `other`: requests a second, and the slowest hundredth where it matters."""
    rate = Figure(
        case,
        f"requests/s, {one} by {other}",
        rounds.ratio(one, other, per_second),
        at_least=at_least,
        spread=rounds.spread(one, other, per_second),
    )
    if p99_at_most is None:
        return [rate]
    slow = Figure(
        case,
        f"p99, {one} by {other}",
        rounds.ratio(one, other, p99),
        at_most=p99_at_most,
        spread=rounds.spread(one, other, p99),
    )
    return [rate, slow]
