"""What of a directory counts: exclusions, links, files that cannot be read; and the fingerprints of Kosli's client."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.exclusions import Exclusions
from muniment.fingerprints import FingerprintError, directory_fingerprint, kosli_directory_fingerprint

# What version 2.43.1 of Kosli's own client prints for this tree, by what is excluded.
KOSLI_VECTORS = [
    ((), "100e4a9c38d51e1a824778943f04ef10cfbf860fcd50753f6a7e552c54a848b2"),
    (("**/*.log",), "6b023e23cd986ac9035d45f352aea724cff01b65c5cbb10aa130316f6b5f9b05"),
    (("a/b",), "8b7ff34f40e7eb0ea1b6c834dd748394b95cb46bcb31856ff9bf87bc88c57fa2"),
    (("*.txt", "a"), "2939c5032c4d6072039f583f98944b05835a5df070d2b8f3d5aa265fe93e8737"),
]
KOSLI_IGNORING = "851ab39637abeb33d7dd0a97cbd7c047055e7d6cc4d9e449f8d14db3edefae7a"
KOSLI_WITHOUT_IGNORE_FILE = "c6882034646e95a02974db636db766a8c5ee01caf1bb0c203f8f05490f5b1ee2"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    contents = {"b.txt": "b.txt", "a/z": "z", "a/b/c": "c", "a.b": "x", "Z": "Z", "a/x.log": "log"}
    for name, content in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content)
    (top / "empty").mkdir()
    (top / "linkfile").symlink_to("b.txt")
    (top / "linkdir").symlink_to("a")
    return top


@pytest.mark.parametrize(("exclude", "expected"), KOSLI_VECTORS)
def test_kosli_fingerprints_are_those_of_its_own_client(tree: Path, exclude: tuple[str, ...], expected: str) -> None:
    assert kosli_directory_fingerprint(tree, exclude) == expected


def test_kosli_fingerprints_follow_its_ignore_file(tree: Path) -> None:
    (tree / ".kosli_ignore").write_text("# comment\n**/*.log\na/b\n")

    assert kosli_directory_fingerprint(tree) == KOSLI_IGNORING
    assert kosli_directory_fingerprint(tree, [".kosli_ignore"]) == KOSLI_WITHOUT_IGNORE_FILE


def test_trees_that_kosli_fingerprints_confuse_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "one" / "a").mkdir(parents=True)
    (tmp_path / "one" / "b").write_text("x")
    (tmp_path / "other" / "a").mkdir(parents=True)
    (tmp_path / "other" / "a" / "b").write_text("x")

    assert kosli_directory_fingerprint(tmp_path / "one") == kosli_directory_fingerprint(tmp_path / "other")
    assert directory_fingerprint(tmp_path / "one") != directory_fingerprint(tmp_path / "other")


def without(tree: Path, *exclude: str) -> str:
    return directory_fingerprint(tree, exclude)[0]


def test_what_is_excluded_might_as_well_not_be_there(tree: Path) -> None:
    excluded = without(tree, "a/b", "*.log", "**/*.log")
    (tree / "a" / "b" / "c").unlink()
    (tree / "a" / "x.log").unlink()

    assert excluded == without(tree)


def test_the_ignore_file_is_itself_a_part_of_the_directory(tree: Path) -> None:
    plain = without(tree, "**/*.log")
    (tree / ".muniment_ignore").write_text("**/*.log\n.muniment_ignore\n")

    assert without(tree) != plain
    assert without(tree, ".muniment_ignore") == plain


def test_links_are_counted_and_not_followed(tree: Path) -> None:
    before = directory_fingerprint(tree)
    (tree / "linkdir").unlink()

    assert before[1] == 2
    assert directory_fingerprint(tree) == (before[0], 1)


def test_a_link_to_nothing_has_no_kosli_fingerprint_and_is_only_counted_otherwise(tree: Path) -> None:
    (tree / "lost").symlink_to("nowhere")

    with pytest.raises(FingerprintError, match="link to nothing"):
        kosli_directory_fingerprint(tree)
    assert directory_fingerprint(tree)[1] == 3


@pytest.mark.parametrize("of", [directory_fingerprint, kosli_directory_fingerprint])
def test_a_file_that_fails_while_it_is_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch, of: object) -> None:
    def failing(path: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("muniment.fingerprints.file_digest", failing)

    with pytest.raises(FingerprintError, match=r"cannot be read \(Permission denied\)"):
        of(tree)  # type: ignore[operator]


def test_a_directory_that_is_not_there_is_the_callers_to_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        directory_fingerprint(tmp_path / "gone")


def test_pipes_and_sockets_are_no_content(tree: Path) -> None:
    before = directory_fingerprint(tree)
    os.mkfifo(tree / "pipe")

    assert directory_fingerprint(tree) == before


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.log", ["x.log"]),
        ("**/*.log", ["x.log", "a/x.log", "a/b/x.log"]),
        ("a", ["a"]),
        ("a/", ["a"]),
        ("./a", ["a"]),
        ("a/*", ["a/x.log", "a/b"]),
        ("a/**", ["a/x.log", "a/b", "a/b/x.log"]),
        ("**/b", ["a/b"]),
        ("?.log", ["x.log"]),
        ("[!y].log", ["x.log"]),
        ("[a-z].log", ["x.log"]),
        ("[", []),
        ("", []),
        ("x.log$", []),
    ],
)
def test_patterns_are_globs_of_the_whole_path(pattern: str, left_out: list[str]) -> None:
    exclusions = Exclusions([pattern])

    assert [path for path in ("x.log", "a", "a/x.log", "a/b", "a/b/x.log") if exclusions.leave_out(path)] == left_out


@given(st.text(), st.text(min_size=1))
def test_no_pattern_breaks_the_client(pattern: str, path: str) -> None:
    assert Exclusions([pattern]).leave_out(path) in (True, False)
