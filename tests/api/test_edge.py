"""Around the graph: recognised callers and their uses, health, numbers, headers, logs, wakes, and a drain."""

import asyncio
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.identity import identify
from api.requests import negotiated
from api.wakes import Wakes
from record import logs
from record.access import queries, tokens
from record.ids import OrgId, uuid7
from record.settings import Settings
from tests.api.serving import Organization, Served, serving


async def test_the_last_use_of_a_key_is_written_down_at_most_once_a_minute(served: Served, acme: Organization) -> None:
    for number in range(5):
        await served.ask(acme, f"{{ a{number}: viewer }}")
    identity = served.app.state.identity
    (key_id,) = [each.caller.key_id for each in identity._known.values()]
    assert len(identity._uses) == 1

    await identity.flush()

    assert identity._uses == {}
    async with served.record.database.connection(acme.operator.org_id) as connection:
        assert (await queries.last_uses(connection, acme.operator.org_id, [key_id]))[0] is not None


async def test_known_callers_are_bounded(served: Served) -> None:
    served.app.state.identity._known_max = 3
    for number in range(5):
        await served.ask(await served.organization(f"org-{number}"), "{ viewer }")

    assert len(served.app.state.identity._known) == 3


async def test_a_key_of_an_organization_that_is_not_here_is_like_any_unknown_key(
    served: Served, acme: Organization
) -> None:
    nowhere = await served.ask(Organization(acme.operator, tokens.new_token(OrgId(uuid7()))), "{ viewer }")
    unknown = await served.ask(Organization(acme.operator, tokens.new_token(acme.operator.org_id)), "{ viewer }")

    assert nowhere.status_code == unknown.status_code == 401
    assert nowhere.json() == unknown.json()


async def test_routes_recognise_callers_and_refuse_in_one_shape(make_settings: Callable[..., Settings]) -> None:
    async def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await identify(request)).principal)

    async with serving(make_settings(), routes=[Route("/who", who)]) as served:
        acme = await served.organization()
        known = await served.client.get("/who", headers=acme.headers)
        anonymous = await served.client.get("/who")

    assert known.text == "ada"
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"] == 'Bearer realm="muniment"'
    assert anonymous.json()["error"]["code"] == "UNAUTHENTICATED"


async def test_a_fault_in_a_route_is_masked_and_findable(make_settings: Callable[..., Settings]) -> None:
    async def broken(_request: Request) -> PlainTextResponse:
        raise RuntimeError("the password is swordfish")

    async with serving(make_settings(), routes=[Route("/broken", broken)]) as served:
        response = await served.client.get("/broken", headers={"x-request-id": "find-me-here"})

    assert response.status_code == 500
    assert "swordfish" not in response.text
    assert "find-me-here" in response.json()["error"]["message"]


async def test_every_answer_carries_the_headers_that_keep_browsers_out_of_trouble(
    served: Served, acme: Organization
) -> None:
    answers = [
        await served.ask(acme, "{ viewer }"),
        await served.ask(None, "{ viewer }"),
        await served.client.get("/nothing/here"),
        await served.client.get("/healthz"),
        await served.client.delete("/healthz"),
    ]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers
    assert [answer.status_code for answer in answers] == [200, 401, 404, 200, 405]
    assert answers[2].json()["error"]["code"] == "NOT_FOUND"


async def test_a_request_id_is_taken_over_only_when_it_is_harmless(served: Served) -> None:
    given = await served.client.get("/healthz", headers={"x-request-id": "build-7.step_3"})
    strange = await served.client.get("/healthz", headers={"x-request-id": "a b\tc"})

    assert given.headers["x-request-id"] == "build-7.step_3"
    assert strange.headers["x-request-id"] != "a b\tc"


async def test_all_parts_are_ready(served: Served, acme: Organization) -> None:
    parts: dict[str, Any] = {}
    async with asyncio.timeout(20):
        while not parts.get("vault", {}).get("ready"):
            parts = (await served.client.get("/readyz")).json()["parts"]
            await asyncio.sleep(0.2)

    assert list(parts) == ["database", "vault", "redis", "checkpoint"]
    assert all(part["ready"] for part in parts.values())
    assert (await served.client.get("/healthz")).json() == {"status": "alive"}


async def test_a_part_that_is_down_is_named_and_the_rest_goes_on(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(s3_endpoint="127.0.0.1:9", redis_url="redis://127.0.0.1:9/0")) as served:
        acme = await served.organization()
        response = await served.client.get("/readyz")
        answer = await served.ask(acme, "{ viewer }")

    parts = response.json()["parts"]
    assert response.status_code == 503
    assert [name for name, part in parts.items() if not part["ready"]] == ["vault", "redis"]
    assert parts["vault"]["sentence"].count("does not answer") == 1
    assert answer.status_code == 200


async def test_entries_that_nobody_signs_make_it_unready(served: Served, acme: Organization) -> None:
    async with served.record.database.operations() as connection:
        await connection.execute("UPDATE ops.ledgers SET size = size")
    lag = await served.app.state.health.lag()

    assert (lag.entries, lag.unsigned) == (3, 3)
    assert lag.seconds >= 0


async def test_numbers_name_no_organization_and_no_path(served: Served, acme: Organization) -> None:
    await served.ask(acme, "{ viewer }")
    await served.ask(acme, "{ viewer }")
    await served.client.get("/secret/acme")

    numbers = (await served.client.get("/metrics")).text

    assert 'muniment_http_requests_total{method="POST",route="graphql",status="200"} 2.0' in numbers
    assert 'muniment_http_requests_total{method="GET",route="other",status="404"} 1.0' in numbers
    assert 'muniment_answer_cache_lookups{found="yes"} 1.0' in numbers
    assert "muniment_ledger_entries 3.0" in numbers
    assert "secret" not in numbers
    assert "acme" not in numbers


async def test_a_worker_is_woken_by_a_job_in_the_queue(redis_url: str) -> None:
    wakes = Wakes(redis_url)

    await wakes.wake("assemble_archive", "one", job_id="archive:one")
    await wakes.wake("assemble_archive", "one", job_id="archive:one")
    queued = await wakes._redis.queued_jobs()
    await wakes.close()

    (job,) = queued
    assert (job.function, list(job.args), job.job_id) == ("assemble_archive", ["one"], "archive:one")


async def test_a_lost_redis_fails_no_request() -> None:
    wakes = Wakes("redis://127.0.0.1:9/0")

    await wakes.wake("assemble_archive", "one", job_id="archive:one")

    await wakes.close()


def test_logs_are_lines_of_json_and_never_hold_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    token = logs.REQUEST_ID.set("request-1")
    try:
        logs.configure("json")
        log = structlog.get_logger("api.test")
        log.warning("presented mun_abcdefgh", header="Bearer mun_abcdefgh", nested={"a": ["Basic eHl6OnB3"]})
        try:
            raise RuntimeError("mun_abcdefgh")
        except RuntimeError as error:
            log.error("failed", exc_info=error)
        logging.getLogger("some.library").warning("said %s", "mun_abcdefgh")
    finally:
        logs.REQUEST_ID.reset(token)
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 3
    assert all(line["request_id"] == "request-1" for line in lines)
    assert "Traceback" in lines[1]["exception"]
    assert "abcdefgh" not in written.getvalue()
    assert "eHl6" not in written.getvalue()


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        ("application/json;q=0.5, application/graphql-response+json", "application/graphql-response+json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("application/json;q=0, */*;q=0", None),
        ("image/png", None),
        ("application/json;q=x", None),
    ],
)
def test_what_is_accepted_is_sent(accept: str, chosen: str | None) -> None:
    offers = ("application/json", "application/graphql-response+json", "text/event-stream")

    assert negotiated(accept, offers) == chosen


async def test_the_program_says_where_it_listens_and_drains_when_it_is_told_to_stop(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    environment = {
        f"MUNIMENT_{name.upper()}": str(value) for name, value in settings.model_dump().items() if value is not None
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert program.stdout is not None
    line = (await asyncio.wait_for(program.stdout.readline(), 30)).decode()
    url = line.split()[-1]
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/healthz")).status_code == 200
    program.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(program.communicate(), 20)

    assert line.startswith("muniment api listens on http://127.0.0.1:")
    assert program.returncode == 0, errors.decode()
    for each in errors.decode().splitlines():
        json.loads(each)
