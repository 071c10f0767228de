"""OSCAL catalogues (NIST's JSON): bytes in, the list of controls out, or a refusal that says where the document is wrong.

The bytes are read strictly first (`strict_json`: no key twice, no NaN, bounded depth) and then held against the model of
compliance-trestle, which follows the published metaschema. It runs inside the sandbox only: a catalogue is a stranger's file.

Rules kept here:
 * controls come in the document's order, those inside of groups and of other controls included; `section` is the path of titles;
 * a control's label is the one without a class, because the others are for machines (zero-padded, by assessment procedure);
 * its statement is the prose of the parts called `statement`, with parameters as their labels in brackets, and is cut when it
   is long: the whole catalogue lies in the vault.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from record.attestations.reports import strict_json
from record.attestations.reports.result import plain
from record.controls.catalogs import CONTROLS_MAX, LABEL_MAX, SECTION_MAX, STATEMENT_MAX, TITLE_MAX, Control, checked
from record.refusals import MalformedReport, TooLarge

_INSERT: Final = re.compile(r"\{\{\s*insert:\s*param,\s*([^\s{}]{1,200})\s*\}\}")
_FAULTS_NAMED: Final = 3


def read_catalog(data: bytes) -> dict[str, Any]:
    """`{"uuid", "title", "version", "oscal_version", "controls": [{"control", "title", …}]}` of the catalogue in `data`."""
    document: Any = strict_json.parse(data)
    if not isinstance(document, dict) or not isinstance(document.get("catalog"), dict):
        raise MalformedReport(
            'This is not an OSCAL catalogue: it has no object "catalog" at its top. '
            "Send the JSON form of a catalogue; profiles have to be resolved into one first."
        )
    _hold_against_the_model(document)
    catalog: dict[str, Any] = document["catalog"]
    found: list[Control] = []
    for control in _controls(catalog, ()):
        found.append(control)
        if len(found) > CONTROLS_MAX:
            raise TooLarge(f"This catalogue has more than {CONTROLS_MAX} controls. Divide it into several.")
    checked(found)
    metadata = catalog["metadata"]
    return {
        "uuid": catalog["uuid"],
        "title": plain(metadata["title"], TITLE_MAX),
        "version": plain(metadata["version"], LABEL_MAX),
        "oscal_version": plain(metadata["oscal-version"], LABEL_MAX),
        "controls": [
            {
                "control": control.control,
                "title": control.title,
                "label": control.label,
                "section": control.section,
                "statement": control.statement,
                "withdrawn": control.withdrawn,
            }
            for control in found
        ],
    }


def _hold_against_the_model(document: Any) -> None:
    """Refuses what is not a catalogue by the model of the library."""
    # Imported here, because the library takes longer to load than all else in the sandbox, and few requests need it.
    from pydantic import ValidationError
    from trestle.oscal.catalog import Model

    try:
        Model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(
            f"{plain('.'.join(str(step) for step in fault['loc']), 120)}: {plain(fault['msg'], 160)}"
            for fault in faults[:_FAULTS_NAMED]
        )
        more = f" (and {len(faults) - _FAULTS_NAMED} more)" if len(faults) > _FAULTS_NAMED else ""
        raise MalformedReport(f"This is not a catalogue by the OSCAL model: {told}{more}. Mend it there.") from None


def _controls(holder: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Control]:
    """The controls of a catalogue, a group or a control, each before those inside of it."""
    for control in holder.get("controls") or ():
        yield _control(control, path)
        yield from _controls(control, path)
    for group in holder.get("groups") or ():
        yield from _controls(group, (*path, group["title"]))


def _control(told: Mapping[str, Any], path: tuple[str, ...]) -> Control:
    props: Sequence[Mapping[str, Any]] = told.get("props") or ()
    labels = sorted((prop for prop in props if prop["name"] == "label"), key=lambda prop: "class" in prop)
    withdrawn = any(prop["name"] == "status" and prop["value"].casefold() == "withdrawn" for prop in props)
    return Control(
        control=told["id"],
        title=plain(told["title"], TITLE_MAX),
        label=plain(labels[0]["value"] if labels else told["id"], LABEL_MAX),
        section=plain(" / ".join(path), SECTION_MAX),
        statement=_statement(told),
        withdrawn=withdrawn,
    )


def _statement(told: Mapping[str, Any]) -> str:
    names = {param["id"]: _named(param) for param in told.get("params") or ()}
    lines = [
        line
        for part in told.get("parts") or ()
        if part["name"] == "statement"
        for line in _prose(part, names)
    ]  # fmt: skip
    text = "\n".join(lines)
    return text if len(text) <= STATEMENT_MAX else text[: STATEMENT_MAX - 1] + "…"


def _prose(part: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    label = next((prop["value"] for prop in part.get("props") or () if prop["name"] == "label"), "")
    if part.get("prose"):
        prose = _INSERT.sub(lambda found: f"[{names.get(found[1], found[1])}]", part["prose"])
        yield from (plain(line, STATEMENT_MAX) for line in f"{label} {prose}".strip().splitlines())
    for inner in part.get("parts") or ():
        yield from _prose(inner, names)


def _named(param: Mapping[str, Any]) -> str:
    """What a parameter is called where it is inserted."""
    choices = (param.get("select") or {}).get("choice") or ()
    return str(param.get("label") or " or ".join(choices) or param["id"])
