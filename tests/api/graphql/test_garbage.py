"""What requests leave behind: nothing that only the garbage collector can take away.

A request whose objects hold each other in a circle keeps all that it has read until a collection, and a collection of what hundreds
of requests have read stops everybody for most of a second. Pages of the console do leave something: Jinja's macros hold each other.
"""

import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.api.graphql.house import FINGERPRINT, House

OURS: Final = ("api.", "record.", "graphql.", "strawberry.")
Request = Callable[[House], Awaitable[Any]]

VERDICT: Final = """query ($fingerprint: Fingerprint!) { record { artifact(fingerprint: $fingerprint) {
  name verdict { status reasons { rule outcome because { rule } } } reports { trail { name } } } } }"""
TRAILS: Final = """{ record { flows(first: 5) { nodes { name trails(first: 5) {
  nodes { name verdict { status reasons { rule } } artifacts { name } attestations { name evidence { fileName } } } } } } } }"""
GATE: Final = """query ($fingerprint: Fingerprint!) { record { assertArtifact(fingerprint: $fingerprint, environment: "prod") {
  __typename ... on ArtifactAsserted { verdict { status reasons { rule } } } } } }"""
FUTURE: Final = "{ record(size: 99999) { size } }"
ENVIRONMENT: Final = """{ record { environment(name: "prod") { verdict { status reasons { rule because { rule } } }
  running { nodes { name } } changes(first: 5) { nodes { kind } } } } }"""


@contextmanager
def leftovers() -> Iterator[Counter[str]]:
    """Counts by kind what the block leaves of ours for the garbage collector; filled when the block ends."""
    left: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        for each in gc.garbage:
            named = getattr(each, "__module__", None) or type(each).__module__
            if isinstance(named, str) and named.startswith(OURS):
                left[f"{named}.{getattr(each, '__qualname__', type(each).__qualname__)}"] += 1
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest_asyncio.fixture
async def running(house: House) -> House:
    """An artifact runs in prod, before a policy."""
    await house.delivery("delivery", "build-1", "build-2")
    await house.artifact()
    await house.attest("app.unit-tests")
    await house.ada.done("createEnvironment", name="prod", type="K8S")
    policy = "version: 1\nartifacts: {provenance: {required: true}, trail-compliance: {required: true}}\n"
    await house.ada.done("createPolicy", name="production", document=policy)
    await house.ada.done("attachPolicy", policy="production", environment="prod")
    members = [{"fingerprint": FINGERPRINT, "name": "app", "instances": 1}]
    await house.ada.done("reportSnapshot", environment="prod", members=members)
    return house


NOWHERE: Final = {"flow": "none", "trail": "x", "templateName": "app", "fingerprint": "a" * 64, "name": "x"}
REQUESTS: Final[dict[str, Request]] = {
    "a verdict": lambda house: house.ada.ask(VERDICT, fingerprint=FINGERPRINT),
    "a page of trails": lambda house: house.ada.ask(TRAILS),
    "a gate": lambda house: house.ada.ask(GATE, fingerprint=FINGERPRINT),
    "an environment": lambda house: house.ada.ask(ENVIRONMENT),
    "a report": lambda house: house.artifact(trail="build-2"),
    "an attestation": lambda house: house.attest("app.unit-tests"),
    "a refused report": lambda house: house.ada.do("reportArtifact", **NOWHERE),
    "a size that is not reached": lambda house: house.ada.refused(FUTURE),
    "an unknown field": lambda house: house.ada.refused("{ nothing }"),
    "a wrong value": lambda house: house.ada.refused(VERDICT, fingerprint="nope"),
    "no question": lambda house: house.ada.refused("{"),
    "somebody without a key": lambda house: house.anyone().refused(TRAILS),
    "an upload": lambda house: house.ada.upload(b"the same"),
    "nothing there": lambda house: house.ada.get("/nowhere"),
    "readiness": lambda house: house.ada.get("/readyz"),
    "metrics": lambda house: house.ada.get("/metrics"),
}


@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_leaves_nothing_to_the_garbage_collector(running: House, ask: Request) -> None:
    for _ in range(3):  # what is made once is made now
        await ask(running)

    with leftovers() as left:
        for _ in range(3):
            running.forget_answers()
            await ask(running)

    assert not left
