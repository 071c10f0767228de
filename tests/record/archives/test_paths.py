"""Names in archives: every system can unpack them, and no two of them are the same file anywhere."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.proof.container import unsafe_name_reason
from record.archives import paths
from record.archives.paths import Place


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.xml", "report.xml"),
        ("größe 1.txt", "größe 1.txt"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\\b:c*d?.txt", "a_b_c_d_.txt"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("com7 .log", "_com7 .log"),
        ("console.log", "console.log"),
        ("trailing dots...", "trailing dots"),
        ("  ", "unnamed"),
        ("...", "unnamed"),
        ("line\u2028break", "line_break"),
        ("fdp\u202etxt.exe", "fdp_txt.exe"),
        ("e\u0301.txt", "\u00e9.txt"),
    ],
)
def test_a_name_stays_what_it_is_where_every_system_can_have_it(name: str, expected: str) -> None:
    assert paths.safe(name, 72) == expected


def test_a_long_name_keeps_its_extension() -> None:
    assert paths.safe("x" * 300 + ".sarif", 72) == "x" * 66 + ".sarif"


def test_files_that_differ_only_in_case_are_told_apart() -> None:
    assert paths.file_names(["Report.xml", "report.xml", "REPORT.XML"]) == [
        "Report.xml",
        "report@2.xml",
        "REPORT@3.XML",
    ]


def test_a_file_cannot_take_the_name_that_marks_another() -> None:
    names = paths.file_names(["a@2.txt", "a.txt", "A.txt"])

    assert len({name.casefold() for name in names}) == 3


def test_a_folder_is_marked_when_it_is_not_the_only_one_of_its_name() -> None:
    assert paths.folder(Place("build-1", 7), most=64, is_only=True) == "build-1"
    assert paths.folder(Place("build-1", 7), most=64, is_only=False) == "build-1@7"
    assert paths.folder(Place("con", 7), most=64, is_only=True) == "_con@7"
    assert paths.folder(Place("v1.", 7), most=64, is_only=True) == "v1@7"
    assert paths.folder(Place("x" * 256, 123456), most=64, is_only=True) == "x" * 57 + "@123456"


NAMES = st.text(min_size=1, max_size=300) | st.sampled_from(
    ["con", "AUX.txt", "a.", "a. ", "A", "a", "a@2", "", "\ud800"]
)


@given(st.lists(NAMES, max_size=8))
def test_whatever_files_are_called_the_verifier_finds_their_names_safe_and_distinct(names: list[str]) -> None:
    chosen = paths.file_names(names)

    assert [unsafe_name_reason(name) for name in chosen] == [None] * len(names)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in chosen}) == len(names)
    assert all(len(name) <= paths.FILE_MAX and len(name.encode()) <= 255 and "/" not in name for name in chosen)


def test_the_longest_path_fits_into_what_windows_takes() -> None:
    longest = "/".join(
        ["evidence", "f" * paths.FLOW_MAX, "t" * paths.TRAIL_MAX, "a" * paths.ATTESTATION_MAX, "x" * paths.FILE_MAX]
    )

    assert len(longest) < 240
