"""Trusting and retiring the public keys that provenance may be signed with."""

import hashlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from record.access.rules import Action, Caller
from record.attestations import queries
from record.attestations.reports.dsse import load_key
from record.ids import TYPE_NAME, checked_name
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import NotFound


async def trust(
    record: Record, caller: Caller, *, name: str, pem: str, idempotency: Idempotency | None = None
) -> Receipt:
    """Trusts a public key (PEM) under a name; a name that is there already gets this key from now on."""
    caller.require(Action.ADMINISTER)
    checked_name(name, TYPE_NAME, field="key name")
    key = load_key(pem)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = {
        "name": name,
        "key_id": hashlib.sha256(spki).hexdigest(),
        "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    }
    return await record.ledger.append(caller, Draft("signing_key.trusted", body), idempotency=idempotency)


async def retire(record: Record, caller: Caller, *, name: str, idempotency: Idempotency | None = None) -> Receipt:
    """From now on this key signs nothing that counts; attestations made before keep their verdict."""
    caller.require(Action.ADMINISTER)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        known = await queries.signing_keys(connection, moment, name=name)
    if not known:
        raise NotFound(f"There is no signing key called {name[:80]}. List the signing keys to find its name.")
    body = {"name": name, "key_id": known[0].key_id, "pem": known[0].pem}
    return await record.ledger.append(caller, Draft("signing_key.retired", body), idempotency=idempotency)
