"""Where a setting comes from, and what is refused on the way."""

from pathlib import Path

import pytest

from muniment import ci
from muniment.asking import api_key
from muniment.command import LIST, NUMBER, PAIRS, SWITCH, Option
from muniment.exits import BadUsage
from muniment.settings import Settings
from tests.cli.running import Muniment

BUILD_URL = Option("--build-url", help="")
COMMIT = Option("--commit", "--git-commit", help="")


def settings(
    folder: Path, flags: dict[str, object] | None = None, environment: dict[str, str] | None = None
) -> Settings:
    return Settings(flags or {}, {"HOME": str(folder), **(environment or {})}, folder=str(folder))


def test_a_flag_goes_before_the_environment_and_this_before_the_file_and_this_before_ci(tmp_path: Path) -> None:
    (tmp_path / "muniment.toml").write_text('build-url = "https://file"')
    in_ci = {
        "GITHUB_RUN_NUMBER": "1",
        "GITHUB_SERVER_URL": "https://g",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
    }
    in_environment = {**in_ci, "MUNIMENT_BUILD_URL": "https://environment"}

    assert settings(tmp_path, {"build_url": "https://flag"}, in_environment).value(BUILD_URL) == "https://flag"
    assert settings(tmp_path, {}, in_environment).value(BUILD_URL) == "https://environment"
    assert settings(tmp_path, {}, in_ci).value(BUILD_URL) == "https://file"
    (tmp_path / "muniment.toml").unlink()
    assert settings(tmp_path, {}, in_ci).value(BUILD_URL) == "https://g/a/b/actions/runs/7"
    assert settings(tmp_path).value(BUILD_URL) is None


def test_kosli_variables_are_read_when_ours_is_unset_or_empty(tmp_path: Path) -> None:
    both = {"KOSLI_BUILD_URL": "https://theirs", "MUNIMENT_BUILD_URL": "https://ours"}

    assert settings(tmp_path, {}, both).value(BUILD_URL) == "https://ours"
    assert settings(tmp_path, {}, {**both, "MUNIMENT_BUILD_URL": ""}).value(BUILD_URL) == "https://theirs"


def test_every_name_of_an_option_has_its_variable(tmp_path: Path) -> None:
    assert settings(tmp_path, {}, {"KOSLI_GIT_COMMIT": "abc1234"}).value(COMMIT) == "abc1234"


def test_the_nearest_file_above_counts_and_then_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "muniment.toml").write_text('build_url = "https://above"')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / ".config" / "muniment").mkdir(parents=True)
    (tmp_path / ".config" / "muniment" / "config.toml").write_text('commit = "abc1234"\nbuild-url = "https://own"')
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    found = Settings({}, environment, folder=str(below))

    assert found.value(BUILD_URL) == "https://above"
    assert found.value(COMMIT) == "abc1234"


@pytest.mark.parametrize("name", ["api-key", "api_token", "http-proxy", "ca_file", "keyring"])
def test_a_file_that_travels_with_the_repository_says_nothing_about_keys(name: str, tmp_path: Path) -> None:
    (tmp_path / "muniment.toml").write_text(f'{name} = "mun_x"')

    with pytest.raises(BadUsage, match="take your key"):
        settings(tmp_path).value(BUILD_URL)


@pytest.mark.parametrize("content", ["a = ", "\x00", "[["])
def test_a_file_that_is_no_toml_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "muniment.toml").write_text(content)

    with pytest.raises(BadUsage, match="cannot be read"):
        settings(tmp_path).value(BUILD_URL)


@pytest.mark.parametrize(
    ("kind", "told", "meant"),
    [
        (SWITCH, "true", True),
        (SWITCH, "0", False),
        (NUMBER, "12", 12),
        (LIST, "a, b,c", ["a", "b", "c"]),
        (PAIRS, "a=1,b=x=y", {"a": "1", "b": "x=y"}),
    ],
)
def test_a_variable_is_read_by_its_kind(kind: str, told: str, meant: object, tmp_path: Path) -> None:
    option = Option("--thing", kind=kind, help="")

    assert settings(tmp_path, {}, {"MUNIMENT_THING": told}).value(option) == meant


@pytest.mark.parametrize(
    ("kind", "told"), [(SWITCH, "perhaps"), (NUMBER, "many"), (NUMBER, "-1"), (LIST, ","), (PAIRS, "a"), (PAIRS, "=b")]
)
def test_what_makes_no_sense_is_refused_by_its_place(kind: str, told: str, tmp_path: Path) -> None:
    option = Option("--thing", kind=kind, help="")

    with pytest.raises(BadUsage, match="MUNIMENT_THING"):
        settings(tmp_path, {}, {"MUNIMENT_THING": told}).value(option)


def test_a_pair_on_the_command_line_keeps_its_commas(tmp_path: Path) -> None:
    option = Option("--thing", kind=PAIRS, help="")

    assert settings(tmp_path, {"thing": ["a=1,2"]}).value(option) == {"a": "1,2"}


@pytest.mark.parametrize("words", [["--flow", ""], ["--flow="], ["--fingerprint", " "]])
def test_an_option_that_is_given_empty_is_refused(words: list[str], offline: Muniment) -> None:
    told = offline("report", "artifact", "x", *words, "--commit", "abc1234", MUNIMENT_FLOW="f")

    assert told.code == 2
    assert "empty" in told.said


# (the variables of a CI system, what they tell)
CI: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "github": (
        {
            "GITHUB_RUN_NUMBER": "3",
            "GITHUB_SHA": "c0ffee1",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_RUN_ID": "77",
            "GITHUB_REF_NAME": "main",
            "GITHUB_ACTOR": "ada",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://github.com/acme/shop",
            "commit_url": "https://github.com/acme/shop/commit/c0ffee1",
            "build_url": "https://github.com/acme/shop/actions/runs/77",
            "origin_url": "https://github.com/acme/shop/actions/runs/77",
            "branch": "main",
            "deployed_by": "ada",
        },
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": "c0ffee1",
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PROJECT_URL": "https://gitlab.com/acme/shop",
            "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/5",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://gitlab.com/acme/shop",
            "commit_url": "https://gitlab.com/acme/shop/-/commit/c0ffee1",
            "build_url": "https://gitlab.com/acme/shop/-/jobs/5",
        },
    ),
    "bitbucket": (
        {
            "BITBUCKET_BUILD_NUMBER": "9",
            "BITBUCKET_COMMIT": "c0ffee1",
            "BITBUCKET_WORKSPACE": "acme",
            "BITBUCKET_REPO_SLUG": "shop",
            "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/acme/shop",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "http://bitbucket.org/acme/shop",
            "commit_url": "https://bitbucket.org/acme/shop/commits/c0ffee1",
            "build_url": "https://bitbucket.org/acme/shop/addon/pipelines/home#!/results/9",
        },
    ),
    "azure": (
        {
            "TF_BUILD": "True",
            "BUILD_SOURCEVERSION": "c0ffee1",
            "BUILD_REPOSITORY_NAME": "shop",
            "BUILD_REPOSITORY_URI": "https://ada@dev.azure.com/acme/web/_git/shop",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
            "SYSTEM_TEAMPROJECT": "web",
            "BUILD_BUILDID": "31",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://dev.azure.com/acme/web/_git/shop",
            "commit_url": "https://dev.azure.com/acme/web/_git/shop/commit/c0ffee1",
            "build_url": "https://dev.azure.com/acme/web/_build/results?buildId=31",
        },
    ),
    "circleci": (
        {
            "CIRCLECI": "true",
            "CIRCLE_SHA1": "c0ffee1",
            "CIRCLE_REPOSITORY_URL": "git@github.com:acme/shop.git",
            "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/shop/4",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://github.com/acme/shop",
            "commit_url": "https://github.com/acme/shop/commit/c0ffee1",
            "build_url": "https://circleci.com/gh/acme/shop/4",
        },
    ),
    "codebuild": (
        {
            "CODEBUILD_CI": "true",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": "c0ffee1",
            "CODEBUILD_SOURCE_REPO_URL": "https://github.com/acme/shop.git",
            "CODEBUILD_BUILD_URL": "https://aws/build",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://github.com/acme/shop",
            "commit_url": "https://github.com/acme/shop/commit/c0ffee1",
            "build_url": "https://aws/build",
        },
    ),
    "jenkins": (
        {
            "JENKINS_URL": "https://ci",
            "GIT_COMMIT": "c0ffee1",
            "GIT_URL": "ssh://git@git.acme.org/shop.git",
            "BUILD_URL": "https://ci/job/7",
        },
        {
            "commit": "c0ffee1",
            "repository_url": "https://git.acme.org/shop",
            "commit_url": "https://git.acme.org/shop/commit/c0ffee1",
            "build_url": "https://ci/job/7",
        },
    ),
    "teamcity": ({"TEAMCITY_VERSION": "2026", "BUILD_VCS_NUMBER": "c0ffee1"}, {"commit": "c0ffee1", "build_url": None}),
}


@pytest.mark.parametrize("system", CI)
def test_a_ci_system_tells_where_a_build_comes_from(system: str) -> None:
    variables, told = CI[system]

    assert ci.detected(variables) == system
    assert {name: ci.default(name, variables) for name in told} == told


def test_every_ci_system_is_tested_here() -> None:
    assert {name for name, _, _ in ci.SYSTEMS} == set(CI)


def test_what_a_ci_system_leaves_out_is_not_made_up() -> None:
    assert ci.default("build_url", {"GITHUB_RUN_NUMBER": "1", "GITHUB_RUN_ID": "7"}) is None
    assert ci.default("commit", {}) is None


def test_the_key_comes_from_a_file_that_a_flag_names_before_the_environment(muniment: Muniment) -> None:
    path = muniment.file("key", muniment.environment["MUNIMENT_API_KEY"] + "\n")

    assert muniment("assert", "status", "--api-key-file", path, MUNIMENT_API_KEY="mun_wrong").code == 0
    assert muniment("assert", "status", MUNIMENT_API_KEY="mun_wrong").code == 4
    assert (
        muniment("assert", "status", MUNIMENT_API_KEY="", KOSLI_API_TOKEN=muniment.environment["MUNIMENT_API_KEY"]).code
        == 0
    )


def test_the_key_comes_from_the_systems_keyring(muniment: Muniment, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    ring = types.ModuleType("keyring")
    asked: list[tuple[str, str]] = []

    def get_password(service: str, name: str) -> str:
        asked.append((service, name))
        return muniment.environment["MUNIMENT_API_KEY"]

    ring.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)

    assert muniment("assert", "status", "--keyring", MUNIMENT_API_KEY="").code == 0
    assert asked == [("muniment", muniment.environment["MUNIMENT_HOST"])]
    assert callable(api_key)


@pytest.mark.parametrize("words", [["--debug"], ["--dry-run"], ["--host", "http://127.0.0.1:1", "--retries", "0"]])
def test_the_key_is_never_printed(words: list[str], muniment: Muniment) -> None:
    told = muniment("create", "flow", "secretive", *words)

    assert muniment.environment["MUNIMENT_API_KEY"] not in told.out + told.said
