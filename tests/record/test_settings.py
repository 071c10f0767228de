"""Secret files that cannot be read, and settings that make no sense: a process says so in a sentence and ends with status 2."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from record.refusals import InvalidInput
from record.settings import Settings, secret_in

CHECKOUT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings that are complete, over servers that nobody reaches before the secrets are read."""
    for name, content in (("access", "abc"), ("secret", "def"), ("seed", "5e" * 32), ("notices", "7f" * 32)):
        (tmp_path / name).write_text(f"{content}\n")
    return {
        "MUNIMENT_DATABASE_URL": "postgresql://muniment_app:hidden@127.0.0.1:1/muniment",
        "MUNIMENT_REDIS_URL": "redis://127.0.0.1:1/0",
        "MUNIMENT_S3_ENDPOINT": "127.0.0.1:1",
        "MUNIMENT_S3_BUCKET": "muniment",
        "MUNIMENT_S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "MUNIMENT_S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
        "MUNIMENT_SIGNING_KEY_FILE": str(tmp_path / "seed"),
        "MUNIMENT_NOTICES_KEY_FILE": str(tmp_path / "notices"),
        "MUNIMENT_LOG_ORIGIN": "muniment.test",
    }


def begun(module: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = f"{CHECKOUT}:{CHECKOUT / 'cli' / 'src'}"
    return subprocess.run(
        [sys.executable, "-m", module],
        env={"PATH": os.defpath, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("module", ["api", "workers"])
@pytest.mark.parametrize("name", ["access", "secret", "notices"])
def test_a_secret_that_is_not_there_is_named(
    module: str, name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / name).unlink()

    ended = begun(module, environment)

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(
        f"The secret file {tmp_path / name} cannot be read: No such file or directory. Put it there"
    )
    assert "Traceback" not in ended.stderr


def test_a_worker_names_a_seed_that_is_none(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "seed").write_text("not digits")

    ended = begun("workers", environment)

    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert f"{tmp_path / 'seed'} does not hold a seed of 32 bytes." in ended.stderr


@pytest.mark.parametrize("module", ["api", "workers", "record.migrations"])
def test_a_setting_that_makes_no_sense_is_named_without_what_it_holds(module: str, environment: dict[str, str]) -> None:
    ended = begun(module, environment | {"MUNIMENT_DATABASE_URL": "mysql://muniment_app:hidden@127.0.0.1/muniment"})

    assert ended.returncode == 2
    assert "MUNIMENT_DATABASE_URL" in ended.stderr
    assert "hidden" not in ended.stderr


def _directory(path: Path) -> None:
    path.mkdir()


def _bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(("make", "why"), [(_directory, "Is a directory"), (_bytes, "it is not text")])
def test_why_a_secret_cannot_be_read(make: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    make(tmp_path / "key")

    with pytest.raises(InvalidInput, match=f"key cannot be read: {why}"):
        secret_in(tmp_path / "key")


@pytest.mark.parametrize("content", ["", "5e" * 31, "not digits", f"{'5e' * 32}\n5e"])
def test_keys_of_another_length_are_refused(content: str, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "notices").write_text(content)
    given = {name.removeprefix("MUNIMENT_").lower(): value for name, value in environment.items()}

    with pytest.raises(InvalidInput, match="does not hold keys of 32 bytes"):
        Settings.model_validate(given).notice_keys()
