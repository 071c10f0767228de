"""Alembic migrations of schema `record` and schema `ops`; run with `python -m record.migrations` as the database's owner."""

from record.migrations.run import upgrade

__all__ = ["upgrade"]
