"""What a CI system tells of the build in its variables: the commit, the repository, and where a person can see them.

One row for each system, in the order in which they are recognised; `{NAME}` is a variable, and a text of which any variable is
missing is not told. The names on the left are those of the options that they are the defaults of.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BITBUCKET = "https://bitbucket.org/{BITBUCKET_WORKSPACE}/{BITBUCKET_REPO_SLUG}"
_GITHUB = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}"
_AZURE = "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}"

# (the system, the variable that gives it away, option -> text)
SYSTEMS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "bitbucket",
        "BITBUCKET_BUILD_NUMBER",
        {
            "commit": "{BITBUCKET_COMMIT}",
            "branch": "{BITBUCKET_BRANCH}",
            "repository": "{BITBUCKET_REPO_SLUG}",
            "repository_url": "{BITBUCKET_GIT_HTTP_ORIGIN}",
            "commit_url": _BITBUCKET + "/commits/{BITBUCKET_COMMIT}",
            "build_url": _BITBUCKET + "/addon/pipelines/home#!/results/{BITBUCKET_BUILD_NUMBER}",
        },
    ),
    (
        "github",
        "GITHUB_RUN_NUMBER",
        {
            "commit": "{GITHUB_SHA}",
            "branch": "{GITHUB_REF_NAME}",
            "repository": "{GITHUB_REPOSITORY}",
            "repository_url": _GITHUB,
            "commit_url": _GITHUB + "/commit/{GITHUB_SHA}",
            "build_url": _GITHUB + "/actions/runs/{GITHUB_RUN_ID}",
            "deployed_by": "{GITHUB_ACTOR}",
        },
    ),
    (
        "teamcity",
        "TEAMCITY_VERSION",
        {"commit": "{BUILD_VCS_NUMBER}", "build_url": "{BUILD_URL}"},
    ),
    (
        "gitlab",
        "GITLAB_CI",
        {
            "commit": "{CI_COMMIT_SHA}",
            "branch": "{CI_COMMIT_REF_NAME}",
            "repository": "{CI_PROJECT_PATH}",
            "repository_url": "{CI_PROJECT_URL}",
            "commit_url": "{CI_PROJECT_URL}/-/commit/{CI_COMMIT_SHA}",
            "build_url": "{CI_JOB_URL}",
            "deployed_by": "{GITLAB_USER_LOGIN}",
        },
    ),
    (
        "azure",
        "TF_BUILD",
        {
            "commit": "{BUILD_SOURCEVERSION}",
            "branch": "{BUILD_SOURCEBRANCHNAME}",
            "repository": "{BUILD_REPOSITORY_NAME}",
            "repository_url": "{BUILD_REPOSITORY_URI}",
            "commit_url": _AZURE + "/_git/{BUILD_REPOSITORY_NAME}/commit/{BUILD_SOURCEVERSION}",
            "build_url": _AZURE + "/_build/results?buildId={BUILD_BUILDID}",
            "deployed_by": "{BUILD_REQUESTEDFOR}",
        },
    ),
    (
        "circleci",
        "CIRCLECI",
        {
            "commit": "{CIRCLE_SHA1}",
            "branch": "{CIRCLE_BRANCH}",
            "repository": "{CIRCLE_PROJECT_REPONAME}",
            "repository_url": "{CIRCLE_REPOSITORY_URL}",
            "commit_url": "{CIRCLE_REPOSITORY_URL}/commit/{CIRCLE_SHA1}",
            "build_url": "{CIRCLE_BUILD_URL}",
            "deployed_by": "{CIRCLE_USERNAME}",
        },
    ),
    (
        "codebuild",
        "CODEBUILD_CI",
        {
            "commit": "{CODEBUILD_RESOLVED_SOURCE_VERSION}",
            "repository_url": "{CODEBUILD_SOURCE_REPO_URL}",
            "commit_url": "{CODEBUILD_SOURCE_REPO_URL}/commit/{CODEBUILD_RESOLVED_SOURCE_VERSION}",
            "build_url": "{CODEBUILD_BUILD_URL}",
        },
    ),
    (
        "jenkins",
        "JENKINS_URL",
        {
            "commit": "{GIT_COMMIT}",
            "branch": "{GIT_BRANCH}",
            "repository_url": "{GIT_URL}",
            "commit_url": "{GIT_URL}/commit/{GIT_COMMIT}",
            "build_url": "{BUILD_URL}",
        },
    ),
)

_URLS = ("repository_url", "commit_url")
_SAME_AS = {"origin_url": "build_url", "requested_for": "deployed_by"}


def detected(environment: Mapping[str, str]) -> str | None:
    """Which CI system this is; None when it is none of them."""
    return next((name for name, sign, _ in SYSTEMS if environment.get(sign)), None)


def default(option: str, environment: Mapping[str, str]) -> str | None:
    """What the CI system tells about this option; None when it does not, or when this is no CI system."""
    asked = _SAME_AS.get(option, option)
    for _, sign, told in SYSTEMS:
        if environment.get(sign):
            text = told.get(asked)
            return None if text is None else _filled(asked, text, environment)
    return None


def browsable(url: str) -> str:
    """A repository's address as a browser takes it: no `git@host:`, no credentials, no `.git`."""
    if url.startswith("git@") and ":" in url:
        host, _, path = url[4:].partition(":")
        url = f"https://{host}/{path}"
    scheme, separator, rest = url.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        scheme = "https" if scheme in ("ssh", "git") else scheme
        url = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return url.replace(".git/", "/").removesuffix(".git").rstrip("/")


def _filled(option: str, text: str, environment: Mapping[str, str]) -> str | None:
    parts = []
    for piece in text.split("{"):
        name, brace, rest = piece.partition("}")
        if not brace:
            parts.append(piece)
            continue
        value = environment.get(name)
        if not value:
            return None
        parts.append(value + rest)
    filled = "".join(parts)
    return browsable(filled) if option in _URLS else filled
