"""Facts about a commit, asked of git itself; nothing when there is no git or no repository."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMAT = "%H%x00%an <%ae>%x00%cI%x00%B"


def commit_facts(revision: str, folder: str = ".") -> dict[str, Any] | None:
    """`sha`, `author`, `committedAt`, `message` and, where HEAD is on one, `branch` of a revision; None when git cannot tell."""
    if revision.startswith("-"):
        return None
    told = run(["log", "-1", f"--format={_FORMAT}", revision, "--"], folder)
    if told is None or told.count("\0") < 3:
        return None
    sha, author, committed_at, message = told.split("\0", 3)
    facts = {"sha": sha, "author": author[:512], "committedAt": committed_at, "message": message.strip()[:2000]}
    branch = run(["rev-parse", "--abbrev-ref", "HEAD"], folder) if revision == "HEAD" else None
    if branch and branch.strip() != "HEAD":
        facts["branch"] = branch.strip()
    return {name: value for name, value in facts.items() if value}


def remote_url(folder: str = ".") -> str | None:
    """Where `origin` is; None when git knows none."""
    told = run(["remote", "get-url", "origin"], folder)
    return told.strip() if told else None


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
