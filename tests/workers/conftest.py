"""The same ledger as in the ledger's own tests."""

from tests.record.ledger.conftest import ledger, record, settings

__all__ = ["ledger", "record", "settings"]
