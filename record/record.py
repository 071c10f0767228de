"""The record as its services see it: database, ledger, vault, sandbox, clock, settings. Built once per process."""

from dataclasses import dataclass

from record.attestations.reports.sandbox import Sandbox
from record.clock import Clock, SystemClock
from record.database import Database
from record.ledger.append import Ledger
from record.readings import rows_of
from record.settings import Settings, secret_in
from record.vault import Vault, VaultAddress


@dataclass(frozen=True, slots=True)
class Record:
    """What a service needs to read, decide and write."""

    database: Database
    ledger: Ledger
    vault: Vault
    sandbox: Sandbox
    clock: Clock
    settings: Settings

    async def close(self) -> None:
        """Gives back connections, threads and processes."""
        await self.database.close()
        self.vault.close()
        await self.sandbox.close()


def open_record(settings: Settings, *, clock: Clock | None = None) -> Record:
    """A record at the addresses that the settings name. Nothing is connected before it is first used.

    InvalidInput when a secret file cannot be read or does not hold what it should.
    """
    settings.notice_keys()  # read when they are needed; what is wrong with them is said now
    clock = clock or SystemClock()
    database = Database(
        str(settings.database_url),
        connections_max=settings.database_connections_max,
        timeout_seconds=settings.database_timeout_seconds,
    )
    vault = Vault(
        VaultAddress(
            endpoint=settings.s3_endpoint,
            access_key=secret_in(settings.s3_access_key_file),
            secret_key=secret_in(settings.s3_secret_key_file),
            bucket=settings.s3_bucket,
            secure=settings.s3_secure,
        ),
        threads=settings.vault_threads,
    )
    ledger = Ledger(database, clock, rows_of, batch_max=settings.append_batch_max)
    return Record(database, ledger, vault, Sandbox(processes=settings.sandbox_processes), clock, settings)
