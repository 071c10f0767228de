"""Options that several commands have, and those that every command has."""

from __future__ import annotations

from muniment.command import LIST, NUMBER, PAIRS, SWITCH, TEXTS, Option

# --- of every command: how the server is reached, and how the answer is written

HOST = Option("--host", "-H", help="address of the server", value="URL", default="http://127.0.0.1:8000")
API_KEY = Option("--api-key", "--api-token", "-a", help="API key; better in the environment than on the command line")
API_KEY_FILE = Option("--api-key-file", help="file that holds the API key", value="FILE")
KEYRING = Option("--keyring", kind=SWITCH, help="take the API key from the system's keyring (extra: muniment[keyring])")
ORGANIZATION = Option("--organization", "--org", help="the organization that is meant", value="NAME")
OUTPUT = Option(
    "--output", "-o", help="table, json or markdown", choices=("table", "json", "markdown"), default="table"
)
QUIET = Option("--quiet", "-q", kind=SWITCH, help="say nothing but errors on stderr")
DEBUG = Option("--debug", kind=SWITCH, help="say on stderr what is sent, and how long it takes")
CONFIG = Option("--config", "--config-file", "-c", help="configuration file instead of muniment.toml", value="FILE")
RETRIES = Option("--retries", "--max-api-retries", "-r", kind=NUMBER, default=5, help="how often to try again")
DEADLINE = Option("--deadline", kind=NUMBER, default=60, help="seconds after which trying ends", value="SECONDS")
TIMEOUT = Option("--timeout", kind=NUMBER, default=30, help="seconds to wait for one answer", value="SECONDS")
PROXY = Option(
    "--http-proxy", help="proxy as http://user:password@host:port; default: https_proxy and no_proxy", value="PROXY"
)
CA_FILE = Option(
    "--ca-file",
    help="certificates to trust instead of the system's; also SSL_CERT_FILE, REQUESTS_CA_BUNDLE",
    value="FILE",
)
DRY_RUN = Option("--dry-run", "-D", kind=SWITCH, help="print what would be sent, and send nothing")

EVERYWHERE = (
    HOST, API_KEY, API_KEY_FILE, KEYRING, ORGANIZATION, OUTPUT, QUIET, DEBUG, CONFIG, RETRIES, DEADLINE, TIMEOUT, PROXY, CA_FILE,
    DRY_RUN,
)  # fmt: skip

# --- of every command that records

SPOOL = Option("--spool", help="directory that keeps what cannot be sent now, for `muniment flush`", value="DIR")
BEST_EFFORT = Option(
    "--best-effort",
    kind=SWITCH,
    help="end with 0 whatever happens, so that no pipeline fails over it; unknown flags and missing words still end with 2",
)
IDEMPOTENCY_KEY = Option("--idempotency-key", help="your own name for this write: the same again records nothing twice")
RECORDING = (SPOOL, BEST_EFFORT, IDEMPOTENCY_KEY)

# --- where in the record

FLOW = Option("--flow", "-f", help="the flow", value="NAME")
TRAIL = Option("--trail", "-T", help="the trail; default: the commit", value="NAME")
ENVIRONMENT = Option("--environment", "-e", help="the environment", value="NAME")

# --- where it comes from

COMMIT = Option("--commit", "--git-commit", "-g", help="the commit; default: the CI system's, then HEAD", value="SHA")
REPO_ROOT = Option("--repo-root", help="directory of the git repository", default=".", value="DIR")
REPOSITORY_URL = Option("--repository-url", "--repo-url", help="address of the repository", value="URL")
ORIGIN_URL = Option("--origin-url", help="where this comes from; default: the build", value="URL")
BUILD_URL = Option("--build-url", "-b", help="address of the build; default: the CI system's", value="URL")
COMMIT_URL = Option("--commit-url", "-u", help="address of the commit; default: the CI system's", value="URL")
BRANCH = Option("--branch", help="the branch; default: the CI system's, then git's", value="NAME")
REDACT = Option(
    "--redact-commit-info", kind=LIST, help="leave out of the commit's facts: author, message, branch", value="NAMES"
)

# --- what goes with it

DESCRIPTION = Option("--description", "-d", help="what people should know about it", value="TEXT")
EXTERNAL_URL = Option("--external-url", kind=PAIRS, help="evidence that stays with its owner", value="LABEL=URL")
EXTERNAL_FINGERPRINT = Option("--external-fingerprint", kind=PAIRS, help="its SHA-256", value="LABEL=SHA256")
ANNOTATE = Option("--annotate", kind=PAIRS, help="a fact of your own", value="NAME=VALUE")
USER_DATA = Option("--user-data", help="file with a JSON object of your own", value="FILE")
ATTACHMENTS = Option("--attachments", kind=LIST, help="files and directories to keep as evidence", value="PATHS")
ENCRYPT_TO = Option(
    "--encrypt-to",
    kind=TEXTS,
    help="age recipient that alone can read the evidence (extra: muniment[encrypt])",
    value="AGE1...",
)
PARALLEL = Option("--parallel", kind=NUMBER, default=16, help="how many files to send at a time", value="N")

TAGS = Option("--tag", "--set", kind=PAIRS, help="a tag", value="NAME=VALUE")

# --- how much to list

LIMIT = Option("--page-limit", "--limit", "-n", kind=NUMBER, default=20, help="how many to list", value="N")
AFTER = Option("--after", help="go on behind this cursor, which the last page told", value="CURSOR")
AT = Option("--at", help="as the record stood at this instant, such as 2026-03-01T00:00:00Z", value="INSTANT")
