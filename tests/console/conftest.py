"""The console as its visitors meet it: the whole system, an organization with a past, and a browser.

One system serves all tests here; whatever changes something makes things of its own.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from embedded import processes
from embedded.system import System
from tests.console import town
from tests.console.town import Writer

CHROMIUM = "/usr/bin/chromium"
TOKEN = re.compile(r'name="token" value="([^"]*)"')


@dataclass
class Console:
    """Where it is served, and the first admin's key."""

    url: str
    key: str
    verifier_key: str
    writer: Writer
    system: System
    opened: list[httpx.Client] = field(default_factory=list)

    def visitor(self, key: str | None = None) -> "Visitor":
        """Somebody with a browser's cookies, signed in with this key (the admin's)."""
        visitor = self.stranger()
        visitor.sign_in(self.key if key is None else key)
        return visitor

    def stranger(self, **cookies: str) -> "Visitor":
        """Somebody with these cookies and no others."""
        client = httpx.Client(base_url=self.url, timeout=30, cookies=cookies)
        self.opened.append(client)
        return Visitor(client)

    def organization(self, name: str) -> str:
        """Another organization, made as its operator would; gives its admin's key."""
        chosen = self.system.chosen | {"MUNIMENT_OWNER_DATABASE_URL": self.system.stack.owner_database_url}
        log = self.system.stack.directory.log("record")
        made = json.loads(processes.run("record", "create-organization", name, chosen=chosen, log=log))
        key: str = made["key"]
        return key

    def writer_of(self, key: str) -> Writer:
        """Records through another key."""
        writer = Writer(self.url, key)
        self.opened.append(writer.http)
        return writer

    def issue(self, principal: str, *grants: dict[str, object], description: str = "a key of the tests") -> str:
        """A key of this principal, who is added as a service account with these roles; of somebody known without any."""
        if grants:
            self.writer.write("addServiceAccount", "AddPrincipalInput", name=principal, grants=list(grants))
        issued = self.writer.write(
            "issueKey",
            "IssueKeyInput",
            returning="... on KeyIssued { token keyId }",
            principal=principal,
            description=description,
        )
        token: str = issued["token"]
        return token


@dataclass
class Visitor:
    """A browser without a window: cookies and forms."""

    http: httpx.Client

    def sign_in(self, key: str, **more: str) -> httpx.Response:
        token = self.token(self.http.get("/sign-in"))
        return self.http.post("/sign-in", data={"token": token, "key": key, **more})

    def token(self, page: httpx.Response | None = None) -> str:
        found = TOKEN.search((page or self.http.get("/o/acme/settings")).text)
        assert found is not None
        return found[1]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Sends a form with the token that the visitor's pages carry."""
        return self.http.post(path, data={"token": self.token(), **fields})


@pytest.fixture(scope="session")
def console() -> Iterator[Console]:
    """The system with the town in it."""
    directory = Path(tempfile.mkdtemp(prefix="muniment-console-"))
    try:
        with System(directory, durable=False, jobs_max="2") as system:
            assert system.organization is not None
            key = system.organization.key_file.read_text().strip()
            writer = Writer(system.url, key)
            town.build(writer)
            served = Console(system.url, key, system.organization.log_verifier_key, writer, system)
            yield served
            for client in (writer.http, *served.opened):
                client.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def admin(console: Console) -> Visitor:
    """The first admin, signed in, who changes nothing."""
    return console.visitor()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser. Not for longer than a module: while it is open, Playwright keeps an event loop running in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Complaints:
    """What a browser complained about: errors in its console, CSP violations, requests to anybody else."""

    url: str
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda said: self.found.append(said.text) if self._is_one(said) else None)
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on("request", self._asked)

    @staticmethod
    def _is_one(said: ConsoleMessage) -> bool:
        """A form that is refused is an answer, though Chromium writes its status down as an error."""
        return said.type == "error" and "status of 422" not in said.text

    def _asked(self, request: object) -> None:
        url = request.url  # type: ignore[attr-defined]
        if not url.startswith((self.url, "data:", "blob:")):
            self.found.append(f"asked {url}")


@pytest.fixture
def browse(console: Console, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a signed-in page in a browser of its own. The test fails if the browser complains about anything."""
    contexts: list[BrowserContext] = []
    complaints = Complaints(console.url)

    def open_page(path: str | None = "/o/acme/", *, key: str | None = None, **options: Any) -> Page:
        context = chromium.new_context(base_url=console.url, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        complaints.watch(page)
        page.goto("/sign-in")
        if path is not None:
            page.get_by_label("Your key").fill(key or console.key)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/o/acme/**")
            page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints.found, complaints.found
