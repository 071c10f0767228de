"""Posts a body to a URL that a tenant chose, and to nowhere else.

Rules kept here:
 * the name is resolved once, every address that it has is looked at, and the connection goes to one of these: a second look-up
   by the connection could find something else;
 * Host, SNI and certificate are still the name's;
 * no redirect is followed, no proxy of the environment is used, no cookie or connection is kept for the next request;
 * what comes back is read up to a bound, as it comes, and only to be shown to an admin.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from record.notices.targets import Address, Network, Target, why_refused
from workers.sending.failures import NotTaken, shown

RESPONSE_BYTES_MAX: Final = 2_048
ADDRESSES_TRIED_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver took it."""

    status: int | None
    response: str | None


async def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    networks: Sequence[Network],
    trust: ssl.SSLContext,
    timeout_seconds: float,
    now: datetime,
) -> Taken:
    """Raises `NotTaken` for everything but a status of 2xx within the time. `now` is what dates in answers are held against."""
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await addresses_of(target, networks)
            return await _post_to(target, addresses, body, headers, trust, timeout_seconds, now)
    except TimeoutError:
        raise NotTaken(f"The receiver did not answer within {timeout_seconds:g} seconds.") from None


async def addresses_of(target: Target, networks: Sequence[Network]) -> list[Address]:
    """The addresses that the host has now. All of them must be ones that may be sent to."""
    if target.literal is not None:
        found = [target.literal]
    else:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(
                target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError):
            raise NotTaken(f"The name {target.host} cannot be resolved.") from None
        found = list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))
    for address in found:
        why = why_refused(address, networks)
        if why is not None:
            raise NotTaken(
                f"{target.host} leads to {address}, {why}: nothing was sent. Use a public address, or have the operator "
                "allow that network.",
                for_good=True,
            )
    return found


async def _post_to(
    target: Target,
    addresses: Sequence[Address],
    body: bytes,
    headers: Mapping[str, str],
    trust: ssl.SSLContext,
    timeout_seconds: float,
    now: datetime,
) -> Taken:
    tried = addresses[:ADDRESSES_TRIED_MAX]
    timeout = httpx.Timeout(timeout_seconds, connect=timeout_seconds / (len(tried) + 1))
    async with httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=timeout) as client:
        for address in tried:
            request = _request(client, target, address, body, headers)
            try:
                return await _answer(client, request, now)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                unreached = NotTaken(
                    f"No connection to {target.host} ({address}): {shown(str(error)) or 'it does not answer'}."
                )
            except httpx.HTTPError as error:
                # It may have been received: the answer is what was lost.
                raise NotTaken(f"The connection broke off: {shown(str(error)) or type(error).__name__}.") from error
    raise unreached


def _request(
    client: httpx.AsyncClient, target: Target, address: Address, body: bytes, headers: Mapping[str, str]
) -> httpx.Request:
    """The request as the name wants it, to the address."""
    named = target.is_tls and target.literal is None
    return client.build_request(
        "POST",
        httpx.URL(target.url).copy_with(host=str(address)),
        content=body,
        headers={
            "Host": target.authority,
            "Content-Type": "application/json",
            "User-Agent": "Muniment",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        },
        extensions={"sni_hostname": target.host} if named else {},
    )


async def _answer(client: httpx.AsyncClient, request: httpx.Request, now: datetime) -> Taken:
    response = await client.send(request, stream=True)
    try:
        status = response.status_code
        if response.is_success:
            return Taken(status, None)
        said = shown(await _beginning(response))
        after = _retry_after(response.headers.get("retry-after"), now)
    finally:
        await response.aclose()
    if response.is_redirect:
        raise NotTaken(
            f"The receiver answered {status}, a redirect, which is not followed. Give the URL that it leads to.",
            status=status,
            response=said,
        )
    gone = status == httpx.codes.GONE
    raise NotTaken(f"The receiver answered {status}.", status=status, response=said, for_good=gone, after_seconds=after)


async def _beginning(response: httpx.Response) -> str:
    """What the answer says, up to a bound, not unpacked."""
    read = bytearray()
    async for part in response.aiter_raw():
        read += part
        if len(read) >= RESPONSE_BYTES_MAX:
            break
    return bytes(read[:RESPONSE_BYTES_MAX]).decode(errors="replace")


def _retry_after(said: str | None, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, section 10.2.3)."""
    if said is None:
        return None
    if said.isascii() and said.isdecimal() and len(said) < 8:
        return float(said)
    try:
        at = parsedate_to_datetime(said)
        return max(0.0, (at - now).total_seconds()) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
