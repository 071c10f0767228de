"""Directory fingerprints against the command line that in-toto's definition gives, and what they tell apart."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from muniment.fingerprints import FingerprintError, directory_fingerprint, file_fingerprint

DEFINITION = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum | cut -f1 -d' '"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a/z", "a.b", "a/b/c", "\u00fcber", "Z"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum of the GNU core utilities")
def test_a_tree_has_the_fingerprint_of_the_definitions_command_line(tree: Path) -> None:
    expected = subprocess.check_output(["bash", "-c", DEFINITION], cwd=tree, text=True).strip()

    assert directory_fingerprint(tree) == (expected, 0)


def test_the_published_example_comes_out() -> None:
    # The lines of in-toto's example; its files are not at hand, their digests are.
    lines = (
        "3a137eef6458bfb76bb2c63fc29ffc7166604d2d2e09ed9d8250a534122a8364  github.com/marklodato/go-hello-world@v0.0.1/README.md\n"
        "28e7c942a036902d981759d0bf5704d2bfc7cb500caf68b84711b234af01c6a5  github.com/marklodato/go-hello-world@v0.0.1/go.mod\n"
        "ddc4da627d9a9f45fb29641a1b185d6f53287ecfd921aacbf4fe54b7a86fe8d1  github.com/marklodato/go-hello-world@v0.0.1/main.go\n"
    )

    assert (
        hashlib.sha256(lines.encode()).hexdigest() == "2a1bb6127fb481c60f67692e22285fb306f3c6ffe62075e0ccf674d7c3adcb8f"
    )


def test_files_that_exchange_their_names_make_another_tree(tree: Path) -> None:
    before = directory_fingerprint(tree)
    (tree / "Z").write_text("b.txt")
    (tree / "b.txt").write_text("Z")

    assert directory_fingerprint(tree) != before


def test_an_empty_directory_is_the_sha256_of_nothing(tmp_path: Path) -> None:
    assert directory_fingerprint(tmp_path) == (hashlib.sha256(b"").hexdigest(), 0)


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    data = b"0123456789abcdef" * 200_000
    (tmp_path / "large").write_bytes(data)

    assert file_fingerprint(tmp_path / "large") == hashlib.sha256(data).hexdigest()


def test_a_name_with_a_newline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two\nlines").write_text("x")

    with pytest.raises(FingerprintError, match="newline"):
        directory_fingerprint(tmp_path)
