"""${message}

Why: say it here, and what an interrupted run leaves.
`pre_` runs before the new code, under the old; `post_` after the old code is gone. One concern; never edit a released one.
A table of the record gets its grants, triggers and row-level security in the migration that creates it.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("The record only grows. Restore a backup of before the upgrade instead.")
