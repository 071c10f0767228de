"""`python -m record`: what an operator does at the server itself.

    python -m record create-organization acme --admin mike@example.com --key-file admin.key
    python -m record change-organization acme --retention-days 3650
    python -m record verify acme
    python -m record orphans
    python -m record repair

stdout is data (JSON), stderr is talk. Exit codes: 0 done, 1 the record does not verify, 2 bad usage, 3 refused or unreachable.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from record.access import service
from record.access.rules import Caller, operator
from record.ledger.queries import organization_named
from record.ledger.repair import repair
from record.ledger.signing import log_verifier_key
from record.record import Record, open_record
from record.refusals import NotFound, Refusal
from record.scrubbing import service as scrubbing
from record.scrubbing.orphans import orphans
from record.settings import Settings, explained


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code says how it ended."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment()
    except ValidationError as error:
        sys.stderr.write(f"{explained(error)}\n")
        return 2
    try:
        return asyncio.run(_run(settings, options))
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.message}\n")
        return 3


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    record = open_record(settings)
    try:
        code: int = await options.command(record, options)
        return code
    finally:
        await record.close()


async def _create(record: Record, options: argparse.Namespace) -> int:
    """Creates an organization; its first admin key goes into a file that only its owner may read."""
    if options.key_file is None:
        caller, issued = await service.create_organization(record, options.name, admin=options.admin)
    else:
        try:
            handle = os.open(options.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            sys.stderr.write(f"{options.key_file} exists already. Choose another file for the key.\n")
            return 2
        with os.fdopen(handle, "w") as file:
            caller, issued = await service.create_organization(
                record, options.name, admin=options.admin, keep=lambda token: _write_now(file, token)
            )
    origin = issued.receipt.ledger
    told: dict[str, Any] = {
        "organization": caller.organization,
        "organization_id": str(caller.org_id),
        "admin": options.admin,
        "log_origin": origin,
        "log_verifier_key": log_verifier_key(record.settings, origin),
        "expires_at": issued.receipt.body["expires_at"],
    }
    if options.key_file is None:
        told["key"] = issued.token
        sys.stderr.write("The key is shown this once and kept nowhere. Put it somewhere safe.\n")
    else:
        told["key_file"] = str(options.key_file)
    _tell(told)
    return 0


def _write_now(file: TextIO, token: str) -> None:
    file.write(f"{token}\n")
    file.flush()
    os.fsync(file.fileno())


async def _change(record: Record, options: argparse.Namespace) -> int:
    caller = await _operator(record, options.name)
    wish = service.ChangeOrganization(
        retention_days=options.retention_days,
        flow_name_pattern=options.flow_name_pattern,
        required_types=options.require_type,
        public=None if options.public is None else options.public == "yes",
    )
    receipt = await service.change_organization(record, caller, wish)
    _tell({"entry": receipt.index, **receipt.body})
    return 0


async def _verify(record: Record, options: argparse.Namespace) -> int:
    """Re-reads everything of an organization; says what does not agree."""
    report = await scrubbing.verify(record, options.name)
    for line in scrubbing.to_lines(report):
        sys.stderr.write(f"{line}\n")
    _tell(scrubbing.to_json(report))
    return 1 if report.findings else 0


async def _orphans(record: Record, options: argparse.Namespace) -> int:
    """Lists objects in the vault that no entry of any organization names."""
    found = [orphan async for orphan in orphans(record)]
    for orphan in found:
        sys.stderr.write(f"{orphan}\n")
    _tell({"orphans": [orphan.key for orphan in found]})
    return 0


async def _repair(record: Record, options: argparse.Namespace) -> int:
    """Makes schema `ops` again from the record, after it was lost."""
    _tell({"ledgers": await repair(record.settings)})
    return 0


async def _operator(record: Record, name: str) -> Caller:
    async with record.database.operations() as connection:
        org_id = await organization_named(connection, name)
    if org_id is None:
        raise NotFound(f"There is no organization called {name} here. Create it with create-organization.")
    return operator(org_id, name)


def _tell(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m record",
        description="What an operator does at the server itself. Settings come from MUNIMENT_*.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    create = commands.add_parser("create-organization", help="begin an organization and print its first admin key")
    create.add_argument("name", help="lower-case letters, digits and hyphens")
    create.add_argument("--admin", default="admin", help="name of its first person (default: %(default)s)")
    create.add_argument("--key-file", type=Path, help="write the key into this new file instead of printing it")
    create.set_defaults(command=_create)

    change = commands.add_parser("change-organization", help="settle retention, flow names, required types, visibility")
    change.add_argument("name")
    change.add_argument(
        "--retention-days", type=int, help="how long the vault keeps evidence that is stored from now on"
    )
    change.add_argument("--flow-name-pattern", help="regular expression that flow names must match; '' lifts it")
    change.add_argument(
        "--require-type", action="append", help="attestation type that every template must ask for; repeat it"
    )
    change.add_argument("--public", choices=("yes", "no"), help="whether anonymous readers may see all of it")
    change.set_defaults(command=_change)

    verify = commands.add_parser("verify", help="re-read everything of an organization and say what does not agree")
    verify.add_argument("name")
    verify.set_defaults(command=_verify)

    stray = commands.add_parser("orphans", help="list objects in the vault that no entry names")
    stray.set_defaults(command=_orphans)

    mend = commands.add_parser("repair", help="make the operational tables again from the record")
    mend.set_defaults(command=_repair)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
