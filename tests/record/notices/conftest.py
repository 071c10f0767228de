"""The record with a key to seal with and a mail server that is never asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from record.record import Record


@pytest.fixture
def record(record: Record, tmp_path: Path) -> Record:
    key = tmp_path / "notices_key"
    key.write_text("5e" * 32)
    more = {"notices_key_file": key, "smtp_host": "mail.invalid", "mail_from": "muniment@example.org"}
    return replace(record, settings=record.settings.model_copy(update=more))
