"""compose.yaml and the Dockerfile cannot be run in every test environment; what they say can be held against the code."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from record.settings import Settings

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
SETTING_NAMES = {f"MUNIMENT_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_that_compose_names_exists() -> None:
    assert set(re.findall(r"\bMUNIMENT_[A-Z0-9_]+", TEXT)) <= SETTING_NAMES


@pytest.mark.parametrize("service", OURS)
def test_every_setting_without_a_default_is_given(service: str) -> None:
    required = {f"MUNIMENT_{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}

    assert required <= set(SERVICES[service]["environment"])


@pytest.mark.parametrize("service", OURS)
def test_the_settings_are_ones_that_the_server_accepts(service: str) -> None:
    given = SERVICES[service]["environment"]
    values = {name: re.sub(r"\$\{[^}]*\}", "0123abcd", value) for name, value in given.items()}

    settings = Settings.model_validate(
        {name.removeprefix("MUNIMENT_").lower(): value for name, value in values.items()}
    )

    assert str(settings.database_url).startswith("postgresql://muniment_app:")


def test_every_variable_says_what_to_set_and_none_has_a_default() -> None:
    for variable in re.findall(r"(?<!\$)\$\{?[A-Za-z_][^}\n]*\}?", TEXT):
        assert re.fullmatch(r"\$\{[A-Z_]+:\?set [^}]+\}", variable), (
            f"{variable} has a default or does not say what to set"
        )


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|AUTH|ROOT_USER", variable):
                assert value.startswith(("${", "/run/secrets/")), f"{name}: {variable} is written down"
            for password in re.findall(r"://[^/@]*:([^/]*)@", re.sub(r"\$\{[^}]*\}", "$", value)):
                assert password == "$", f"{name}: {variable} holds a password"


def test_every_secret_that_a_service_reads_is_mounted_from_a_file() -> None:
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            for secret in re.findall(r"/run/secrets/(\w+)", value):
                assert secret in service["secrets"], f"{name} reads {secret} and does not mount it"
                assert COMPOSE["secrets"][secret]["file"] == f"./secrets/{secret}"


def test_every_image_is_pinned_by_tag() -> None:
    for name, service in SERVICES.items():
        _, _, tag = service["image"].partition(":")
        assert tag not in ("", "latest"), f"{name} floats"


def test_every_service_that_stays_is_watched_and_restarted() -> None:
    for name, service in SERVICES.items():
        if name != "migrate":
            assert "healthcheck" in service, f"{name} is not watched"
            assert service["restart"] == "unless-stopped"


def test_one_service_builds_the_image_and_none_asks_a_registry_for_it() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]
    assert {SERVICES[name]["image"] for name in OURS} == {"muniment:local"}
    assert {SERVICES[name]["pull_policy"] for name in OURS} == {"never"}


def test_the_servers_wait_for_the_schema() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": ["127.0.0.1:8000:8000"]
    }


@pytest.mark.parametrize("service", OURS)
def test_the_commands_name_modules_that_exist(service: str) -> None:
    python, flag, module = SERVICES[service]["command"]

    assert (python, flag) == ("python", "-m")
    assert find_spec(f"{module}.__main__") is not None


def test_the_image_takes_what_is_there_and_what_the_ignore_file_lets_through() -> None:
    ignore_file = (CHECKOUT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignore_file if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)

    assert set(copied) == let_through
    assert [name for name in copied if not (CHECKOUT / name).exists()] == []
