"""What an operator may set: one typed page, read from the environment, built once in a `__main__` and handed down.

Nothing that could fork or lose the record has a default. Secrets are files, so that they do not show up in process listings.
`docs/operating.md` prints its settings page from this class.
"""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Self, TypeAlias

from pydantic import Field, PostgresDsn, RedisDsn, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from record.refusals import InvalidInput

Network: TypeAlias = IPv4Network | IPv6Network


class Settings(BaseSettings):
    """Settings of api, workers and the operator's commands; each is an environment variable with the prefix MUNIMENT_."""

    model_config = SettingsConfigDict(env_prefix="MUNIMENT_", frozen=True)

    # --- where things are
    database_url: PostgresDsn = Field(
        description="PostgreSQL of the record, as the application role, which may insert and read but never change. "
        "No default: guessing here loses evidence."
    )
    owner_database_url: PostgresDsn | None = Field(
        None, description="The same database as its owner. Only migrations and `python -m record` need it."
    )
    redis_url: RedisDsn = Field(description="Redis or Valkey: wakes workers. Losing it loses no record and no job.")
    s3_endpoint: str = Field(description="Host and port of the S3 store with object lock that holds the vault.")
    s3_secure: bool = Field(True, description="Whether the S3 store is reached over TLS.")
    s3_bucket: str = Field(description="Bucket of the vault. Created with object lock when it is not there.")
    s3_access_key_file: Path = Field(description="File with the access key of the S3 store.")
    s3_secret_key_file: Path = Field(description="File with the secret key of the S3 store.")

    # --- the log's identity
    signing_key_file: Path | None = Field(
        None,
        description="File with the log's Ed25519 seed, 64 hexadecimal digits. Whoever holds it can fork the log, so only "
        "workers and `python -m record` get it.",
    )
    log_origin: str = Field(
        description="Name under which checkpoints are signed: the public host of this server. An organization keeps the "
        "origin that it was created with."
    )
    log_public: bool = Field(
        False, description="Whether anyone may read checkpoints and hash tiles (never entries), so that witnesses can."
    )

    # --- serving
    http_host: str = Field("127.0.0.1", description="Address on which the API listens.")
    http_port: int = Field(8000, ge=0, le=65535, description="Port on which the API listens; 0 picks a free one.")
    http_proxies: str | None = Field(
        None,
        description="Addresses or networks (10.0.0.0/8), separated by commas, of the proxies in front. What these say in "
        "X-Forwarded-For and X-Forwarded-Proto is believed, and nobody else.",
    )
    public_url: str | None = Field(
        None, description="URL under which people reach this server, for links in archives and notices."
    )
    session_hours: float = Field(
        12.0,
        gt=0,
        le=720,
        description="How long a browser stays signed in to the console; a key's own expiry ends it sooner.",
    )
    log_format: str = Field("json", pattern="^(json|text)$", description="`json` for machines, `text` for people.")
    database_connections_max: int = Field(20, ge=1, le=500, description="Connections to PostgreSQL of one process.")
    database_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description="How long one statement may take before the caller is told that the database is unavailable.",
    )
    shutdown_grace_seconds: float = Field(
        20.0, ge=0, description="How long running requests and jobs may go on after SIGTERM."
    )

    # --- the ledger and the vault
    checkpoint_interval_seconds: float = Field(
        1.0, ge=0.05, le=60, description="How long an entry may wait before a signed checkpoint covers it."
    )
    append_batch_max: int = Field(64, ge=1, le=1000, description="Most entries that share one commit.")
    evidence_bytes_max: int = Field(
        5 * 2**30, ge=1, description="Largest evidence file, in bytes; object stores take 5 TiB at most."
    )
    retention_days: int = Field(
        2557,
        ge=1,
        description="How long the vault refuses to lose evidence, unless an organization was given its own term.",
    )
    vault_threads: int = Field(16, ge=2, le=256, description="Threads that talk to the S3 store.")

    sandbox_processes: int = Field(
        2, ge=1, le=64, description="Processes that read reports and run custom rules, apart from everything else."
    )

    # --- exceptions
    waiver_days_max: int = Field(
        90, ge=1, le=3660, description="How long a waiver may excuse something, in days from its request."
    )

    # --- limits of GraphQL
    graphql_ide: bool = Field(False, description="Whether a browser that opens /graphql gets an IDE.")
    graphql_introspection: bool = Field(
        True, description="Whether the schema can be asked for. It is published anyway."
    )
    graphql_body_bytes_max: int = Field(1_000_000, ge=1_000, description="Largest GraphQL request body, in bytes.")
    snapshot_body_bytes_max: int = Field(
        16_000_000,
        ge=1_000,
        description="Largest body of a request whose only field is reportSnapshot, from a key that may report snapshots; its "
        "length must be announced.",
    )
    graphql_tokens_max: int = Field(2_000, ge=50, description="Most lexical tokens of one document.")
    graphql_depth_max: int = Field(
        16, ge=3, description="Deepest nesting of one document; introspection is counted too."
    )
    graphql_aliases_max: int = Field(30, ge=1, description="Most aliases in one document.")
    graphql_cost_max: int = Field(20_000, ge=100, description="Most nodes that one document may ask for.")
    graphql_timeout_seconds: float = Field(20.0, gt=0, description="How long one operation may take.")
    graphql_cached_documents: int = Field(512, ge=1, description="How many parsed and validated documents are kept.")
    page_size_max: int = Field(100, ge=1, le=1000, description="Most nodes that a connection gives at a time.")
    answer_cache_bytes: int = Field(
        64 * 2**20, ge=0, description="Memory for answers that are kept because the same question gives the same bytes."
    )
    subscriptions_per_key_max: int = Field(
        20, ge=1, description="Most subscriptions that one key may hold open; without a key, one address."
    )
    subscriptions_anonymous_max: int = Field(
        200, ge=1, description="Most subscriptions that all readers without a key may hold open together."
    )

    # --- work in the background
    judging_interval_seconds: float = Field(
        0.25, ge=0.02, le=60, description="How often workers look for verdicts that may have changed."
    )
    job_lease_seconds: float = Field(
        30.0, ge=1, description="How long a silent worker keeps a job before another may take it."
    )
    sweep_interval_seconds: float = Field(
        5.0, ge=0.2, description="How often workers look for jobs that nobody woke them for."
    )
    scrub_interval_hours: float = Field(24.0, gt=0, description="How often everything is re-read and checked.")
    jobs_max: int = Field(4, ge=1, le=64, description="Jobs that one worker runs at a time.")
    worker_metrics_port: int | None = Field(None, description="Port on which a worker serves /metrics and /healthz.")

    # --- notices
    notices_key_file: Path | None = Field(
        None,
        description="File with keys, 64 hexadecimal digits a line, that seal webhook secrets and Slack URLs. API and workers "
        "need the same one. The first line seals; the others only open what was sealed with them.",
    )
    notice_http_allowed: bool = Field(
        False, description="Whether webhooks may go over plain HTTP. Anyone on the way can then read them."
    )
    notice_networks_allowed: str | None = Field(
        None,
        description="Networks that webhooks may reach although they are not public, such as `10.20.0.0/16,fd12::/48`.",
    )
    notice_ca_file: Path | None = Field(
        None, description="Certificates (PEM) that webhooks and mail trust beside those of the system."
    )
    notice_timeout_seconds: float = Field(15.0, gt=0, le=60, description="How long a receiver may take to answer.")
    notice_interval_seconds: float = Field(
        1.0, ge=0.05, le=60, description="How often workers look for new entries to send notices about."
    )
    notice_retry_seconds: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Pause before the second attempt at a notice. Each further pause is three times as long, up to four hours.",
    )
    notices_at_once: int = Field(8, ge=1, le=256, description="Notices that one worker sends at a time.")
    notice_history_days: int = Field(
        90, ge=8, description="How long the history of a notice that was delivered or given up is kept."
    )
    smtp_host: str | None = Field(
        None, description="Mail server that notices go through; without it there are none by e-mail."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: str = Field(
        "starttls",
        pattern="^(starttls|tls|none)$",
        description="`starttls` (required, never left out), `tls` from the first byte (port 465), or `none` for a relay beside it.",
    )
    smtp_username: str | None = Field(None, description="User at the mail server; none: without logging in.")
    smtp_password_file: Path | None = Field(None, description="File with that user's password.")
    mail_from: str | None = Field(
        None, description="Address that notices by e-mail come from. Needed with `smtp_host`."
    )

    @field_validator("notice_networks_allowed")
    @classmethod
    def _are_networks(cls, written: str | None) -> str | None:
        _networks(written)
        return written

    @field_validator("mail_from")
    @classmethod
    def _is_mail_address(cls, written: str | None) -> str | None:
        if written is not None and not re.fullmatch(r"[^\s<>@,;\x00-\x1f]+@[A-Za-z0-9.-]+", written):
            raise ValueError("a bare mail address is needed, such as muniment@example.com")
        return written

    @classmethod
    def from_environment(cls) -> Self:
        """The settings of this process; pydantic's error names what is missing."""
        return cls()  # type: ignore[call-arg]  # fields come from the environment

    def signing_seed(self) -> bytes:
        """The log's Ed25519 seed, 32 bytes."""
        if self.signing_key_file is None:
            raise InvalidInput(
                "MUNIMENT_SIGNING_KEY_FILE is not set. Workers and `python -m record` need it: set it and start again."
            )
        seed = _bytes_of(secret_in(self.signing_key_file))
        if len(seed) != 32:
            raise InvalidInput(
                f"{self.signing_key_file} does not hold a seed of 32 bytes. Write 64 hexadecimal digits."
            )
        return seed

    def notice_networks(self) -> tuple[Network, ...]:
        """Networks that notices may reach although they are not public."""
        return _networks(self.notice_networks_allowed)

    def notice_keys(self) -> tuple[bytes, ...]:
        """The keys that seal what notices need in clear, 32 bytes each, the one in use first; none where none is set."""
        if self.notices_key_file is None:
            return ()
        keys = tuple(_bytes_of(line) for line in secret_in(self.notices_key_file).split())
        if not keys or any(len(key) != 32 for key in keys):
            raise InvalidInput(
                f"{self.notices_key_file} does not hold keys of 32 bytes. Write 64 hexadecimal digits a line."
            )
        return keys


def secret_in(path: Path) -> str:
    """What a secret file holds, without space around it. InvalidInput says why it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInput(
            f"The secret file {path} cannot be read: {why}. Put it there, readable by the user that this process runs as "
            f"(uid {os.geteuid()})."
        ) from error


def _bytes_of(digits: str) -> bytes:
    """The bytes that hexadecimal digits stand for; none where they are anything else."""
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _networks(written: str | None) -> tuple[Network, ...]:
    return tuple(ip_network(each.strip()) for each in (written or "").split(",") if each.strip())


def explained(error: ValidationError) -> str:
    """What is missing or wrong among the settings, by the names that an operator knows."""
    names = ", ".join(sorted(f"MUNIMENT_{'_'.join(map(str, fault['loc']))}".upper() for fault in error.errors()))
    return f"These settings are missing or wrong: {names}. See docs/operating.md."
