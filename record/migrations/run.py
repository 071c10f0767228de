"""Runs migrations from Python: for the operator's command, the embedded stack and the tests alike."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config

HERE: Final = Path(__file__).parent


def configuration(owner_url: str) -> Config:
    """Alembic's configuration for this database; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = owner_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    return config


def upgrade(owner_url: str) -> None:
    """Brings the database to the newest schema. Safe to run again, and by two at once: the second waits."""
    command.upgrade(configuration(owner_url), "head")
