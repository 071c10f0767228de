"""Facts about a commit, asked of git itself; nothing when there is no git or no repository."""

from __future__ import annotations

COMMITS_MAX = 200

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMAT = "%H%x00%an <%ae>%x00%cI%x00%D%x00%B"


def commit_facts(revision: str, folder: str = ".") -> dict[str, Any] | None:
    """`sha`, `author`, `committedAt`, `message` and, where HEAD is on one, `branch` of a revision; None when git cannot tell."""
    if revision.startswith("-"):
        return None
    told = run(["log", "-1", f"--format={_FORMAT}", revision, "--"], folder)
    if told is None or told.count("\0") < 4:
        return None
    sha, author, committed_at, references, message = told.split("\0", 4)
    facts = {"sha": sha, "author": author[:512], "committedAt": committed_at, "message": message.strip()[:2000]}
    checked_out = references.partition(",")[0].partition("HEAD -> ")[2]
    if checked_out:
        facts["branch"] = checked_out[:512]
    return {name: value for name, value in facts.items() if value}


def commits_between(oldest: str, newest: str, folder: str = ".") -> list[dict[str, Any]] | None:
    """The commits that `newest` has and `oldest` has not, the newest first; None when git cannot tell."""
    if oldest.startswith("-") or newest.startswith("-"):
        return None
    told = run(
        ["log", f"--max-count={COMMITS_MAX}", "--format=%H%x00%an <%ae>%x00%s%x1e", f"{oldest}..{newest}", "--"], folder
    )
    if told is None:
        return None
    rows = [row.strip("\n").split("\0") for row in told.split("\x1e") if row.strip("\n")]
    return [{"sha": sha, "author": author[:512], "message": message[:200]} for sha, author, message in rows]


def run(arguments: list[str], folder: str) -> str | None:
    """What git prints; None when it fails or is not there."""
    import subprocess  # most commands run no git

    try:
        finished = subprocess.run(  # noqa: S603 (the arguments are ours; revisions are checked above)
            ["git", "-C", folder, "-c", "log.showSignature=false", *arguments],  # noqa: S607 (the git that the user has)
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.decode("utf-8", "replace") if finished.returncode == 0 else None
