"""OSCAL catalogues: what is read of them, and what is refused with its place."""

import pytest

from record.attestations.reports.sandbox import Limits, Sandbox
from record.controls.oscal import read_catalog
from record.refusals import InvalidInput, MalformedReport, TooLarge
from tests.record.controls.catalogues import catalogue, control


def test_a_catalogue_gives_its_controls_in_order_with_where_they_stand() -> None:
    groups = [
        {"id": "g1", "title": "Technology", "groups": [
            {"id": "g2", "title": "Change", "controls": [control("A.8.32"), control("A.8.31")]},
            {"id": "g3", "title": "Testing", "controls": [control("A.8.29")]},
        ]},
    ]  # fmt: skip

    read = read_catalog(catalogue(groups=groups))

    assert [each["control"] for each in read["controls"]] == ["A.8.32", "A.8.31", "A.8.29"]
    assert [each["section"] for each in read["controls"]] == [
        "Technology / Change", "Technology / Change", "Technology / Testing",
    ]  # fmt: skip
    assert (read["title"], read["version"], read["oscal_version"]) == ("House rules", "1.0", "1.1.2")


def test_controls_inside_of_controls_follow_them() -> None:
    read = read_catalog(catalogue(control("ac-2", controls=[control("ac-2.1")]), control("ac-3")))

    assert [each["control"] for each in read["controls"]] == ["ac-2", "ac-2.1", "ac-3"]


def test_the_label_without_a_class_is_the_one_for_people() -> None:
    props = [{"name": "label", "value": "AC-02", "class": "zero-padded"}, {"name": "label", "value": "AC-2"}]

    [read] = read_catalog(catalogue(control("ac-2", props=props)))["controls"]

    assert read["label"] == "AC-2"


def test_a_withdrawn_control_says_so() -> None:
    [read] = read_catalog(catalogue(control("ac-2", props=[{"name": "status", "value": "withdrawn"}])))["controls"]

    assert read["withdrawn"] is True


def test_a_statement_is_put_together_from_its_parts_with_parameters_named() -> None:
    parts = [
        {
            "id": "s",
            "name": "statement",
            "prose": "Before a change goes live:",
            "parts": [
                {
                    "id": "s.a",
                    "name": "item",
                    "props": [{"name": "label", "value": "a."}],
                    "prose": "run {{ insert: param, p1 }};",
                },
            ],
        },
        {"id": "guide", "name": "guidance", "prose": "Left out."},
    ]

    [read] = read_catalog(catalogue(control("cc8", parts=parts, params=[{"id": "p1", "label": "the tests"}])))[
        "controls"
    ]

    assert read["statement"] == "Before a change goes live:\na. run [the tests];"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"profile": {}}', "not an OSCAL catalogue"),
        (b"[]", "not an OSCAL catalogue"),
        (b'{"catalog": {"uuid": "x"}}', "not a catalogue by the OSCAL model"),
        (catalogue(control("cc8", surprise=1)), "surprise"),
        (catalogue(control("8.1")), "groups"),
        (catalogue(control("cc8"), title=""), "title"),
        (b'{"catalog": {}, "catalog": {}}', "for the second time"),
        (b'{"catalog": {"uuid": NaN}}', "NaN"),
        (b"[" * 200 + b"]" * 200, "nested deeper"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_what_is_no_catalogue_is_refused_and_says_where(data: bytes, said: str) -> None:
    with pytest.raises(MalformedReport, match=said):
        read_catalog(data)


def test_a_control_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there twice"):
        read_catalog(catalogue(control("cc8"), control("CC8")))


def test_an_id_that_cannot_stand_in_an_address_is_refused() -> None:
    with pytest.raises(InvalidInput, match="control id"):
        read_catalog(catalogue(control("\u00e4nderung")))


def test_a_catalogue_without_controls_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        read_catalog(catalogue(groups=[{"id": "g", "title": "Nothing"}]))


def test_more_controls_than_are_kept_are_refused() -> None:
    with pytest.raises(TooLarge, match="more than 5000"):
        read_catalog(catalogue(*(control(f"c{number}") for number in range(5_001))))


async def test_the_sandbox_reads_a_catalogue_and_hands_on_what_is_refused() -> None:
    async with Sandbox(processes=1) as sandbox:
        read = await sandbox.read_catalog(catalogue(control("CC8.1")))
        with pytest.raises(MalformedReport, match="not a catalogue"):
            await sandbox.read_catalog(b'{"catalog": {}}')

    assert [each["control"] for each in read["controls"]] == ["CC8.1"]


async def test_a_catalogue_that_needs_too_much_is_refused() -> None:
    async with Sandbox(processes=1, limits=Limits(report_memory_bytes=48 * 1024 * 1024)) as sandbox:
        with pytest.raises(MalformedReport, match="more memory than it may"):
            await sandbox.read_catalog(catalogue(*(control(f"c{number}") for number in range(4_000))))
