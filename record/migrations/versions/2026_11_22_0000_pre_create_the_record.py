"""Create the record, insert-only, and the operational schema.

The application role may insert and read in `record` and nothing else; a trigger refuses UPDATE, DELETE and TRUNCATE for everyone,
the owner included; row-level security shows each session one organization. One transaction: an interrupted run leaves nothing.
"""

from alembic import op

revision = "2026_11_22_0000"
down_revision = None
branch_labels = None
depends_on = None

APPLICATION = "muniment_app"

RECORD_TABLES = (
    "api_keys",
    "approval_acts",
    "approvals",
    "archive_downloads",
    "archive_outcomes",
    "archives",
    "artifacts",
    "attestation_evidence",
    "attestation_types",
    "attestations",
    "checkpoints",
    "deployments",
    "entries",
    "environment_events",
    "environments",
    "evidence",
    "flow_templates",
    "flows",
    "idempotency_keys",
    "judgements",
    "key_revocations",
    "organizations",
    "policies",
    "policy_attachments",
    "principals",
    "scrubs",
    "signing_keys",
    "snapshot_members",
    "snapshots",
    "tiles",
    "trails",
    "waiver_acts",
    "waivers",
)

STATEMENTS = (
    """CREATE TABLE record.api_keys (
    org_id UUID NOT NULL,
    key_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    principal_id UUID NOT NULL,
    token_sha256 BYTEA NOT NULL,
    description VARCHAR NOT NULL,
    scopes JSONB,
    expires_at TIMESTAMP WITH TIME ZONE,
    replaces UUID,
    PRIMARY KEY (org_id, key_id)
)""",
    """CREATE UNIQUE INDEX api_keys_by_hash ON record.api_keys (org_id, token_sha256)""",
    """CREATE INDEX api_keys_by_principal ON record.api_keys (org_id, principal_id, entry_index)""",
    """CREATE TABLE record.approval_acts (
    org_id UUID NOT NULL,
    approval_id UUID NOT NULL,
    number INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    act VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    principal_id UUID NOT NULL,
    principal VARCHAR NOT NULL,
    who VARCHAR NOT NULL,
    comment VARCHAR NOT NULL,
    reported BOOLEAN NOT NULL,
    url VARCHAR,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, approval_id, number)
)""",
    """CREATE TABLE record.approvals (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    approval_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    environment VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    flow_id UUID,
    flow VARCHAR,
    trail_id UUID,
    trail VARCHAR,
    template_name VARCHAR,
    commits JSONB NOT NULL,
    authors JSONB NOT NULL,
    authors_known BOOLEAN NOT NULL,
    requester_id UUID NOT NULL,
    requested_by VARCHAR NOT NULL,
    requested_for VARCHAR,
    reported BOOLEAN NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX approvals_by_environment ON record.approvals (org_id, environment, entry_index)""",
    """CREATE INDEX approvals_by_fingerprint ON record.approvals (org_id, fingerprint, entry_index)""",
    """CREATE UNIQUE INDEX approvals_by_id ON record.approvals (org_id, approval_id)""",
    """CREATE TABLE record.archive_downloads (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    archive_id UUID NOT NULL,
    downloaded_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX archive_downloads_by_archive ON record.archive_downloads (org_id, archive_id, entry_index)""",
    """CREATE TABLE record.archive_outcomes (
    org_id UUID NOT NULL,
    archive_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    failure VARCHAR,
    digest VARCHAR,
    byte_count BIGINT,
    files INTEGER,
    checkpoint_size BIGINT,
    key VARCHAR,
    version_id VARCHAR,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, archive_id)
)""",
    """CREATE TABLE record.archives (
    org_id UUID NOT NULL,
    archive_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    flow VARCHAR,
    trail VARCHAR,
    fingerprint VARCHAR,
    since TIMESTAMP WITH TIME ZONE,
    until TIMESTAMP WITH TIME ZONE,
    size BIGINT NOT NULL,
    instant TIMESTAMP WITH TIME ZONE NOT NULL,
    requested_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, archive_id)
)""",
    """CREATE INDEX archives_by_entry ON record.archives (org_id, entry_index)""",
    """CREATE TABLE record.artifacts (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    flow_id UUID NOT NULL,
    flow VARCHAR NOT NULL,
    trail_id UUID NOT NULL,
    trail VARCHAR NOT NULL,
    template_name VARCHAR NOT NULL,
    commit VARCHAR,
    commit_info JSONB,
    commit_url VARCHAR,
    build_url VARCHAR,
    repository_url VARCHAR,
    external_urls JSONB NOT NULL,
    annotations JSONB NOT NULL,
    user_data JSONB NOT NULL,
    reported_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX artifacts_by_commit ON record.artifacts (org_id, commit text_pattern_ops, entry_index)""",
    """CREATE INDEX artifacts_by_fingerprint ON record.artifacts (org_id, fingerprint text_pattern_ops, entry_index)""",
    """CREATE INDEX artifacts_by_name ON record.artifacts (org_id, name text_pattern_ops, entry_index)""",
    """CREATE INDEX artifacts_by_trail ON record.artifacts (org_id, trail_id, entry_index)""",
    """CREATE TABLE record.attestation_evidence (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    position INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    file_name VARCHAR NOT NULL,
    media_type VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (org_id, entry_index, position)
)""",
    """CREATE INDEX attestation_evidence_by_digest ON record.attestation_evidence (org_id, digest)""",
    """CREATE TABLE record.attestation_types (
    org_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    description VARCHAR NOT NULL,
    json_schema JSONB NOT NULL,
    rules JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, name, version)
)""",
    """CREATE TABLE record.attestations (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    attestation_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    flow VARCHAR NOT NULL,
    trail_id UUID NOT NULL,
    trail VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    type_version INTEGER,
    compliant BOOLEAN NOT NULL,
    explanation VARCHAR NOT NULL,
    fingerprint VARCHAR,
    template_name VARCHAR,
    commit VARCHAR,
    overrides VARCHAR,
    expires_at TIMESTAMP WITH TIME ZONE,
    description VARCHAR NOT NULL,
    origin_url VARCHAR,
    external_urls JSONB NOT NULL,
    annotations JSONB NOT NULL,
    user_data JSONB NOT NULL,
    summary JSONB NOT NULL,
    attested_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX attestations_by_fingerprint ON record.attestations (org_id, fingerprint, entry_index)""",
    """CREATE UNIQUE INDEX attestations_by_id ON record.attestations (org_id, attestation_id)""",
    """CREATE INDEX attestations_by_trail ON record.attestations (org_id, trail_id, entry_index)""",
    """CREATE INDEX attestations_expiring ON record.attestations (org_id, trail_id) WHERE expires_at IS NOT NULL""",
    """CREATE TABLE record.checkpoints (
    org_id UUID NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    note VARCHAR NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, size)
)""",
    """CREATE TABLE record.deployments (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    deployment_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    environment VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    flow_id UUID,
    flow VARCHAR,
    trail_id UUID,
    trail VARCHAR,
    template_name VARCHAR,
    commit VARCHAR,
    build_url VARCHAR,
    description VARCHAR NOT NULL,
    deployed_by VARCHAR NOT NULL,
    deployed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reported_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX deployments_by_environment ON record.deployments (org_id, environment_id, entry_index)""",
    """CREATE INDEX deployments_by_fingerprint ON record.deployments (org_id, fingerprint, environment_id, deployed_at)""",
    """CREATE UNIQUE INDEX deployments_by_id ON record.deployments (org_id, deployment_id)""",
    """CREATE INDEX deployments_by_unit ON record.deployments (org_id, environment_id, unit, deployed_at, entry_index)""",
    """CREATE TABLE record.entries (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    leaf_hash BYTEA NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX entries_by_at ON record.entries (org_id, at, entry_index)""",
    """CREATE UNIQUE INDEX entries_by_id ON record.entries (org_id, id)""",
    """CREATE INDEX entries_by_kind ON record.entries (org_id, kind, entry_index)""",
    """CREATE TABLE record.environment_events (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    still_to_come INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    since INTEGER NOT NULL,
    instances INTEGER NOT NULL,
    instances_before INTEGER NOT NULL,
    flows JSONB NOT NULL,
    flows_before JSONB,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, environment_id, entry_index, ordinal)
)""",
    """CREATE INDEX events_by_artifact ON record.environment_events (org_id, fingerprint, environment_id, entry_index)""",
    """CREATE TABLE record.environments (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    tags JSONB NOT NULL,
    included JSONB NOT NULL,
    cadence_seconds INTEGER,
    grace_seconds INTEGER NOT NULL,
    archived BOOLEAN NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, environment_id, entry_index)
)""",
    """CREATE UNIQUE INDEX environments_by_name ON record.environments (org_id, name) WHERE version = 1""",
    """CREATE UNIQUE INDEX environments_by_version ON record.environments (org_id, environment_id, version)""",
    """CREATE TABLE record.evidence (
    org_id UUID NOT NULL,
    digest VARCHAR NOT NULL,
    entry_index BIGINT NOT NULL,
    size BIGINT NOT NULL,
    crc32 BIGINT NOT NULL,
    media_type VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    version_id VARCHAR NOT NULL,
    retained_until TIMESTAMP WITH TIME ZONE NOT NULL,
    stored_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, digest)
)""",
    """CREATE TABLE record.flow_templates (
    org_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    version INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    source VARCHAR NOT NULL,
    template JSONB NOT NULL,
    PRIMARY KEY (org_id, flow_id, version)
)""",
    """CREATE TABLE record.flows (
    org_id UUID NOT NULL,
    flow_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    tags JSONB NOT NULL,
    public BOOLEAN NOT NULL,
    template_version INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, flow_id, entry_index)
)""",
    """CREATE UNIQUE INDEX flows_by_name ON record.flows (org_id, name) WHERE version = 1""",
    """CREATE UNIQUE INDEX flows_by_version ON record.flows (org_id, flow_id, version)""",
    """CREATE TABLE record.idempotency_keys (
    org_id UUID NOT NULL,
    principal_id UUID NOT NULL,
    key VARCHAR NOT NULL,
    entry_index BIGINT NOT NULL,
    input_sha256 VARCHAR NOT NULL,
    PRIMARY KEY (org_id, principal_id, key)
)""",
    """CREATE TABLE record.judgements (
    org_id UUID NOT NULL,
    subject_id UUID NOT NULL,
    number INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    judgement_id UUID NOT NULL,
    subject VARCHAR NOT NULL,
    environment VARCHAR,
    flow VARCHAR,
    trail VARCHAR,
    previous VARCHAR,
    status VARCHAR NOT NULL,
    changed BOOLEAN NOT NULL,
    stale_since TIMESTAMP WITH TIME ZONE,
    size BIGINT NOT NULL,
    instant TIMESTAMP WITH TIME ZONE NOT NULL,
    cause BIGINT,
    holds_until TIMESTAMP WITH TIME ZONE,
    reasons JSONB NOT NULL,
    snapshot INTEGER,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, subject_id, number)
)""",
    """CREATE INDEX judgements_by_entry ON record.judgements (org_id, entry_index) WHERE changed""",
    """CREATE UNIQUE INDEX judgements_by_snapshot ON record.judgements (org_id, subject_id, snapshot) WHERE snapshot IS NOT NULL""",
    """CREATE INDEX judgements_changed ON record.judgements (org_id, subject_id, number) WHERE changed""",
    """CREATE TABLE record.key_revocations (
    org_id UUID NOT NULL,
    key_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    effective_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (org_id, key_id, entry_index)
)""",
    """CREATE TABLE record.organizations (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    retention_days INTEGER NOT NULL,
    flow_name_pattern VARCHAR,
    required_types JSONB NOT NULL,
    public BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE TABLE record.policies (
    org_id UUID NOT NULL,
    policy_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    comment VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    recorded_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, policy_id, entry_index)
)""",
    """CREATE UNIQUE INDEX policies_by_name ON record.policies (org_id, name) WHERE version = 1""",
    """CREATE UNIQUE INDEX policies_by_version ON record.policies (org_id, policy_id, version)""",
    """CREATE TABLE record.policy_attachments (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    policy_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    environment VARCHAR NOT NULL,
    policy VARCHAR NOT NULL,
    attached BOOLEAN NOT NULL,
    recorded_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, environment_id, policy_id, entry_index)
)""",
    """CREATE INDEX policy_attachments_by_policy ON record.policy_attachments (org_id, policy_id, environment_id, entry_index)""",
    """CREATE TABLE record.principals (
    org_id UUID NOT NULL,
    principal_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    grants JSONB NOT NULL,
    disabled BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, principal_id, entry_index)
)""",
    """CREATE UNIQUE INDEX principals_by_name ON record.principals (org_id, name) WHERE version = 1""",
    """CREATE UNIQUE INDEX principals_by_version ON record.principals (org_id, principal_id, version)""",
    """CREATE TABLE record.scrubs (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    size BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    checkpoints BIGINT NOT NULL,
    tiles BIGINT NOT NULL,
    published BIGINT NOT NULL,
    evidence BIGINT NOT NULL,
    finding_count BIGINT NOT NULL,
    findings JSONB NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE TABLE record.signing_keys (
    org_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    entry_index BIGINT NOT NULL,
    key_id VARCHAR NOT NULL,
    pem VARCHAR NOT NULL,
    trusted BOOLEAN NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, name, entry_index)
)""",
    """CREATE TABLE record.snapshot_members (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    number INTEGER NOT NULL,
    fingerprint VARCHAR NOT NULL,
    entry_index BIGINT NOT NULL,
    change VARCHAR NOT NULL,
    since INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    instances INTEGER NOT NULL,
    created JSONB NOT NULL,
    facts JSONB NOT NULL,
    facts_omitted INTEGER NOT NULL,
    flows JSONB NOT NULL,
    PRIMARY KEY (org_id, environment_id, number, fingerprint)
)""",
    """CREATE TABLE record.snapshots (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    number INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    keyframe INTEGER NOT NULL,
    rows_since BIGINT NOT NULL,
    artifacts INTEGER NOT NULL,
    instances BIGINT NOT NULL,
    started INTEGER NOT NULL,
    stopped INTEGER NOT NULL,
    scaled INTEGER NOT NULL,
    found INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    refused_count INTEGER NOT NULL,
    refused JSONB NOT NULL,
    reported_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, environment_id, number)
)""",
    """CREATE INDEX snapshots_by_entry ON record.snapshots (org_id, environment_id, entry_index)""",
    """CREATE TABLE record.tiles (
    org_id UUID NOT NULL,
    level INTEGER NOT NULL,
    tile_index BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    root BYTEA NOT NULL,
    PRIMARY KEY (org_id, level, tile_index)
)""",
    """CREATE TABLE record.trails (
    org_id UUID NOT NULL,
    trail_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    version INTEGER NOT NULL,
    flow_id UUID NOT NULL,
    flow VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    commit VARCHAR,
    commit_info JSONB,
    origin_url VARCHAR,
    external_urls JSONB NOT NULL,
    user_data JSONB NOT NULL,
    template_version INTEGER NOT NULL,
    own_template JSONB,
    begun_by VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, trail_id, entry_index)
)""",
    """CREATE INDEX trails_begun ON record.trails (org_id, flow_id, entry_index) WHERE version = 1""",
    """CREATE INDEX trails_by_commit ON record.trails (org_id, commit text_pattern_ops, entry_index)""",
    """CREATE UNIQUE INDEX trails_by_name ON record.trails (org_id, flow_id, name) WHERE version = 1""",
    """CREATE UNIQUE INDEX trails_by_version ON record.trails (org_id, trail_id, version)""",
    """CREATE INDEX trails_named ON record.trails (org_id, name text_pattern_ops, entry_index) WHERE version = 1""",
    """CREATE TABLE record.waiver_acts (
    org_id UUID NOT NULL,
    waiver_id UUID NOT NULL,
    number INTEGER NOT NULL,
    entry_index BIGINT NOT NULL,
    act VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    principal_id UUID NOT NULL,
    principal VARCHAR NOT NULL,
    comment VARCHAR NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, waiver_id, number)
)""",
    """CREATE TABLE record.waivers (
    org_id UUID NOT NULL,
    entry_index BIGINT NOT NULL,
    waiver_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    environment VARCHAR NOT NULL,
    fingerprint VARCHAR,
    name VARCHAR,
    policy VARCHAR,
    rule VARCHAR,
    reason VARCHAR NOT NULL,
    requester_id UUID NOT NULL,
    requested_by VARCHAR NOT NULL,
    requested_for VARCHAR,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, entry_index)
)""",
    """CREATE INDEX waivers_by_environment ON record.waivers (org_id, environment, entry_index)""",
    """CREATE INDEX waivers_by_expiry ON record.waivers (org_id, expires_at)""",
    """CREATE UNIQUE INDEX waivers_by_id ON record.waivers (org_id, waiver_id)""",
    """CREATE TABLE ops.environment_reports (
    org_id UUID NOT NULL,
    environment_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, environment_id)
)""",
    """CREATE TABLE ops.jobs (
    org_id UUID NOT NULL,
    job_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    subject UUID NOT NULL,
    state VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    lease_token BIGINT NOT NULL,
    progress_done BIGINT NOT NULL,
    progress_total BIGINT NOT NULL,
    progress_text VARCHAR NOT NULL,
    failure VARCHAR,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, job_id)
)""",
    """CREATE UNIQUE INDEX jobs_by_subject ON ops.jobs (org_id, kind, subject)""",
    """CREATE INDEX jobs_unfinished ON ops.jobs (due_at) WHERE state IN ('queued', 'running')""",
    """CREATE TABLE ops.judging (
    org_id UUID NOT NULL,
    size BIGINT NOT NULL,
    instant TIMESTAMP WITH TIME ZONE NOT NULL,
    resumed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (org_id)
)""",
    """CREATE TABLE ops.judging_due (
    org_id UUID NOT NULL,
    subject_id UUID NOT NULL,
    subject VARCHAR NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    stale_since TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (org_id, subject_id)
)""",
    """CREATE INDEX judging_due_by_instant ON ops.judging_due (due_at) WHERE due_at IS NOT NULL""",
    """CREATE INDEX judging_due_stale ON ops.judging_due (org_id, subject_id) WHERE stale_since IS NOT NULL""",
    """CREATE TABLE ops.key_uses (
    org_id UUID NOT NULL,
    key_id UUID NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, key_id)
)""",
    """CREATE TABLE ops.ledgers (
    org_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    access_index BIGINT NOT NULL,
    PRIMARY KEY (org_id)
)
 WITH (fillfactor = 50)""",
    """CREATE UNIQUE INDEX ledgers_by_name ON ops.ledgers (name)""",
    """CREATE TABLE ops.publications (
    org_id UUID NOT NULL,
    signed_size BIGINT NOT NULL,
    published_size BIGINT NOT NULL,
    PRIMARY KEY (org_id)
)""",
    """CREATE TABLE ops.sessions (
    org_id UUID NOT NULL,
    session_sha256 BYTEA NOT NULL,
    token_sha256 BYTEA NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (org_id, session_sha256)
)""",
    """CREATE INDEX sessions_by_secret ON ops.sessions (session_sha256)""",
)


def upgrade() -> None:
    if not op.get_bind().exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = 'muniment_app'").scalar():
        raise RuntimeError(
            "The database has no role muniment_app. Create it (LOGIN, NOSUPERUSER, NOBYPASSRLS), then run the migrations again."
        )
    op.execute("CREATE SCHEMA record")
    for statement in STATEMENTS:
        op.execute(statement)
    op.execute(REFUSE_CHANGE)
    for table in RECORD_TABLES:
        make_insert_only(table)
    op.execute(f"GRANT USAGE ON SCHEMA record, ops TO {APPLICATION}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ops TO {APPLICATION}")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON ops.alembic_version FROM {APPLICATION}")


REFUSE_CHANGE = """
CREATE FUNCTION record.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The record is append-only: % on %.% is refused. Append a newer fact instead.',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$"""


def make_insert_only(table: str) -> None:
    """Grants, triggers and row-level security of one table of the record."""
    op.execute(f"GRANT SELECT, INSERT ON record.{table} TO {APPLICATION}")
    op.execute(
        f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON record.{table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION record.refuse_change()"
    )
    op.execute(f"ALTER TABLE record.{table} ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY own_organization ON record.{table} "
        "USING (org_id = (SELECT nullif(current_setting('muniment.org', true), '')::uuid)) "
        "WITH CHECK (org_id = nullif(current_setting('muniment.org', true), '')::uuid)"
    )


def downgrade() -> None:
    raise NotImplementedError("The record only grows. Restore a backup of before the upgrade instead.")
