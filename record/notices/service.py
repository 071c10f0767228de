"""Uses of notices: create, change, disable, give a new secret, ask for a sample, ask for a delivery again.

These only record what is wanted; workers read the entries and send (`record.notices.telling`). A secret is kept before the entry
that names it: if we die in between, a sealed row is left that nothing names, and never a notice that cannot be signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from record import details
from record.access.rules import Action, Caller, worker
from record.clock import to_rfc3339
from record.environments import queries as environments
from record.flows import queries as flows
from record.ids import (
    ENVIRONMENT_NAME,
    FLOW_NAME,
    NOTICE_NAME,
    DeliveryId,
    NoticeId,
    OrgId,
    checked_name,
    uuid7,
)
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.notices import outbox, queries, rules
from record.notices.events import Trigger
from record.notices.rules import Channel, Notice
from record.notices.secrets import Seal, new_secret
from record.notices.targets import checked_mailbox, checked_target
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

NOTICES_MAX: Final = 100
"""Of one organization: each entry is held against all of them."""
ADDRESSES_MAX: Final = 20
NARROWED_MAX: Final = 100
OVERLAP_HOURS_MAX: Final = 24 * 30


@dataclass(frozen=True, slots=True)
class CreateNotice:
    """`url` for webhooks and Slack, `addresses` for e-mail. `flows` and `environments` None: all of them."""

    name: str
    channel: Channel
    triggers: Sequence[Trigger]
    url: str | None = None
    addresses: Sequence[str] = ()
    description: str = ""
    flows: Sequence[str] | None = None
    environments: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class ChangeNotice:
    """What is None stays as it is; an empty list of flows or environments means all of them. `enabled` only enables."""

    name: str
    url: str | None = None
    addresses: Sequence[str] | None = None
    triggers: Sequence[Trigger] | None = None
    description: str | None = None
    flows: Sequence[str] | None = None
    environments: Sequence[str] | None = None
    enabled: bool = False


class SecretShown(NamedTuple):
    """A receipt, and the secret that is shown this once: None for a repeated request, and where nothing is signed."""

    receipt: Receipt
    secret: str | None


async def create(
    record: Record, caller: Caller, wish: CreateNotice, *, idempotency: Idempotency | None = None
) -> SecretShown:
    """Creates a notice. It is told of what happens from its entry on."""
    caller.require(Action.ADMINISTER)
    checked_name(wish.name, NOTICE_NAME, field="notice name")
    if (wish.channel is Channel.EMAIL) is not (wish.url is None):
        wanted = "addresses and no URL" if wish.channel is Channel.EMAIL else "a URL"
        raise InvalidInput(f"A notice by {wish.channel.value} needs {wanted}. Give that.", field="url")
    if wish.channel is not Channel.EMAIL and wish.addresses:
        raise InvalidInput("Only notices by e-mail have addresses. Leave them out.", field="addresses")
    body: dict[str, Any] = {
        "notice_id": str(uuid7()),
        "version": 1,
        "name": wish.name,
        "description": details.checked_text(wish.description, field="description"),
        "channel": wish.channel.value,
        "targets": _targets(record, wish.channel, wish.url, wish.addresses),
        "triggers": _triggers(wish.triggers),
        "disabled": False,
        **await _narrowing(record, caller, wish.flows, wish.environments),
    }
    await _require_room(record, caller)
    secret = _secret(wish.channel, wish.url)
    if secret is not None:
        body["secret_id"] = str(await _keep(record, caller.org_id, NoticeId(UUID(body["notice_id"])), secret))
    async with record.database.operations() as connection:
        await outbox.begin(connection, caller.org_id)
    try:
        receipt = await record.ledger.append(caller, Draft("notice.created", body), idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(
            f"A notice called {wish.name} exists already. Change it with changeNotice, or choose another name."
        ) from error
    shown = wish.channel is Channel.WEBHOOK and not receipt.replayed
    return SecretShown(receipt, secret if shown else None)


async def change(
    record: Record, caller: Caller, wish: ChangeNotice, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records the notice anew, in force at once. A disabled one stays so unless `enabled` says otherwise."""
    caller.require(Action.ADMINISTER)

    async def decide() -> list[Draft]:
        notice = await named(record, caller, wish.name)
        changes = await _changes(record, caller, notice, wish)
        if not changes:
            raise InvalidInput(f"Nothing of the notice {notice.name} would change. Say what is to be different.")
        return [Draft("notice.changed", rules.body_of(notice, changes))]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def disable(
    record: Record, caller: Caller, *, name: str, reason: str = "", idempotency: Idempotency | None = None
) -> Receipt:
    """From now on nothing of it is sent, what waits included. changeNotice enables it again."""
    caller.require(Action.ADMINISTER)
    details.checked_text(reason, field="reason")

    async def decide() -> list[Draft]:
        notice = await named(record, caller, name)
        if notice.disabled:
            raise InvalidInput(f"The notice {name} is disabled already. Enable it with changeNotice.", field="name")
        body = rules.body_of(notice, {"disabled": True, "disabled_because": reason or None})
        return [Draft("notice.disabled", body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def disable_lost(record: Record, org_id: OrgId, organization: str, notice: Notice, *, reason: str) -> bool:
    """Disables a notice whose receiver is gone: an entry by the worker. False when somebody changed it just now."""
    body = rules.body_of(notice, {"disabled": True, "disabled_because": reason})
    try:
        await record.ledger.append(worker(org_id, organization), Draft("notice.disabled", body))
    except AlreadyRecorded:
        return False
    return True


async def rotate_secret(
    record: Record, caller: Caller, *, name: str, overlap_hours: int = 24, idempotency: Idempotency | None = None
) -> SecretShown:
    """Gives a webhook a new secret. During the overlap each message is signed with the old one as well."""
    caller.require(Action.ADMINISTER)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise InvalidInput(
            f"An overlap of {overlap_hours} hours is out of range. Choose 0 to {OVERLAP_HOURS_MAX}.",
            field="overlapHours",
        )
    while True:
        notice = await named(record, caller, name)
        if notice.channel is not Channel.WEBHOOK:
            raise InvalidInput(
                f"Notices by {notice.channel.value} are not signed. Rotate the secret of a webhook.", field="name"
            )
        secret = new_secret()
        changes: dict[str, Any] = {
            "secret_id": str(await _keep(record, caller.org_id, notice.notice_id, secret)),
            "previous_secret_id": None,
            "previous_secret_until": None,
        }
        if overlap_hours and notice.secret_id is not None:
            changes["previous_secret_id"] = str(notice.secret_id)
            changes["previous_secret_until"] = to_rfc3339(record.clock.now() + timedelta(hours=overlap_hours))
        body = rules.body_of(notice, changes)
        try:
            receipt = await _record(record, caller, "notice.changed", body, idempotency)
        except AlreadyRecorded:
            continue
        return SecretShown(receipt, None if receipt.replayed else secret)


async def send_sample(record: Record, caller: Caller, *, name: str, idempotency: Idempotency | None = None) -> Receipt:
    """Asks for a sample, which a worker sends once. How it went is in the notice's deliveries."""
    caller.require(Action.ADMINISTER)
    notice = await named(record, caller, name)
    if notice.disabled:
        raise InvalidInput(f"The notice {name} is disabled. Enable it with changeNotice, then test it.", field="name")
    body = {"notice_id": str(notice.notice_id), "name": notice.name}
    return await _record(record, caller, "notice.tested", body, idempotency)


async def replay(
    record: Record, caller: Caller, *, delivery_id: DeliveryId, idempotency: Idempotency | None = None
) -> Receipt:
    """Asks for a delivery again, at once, under the same message id: a receiver that has it can know."""
    caller.require(Action.ADMINISTER)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        (delivery,) = await queries.deliveries_by_ids(connection, caller.org_id, [delivery_id])
        notice = None
        if delivery is not None:
            (notice,) = await queries.by_ids(connection, moment, [delivery.notice_id])
    if delivery is None or notice is None:
        raise NotFound("There is no such delivery, or its history is no longer kept. List the notice's deliveries.")
    if notice.disabled:
        raise InvalidInput(
            f"The notice {notice.name} is disabled. Enable it with changeNotice, then ask again.", field="delivery"
        )
    body = {"notice_id": str(notice.notice_id), "name": notice.name, "delivery_id": str(delivery_id)}
    return await _record(record, caller, "notice.replayed", body, idempotency)


async def named(record: Record, caller: Caller, name: str) -> Notice:
    """The notice of this name; refuses when there is none."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        notice = await queries.by_name(connection, moment, name)
    if notice is None:
        raise NotFound(f"There is no notice called {name[:80]}. Create it with createNotice, or check the name.")
    return notice


async def _record(
    record: Record, caller: Caller, kind: str, body: dict[str, Any], idempotency: Idempotency | None
) -> Receipt:
    return await record.ledger.append(caller, Draft(kind, body), idempotency=idempotency)


async def _changes(record: Record, caller: Caller, notice: Notice, wish: ChangeNotice) -> dict[str, Any]:
    """Members of the next version that differ from this one."""
    wanted: dict[str, Any] = {}
    if wish.triggers is not None:
        wanted["triggers"] = _triggers(wish.triggers)
    if wish.description is not None:
        wanted["description"] = details.checked_text(wish.description, field="description")
    narrowing = await _narrowing(record, caller, wish.flows or None, wish.environments or None)
    for member, given in (("flows", wish.flows), ("environments", wish.environments)):
        if given is not None:
            wanted[member] = narrowing.get(member)
    if wish.enabled:
        wanted |= {"disabled": False, "disabled_because": None}
    if wish.url is not None or wish.addresses is not None:
        if (notice.channel is Channel.EMAIL) is not (wish.url is None):
            raise InvalidInput(
                f"The notice {notice.name} goes by {notice.channel.value}, and that stays. Create another one.",
                field="url",
            )
        wanted["targets"] = _targets(record, notice.channel, wish.url, wish.addresses or ())
        if notice.channel is Channel.SLACK:
            wanted["secret_id"] = str(await _keep(record, caller.org_id, notice.notice_id, wish.url or ""))
    now = rules.body_of(notice, {})
    return {member: value for member, value in wanted.items() if value != now.get(member)}


def _targets(record: Record, channel: Channel, url: str | None, addresses: Sequence[str]) -> list[str]:
    """What an entry may say of where a notice goes. A Slack URL opens a channel to whoever has it, so only its host."""
    if channel is Channel.EMAIL:
        if record.settings.smtp_host is None or record.settings.mail_from is None:
            raise InvalidInput("This server sends no e-mail. Have MUNIMENT_SMTP_HOST and MUNIMENT_MAIL_FROM set first.")
        distinct = list(dict.fromkeys(map(checked_mailbox, addresses)))
        if not 1 <= len(distinct) <= ADDRESSES_MAX:
            raise InvalidInput(f"Give 1 to {ADDRESSES_MAX} addresses, not {len(distinct)}.", field="addresses")
        return distinct
    if not Seal(record.settings.notice_keys()):
        raise InvalidInput("This server has no key to seal secrets with. Have MUNIMENT_NOTICES_KEY_FILE set first.")
    settings = record.settings
    target = checked_target(url or "", http_allowed=settings.notice_http_allowed, networks=settings.notice_networks())
    return [f"{urlsplit(target.url).scheme}://{target.authority}"] if channel is Channel.SLACK else [target.url]


def _triggers(wished: Sequence[Trigger]) -> list[str]:
    if not wished:
        raise InvalidInput("A notice needs at least one trigger. Say what it is to tell.", field="triggers")
    return list(dict.fromkeys(trigger.value for trigger in wished))


async def _narrowing(
    record: Record, caller: Caller, flow_names: Sequence[str] | None, environment_names: Sequence[str] | None
) -> dict[str, list[str]]:
    """The narrowing in an entry's words. A name that nothing has would silence the notice, so it is refused."""
    narrowing: dict[str, list[str]] = {}
    moment = Moment.latest(caller.org_id, record.clock.now())
    if environment_names is not None:
        narrowing["environments"] = wanted = _names(environment_names, ENVIRONMENT_NAME, "environment")
        async with record.database.connection(caller.org_id) as connection:
            found = await environments.by_names(connection, moment, wanted)
        _require_all("environment", wanted, [each is not None for each in found])
    if flow_names is not None:
        narrowing["flows"] = wanted = _names(flow_names, FLOW_NAME, "flow")
        async with record.database.connection(caller.org_id) as connection:
            there = [await flows.by_name(connection, moment, name) is not None for name in wanted]
        _require_all("flow", wanted, there)
    return narrowing


def _names(given: Sequence[str], pattern: Any, kind: str) -> list[str]:
    names = [checked_name(name, pattern, field=f"{kind} name") for name in dict.fromkeys(given)]
    if not 1 <= len(names) <= NARROWED_MAX:
        raise InvalidInput(
            f"Narrow a notice to 1 to {NARROWED_MAX} {kind}s, not {len(names)}; leave them out for all.",
            field=f"{kind}s",
        )
    return names


def _require_all(kind: str, names: Sequence[str], there: Sequence[bool]) -> None:
    for name, is_there in zip(names, there, strict=True):
        if not is_there:
            raise NotFound(f"There is no {kind} called {name}. Create it first, or check the name.")


async def _require_room(record: Record, caller: Caller) -> None:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        count = len(await queries.all_of(connection, moment))
    if count >= NOTICES_MAX:
        raise InvalidInput(f"There are {count} notices, and {NOTICES_MAX} are the most. Change one that is disabled.")


def _secret(channel: Channel, url: str | None) -> str | None:
    """What is kept sealed: the key that webhooks are signed with, or the Slack URL."""
    if channel is Channel.WEBHOOK:
        return new_secret()
    return url if channel is Channel.SLACK else None


async def _keep(record: Record, org_id: OrgId, notice_id: NoticeId, secret: str) -> UUID:
    secret_id = uuid7()
    sealed = Seal(record.settings.notice_keys()).seal(secret, org_id, notice_id, secret_id)
    async with record.database.operations() as connection:
        await outbox.keep_secret(connection, org_id, notice_id, secret_id, sealed)
    return secret_id
