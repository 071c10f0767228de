"""Pull requests: whether somebody other than their authors approved what they bring, judged by what the reporter says of them.

Rules kept here:
 * the pull request is in a state that is accepted (merged or open unless others are asked for);
 * enough people approved it. A reviewer's last decision counts, and a comment decides nothing;
 * who opened it or is an author of any of its commits reviews their own work, which does not count. Two names that may be one
   person's are one person's (`record.people`);
 * it names at least one commit: of a pull request without commits nobody knows whose work was reviewed.

Providers' own words for states are understood (`opened`, `COMPLETED`, `CHANGES_REQUESTED`); any other word is refused, because
one that is misread could pass for an approval.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from record.attestations.reports.result import JsonValue, ReportResult, counted, plain
from record.attestations.reports.shape import a_list, a_text, an_object, maybe_text
from record.attestations.reports.strict_json import Parsed, check_value
from record.people import identities
from record.refusals import InvalidInput, MalformedReport

STATES: Final = ("merged", "open", "closed", "draft")
DEFAULT_STATES: Final = ("merged", "open")
REVIEW_STATES: Final = ("approved", "changes_requested", "dismissed", "commented", "pending")
APPROVALS_MOST: Final = 100
COMMITS_MOST: Final = 1_000
PEOPLE_MOST: Final = 200
NAME_MOST: Final = 512
_STATES_OF_PROVIDERS: Final = {
    "opened": "open",
    "active": "open",
    "completed": "merged",
    "abandoned": "closed",
    "declined": "closed",
    "superseded": "closed",
    "locked": "closed",
}
_REVIEWS_OF_PROVIDERS: Final = {
    "approve": "approved",
    "request_changes": "changes_requested",
    "needs_work": "changes_requested",
    "rejected": "changes_requested",
    "unapproved": "dismissed",
    "comment": "commented",
    "none": "pending",
}
_DECIDING: Final = frozenset({"approved", "changes_requested", "dismissed"})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is asked of a pull request: how many people approved it, and the states (of `STATES`) that are accepted."""

    minimum_approvals: int = 1
    accepted_states: Sequence[str] = DEFAULT_STATES


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What the reporter says of one, with states in our words. `authors` are those of its commits, each once."""

    provider: str
    state: str
    author: str
    reviews: tuple[tuple[str, str], ...]
    commits: int
    authors: tuple[str, ...]
    url: str = ""
    number: int | None = None
    base: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class _Review:
    """Who reviewed, whether they approve in the end, and whose work it is: "" when it is not their own."""

    person: str
    approves: bool
    own: str


def read_pull_request(data: Parsed, *, thresholds: Thresholds | None = None) -> ReportResult:
    """Compliant when the pull request `data` is in an accepted state and enough others than its authors approved it.

    Refuses (`MalformedReport`, `InvalidInput`) data of another form than attestPullRequest describes, and thresholds that ask
    for nothing.
    """
    asked = _checked(Thresholds() if thresholds is None else thresholds)
    request = parsed(data)
    reviews = _decisions(request)
    approvers = [review.person for review in reviews if review.approves and not review.own]
    problems = _problems(request, reviews, len(approvers), asked)
    name = f"Pull request {request.number}" if request.number is not None else "The pull request"
    people = ", ".join(plain(person, 80) for person in approvers[:3])
    more = f" and {len(approvers) - 3} more" if len(approvers) > 3 else ""
    return ReportResult.of(
        compliant=not problems,
        summary=_summary(request, reviews, approvers, asked, problems),
        explanation=" ".join(problems) or f"{name} is {request.state} and was approved by {people}{more}.",
    )


def parsed(data: Parsed) -> PullRequest:
    """The pull request that `data` tells of; refused with the place of the fault when it tells of none."""
    check_value(data, field="data")
    whole = an_object(data, "")
    authors, commits = _authors(whole.get("commits"))
    number = whole.get("number")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**53):
        _refuse("/number", "is not a whole number from 1. Give the pull request's number, or leave it out")
    return PullRequest(
        provider=_word(a_text(whole.get("provider"), "/provider"), "/provider"),
        state=_state(a_text(whole.get("state"), "/state"), "/state", STATES, _STATES_OF_PROVIDERS),
        author=_person(whole.get("author"), "/author"),
        reviews=_reviews(whole.get("reviewers")),
        commits=commits,
        authors=authors,
        url=_web_address(maybe_text(whole.get("url"), "/url")),
        number=number if isinstance(number, int) else None,
        base=maybe_text(whole.get("base"), "/base"),
        head=maybe_text(whole.get("head"), "/head"),
    )


def _checked(asked: Thresholds) -> Thresholds:
    if isinstance(asked.minimum_approvals, bool) or not 1 <= asked.minimum_approvals <= APPROVALS_MOST:
        raise InvalidInput(
            f"The minimum of approvals must be from 1 to {APPROVALS_MOST}: without any, nothing was reviewed.",
            field="minimumApprovals",
        )
    if not asked.accepted_states:
        raise InvalidInput(
            "No state is accepted, so no pull request could be compliant. Name at least one, such as merged.",
            field="acceptedStates",
        )
    for state in asked.accepted_states:
        if state not in STATES:
            raise InvalidInput(
                f"{plain(state, 40)!r} is not a state of a pull request. Use {', '.join(STATES)}.",
                field="acceptedStates",
            )
    return asked


def _authors(value: Parsed) -> tuple[tuple[str, ...], int]:
    """The authors of the commits, each once, and how many commits there are."""
    commits = a_list(value, "/commits")
    if len(commits) > COMMITS_MOST:
        _refuse("/commits", f"holds {len(commits)} commits and at most {COMMITS_MOST} are read. Split the pull request")
    found: dict[str, None] = {}
    for number, each in enumerate(commits):
        place = f"/commits/{number}"
        commit = an_object(each, place)
        sha = a_text(commit.get("sha"), f"{place}/sha")
        if not 7 <= len(sha) <= 64 or not set(sha) <= set("0123456789abcdef"):
            _refuse(f"{place}/sha", "is not a commit. Give 7 to 64 digits of its hash, in lower case")
        several = commit.get("authors")
        if several is None:
            found[_person(commit.get("author"), f"{place}/author")] = None
            continue
        people = a_list(several, f"{place}/authors")
        if not people or len(people) > PEOPLE_MOST:
            _refuse(f"{place}/authors", f"names {len(people)} people. Name who wrote the commit, at most {PEOPLE_MOST}")
        for position, person in enumerate(people):
            found[_person(person, f"{place}/authors/{position}")] = None
        if commit.get("author") is not None:
            found[_person(commit.get("author"), f"{place}/author")] = None
    return tuple(found), len(commits)


def _reviews(value: Parsed) -> tuple[tuple[str, str], ...]:
    """Who reviewed, and the state of the review, in the order given: the oldest first."""
    reviews = a_list(value, "/reviewers")
    if len(reviews) > PEOPLE_MOST:
        _refuse("/reviewers", f"holds {len(reviews)} reviews and at most {PEOPLE_MOST} are read. Leave comments out")
    found = []
    for number, each in enumerate(reviews):
        place = f"/reviewers/{number}"
        review = an_object(each, place)
        state = a_text(review.get("state"), f"{place}/state")
        found.append(
            (
                _person(review.get("name"), f"{place}/name"),
                _state(state, f"{place}/state", REVIEW_STATES, _REVIEWS_OF_PROVIDERS),
            )
        )
    return tuple(found)


def _decisions(request: PullRequest) -> list[_Review]:
    """One for each person who reviewed, in the order of their first review, by their last decision."""
    authors = [(identities(_folded(name)), name) for name in (request.author, *request.authors)]
    groups: list[tuple[frozenset[str], str, str]] = []
    for name, state in request.reviews:
        called, shown, decision = identities(_folded(name)), name, state
        apart = []
        for others, first, earlier in groups:
            if called.isdisjoint(others):
                apart.append((others, first, earlier))
                continue
            called, shown = called | others, first
            if decision not in _DECIDING:
                decision = earlier
        groups = [*apart, (called, shown, decision)]
    return [
        _Review(shown, decision == "approved", next((name for names, name in authors if names & called), ""))
        for called, shown, decision in groups
    ]


def _problems(request: PullRequest, reviews: Sequence[_Review], approvals: int, asked: Thresholds) -> list[str]:
    """What is wrong, a sentence each."""
    problems = []
    if request.state not in asked.accepted_states:
        problems.append(f"The pull request is {request.state}, and {' or '.join(asked.accepted_states)} is asked for.")
    if not request.commits:
        problems.append("The pull request names no commit, so nobody knows whose work was reviewed.")
    if approvals < asked.minimum_approvals:
        own = [review for review in reviews if review.approves and review.own]
        wanted = counted(asked.minimum_approvals, "approval")
        verb = "is" if asked.minimum_approvals == 1 else "are"
        sentence = f"{wanted} by somebody who is not an author {verb} asked for and there {_there(approvals)}"
        if own:
            same = own[0]
            sentence += f": {plain(same.person, 80)} approved and is an author ({plain(same.own, 80)})"
            sentence += f", and {len(own) - 1} more" if len(own) > 1 else ""
        problems.append(f"{sentence}.")
    return problems


def _there(approvals: int) -> str:
    return "is none" if approvals == 0 else "is 1" if approvals == 1 else f"are {approvals}"


def _summary(
    request: PullRequest,
    reviews: Sequence[_Review],
    approvers: Sequence[str],
    asked: Thresholds,
    problems: Sequence[str],
) -> dict[str, JsonValue]:
    texts = {"url": request.url, "base": request.base, "head": request.head}
    return {
        "format": "pull_request",
        "provider": plain(request.provider, 40),
        "state": request.state,
        "author": plain(request.author),
        **({} if request.number is None else {"number": request.number}),
        **{name: plain(text, 500) for name, text in texts.items() if text},
        "commits": request.commits,
        "authors": [plain(name) for name in request.authors],
        "approvals": len(approvers),
        "approvers": [plain(name) for name in approvers],
        "own_approvals": [plain(review.person) for review in reviews if review.approves and review.own],
        "minimum_approvals": asked.minimum_approvals,
        "accepted_states": list(asked.accepted_states),
        "problems": [plain(problem, 500) for problem in problems],
    }


def _person(value: Parsed, place: str) -> str:
    """A name that can be compared: somebody's, with a letter or digit in it and nothing that cannot be seen."""
    name = a_text(value, place).strip()
    if len(name) > NAME_MOST or not name.isprintable() or not any(letter.isalnum() for letter in name):
        _refuse(
            place,
            f"is no name of a person: it is empty, longer than {NAME_MOST} characters, or holds what cannot be seen. "
            "Give a name, an address or both, such as Ada Lovelace <ada@example.com>",
        )
    return name


def _folded(name: str) -> str:
    """Letters that look the same made the same, as far as Unicode knows (wide letters are letters)."""
    return unicodedata.normalize("NFKC", name)


def _state(value: str, place: str, known: Collection[str], of_providers: dict[str, str]) -> str:
    word = value.strip().casefold().replace("-", "_").replace(" ", "_")
    state = of_providers.get(word, word)
    if state not in known:
        _refuse(place, f"is {plain(value, 40)!r}, which is no state. Use {', '.join(known)}")
    return state


def _word(value: str, place: str) -> str:
    if not 0 < len(value) <= 40 or not value.isprintable() or not value.strip():
        _refuse(place, "is no name of a provider. Use 1 to 40 characters, such as github")
    return value.strip()


def _web_address(value: str) -> str:
    if value and not (value.startswith(("https://", "http://")) and value.isprintable() and " " not in value):
        _refuse("/url", "is not a web address. Give a URL that begins with https:// or http://, or leave it out")
    return value


def _refuse(place: str, fault: str) -> NoReturn:
    raise MalformedReport(f"{place} {fault}.", field=place)
