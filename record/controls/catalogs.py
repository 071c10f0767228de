"""A framework's catalogue: the list of its controls, wherever it comes from; checked, and divided into entries.

Whoever writes the list by hand and whoever imports it get the same rules: ids are unique and can stand in a URL, texts
are bounded. The texts of standards that are for sale do not belong here: an id, and your own words for what it asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from record.details import checked_text
from record.environments.rules import in_parts
from record.ids import CONTROL_ID, checked_name
from record.refusals import InvalidInput, TooLarge

CONTROLS_MAX: Final = 5_000
TITLE_MAX: Final = 500
LABEL_MAX: Final = 100
SECTION_MAX: Final = 500
STATEMENT_MAX: Final = 4_000


@dataclass(frozen=True, slots=True)
class Control:
    """An objective. `control` is its id in the framework, `label` how the framework prints it, `section` where it stands."""

    control: str
    title: str
    label: str = ""
    section: str = ""
    statement: str = ""
    withdrawn: bool = False

    def to_json(self, position: int) -> dict[str, Any]:
        """As entries say it: what is not said is not there."""
        told: dict[str, Any] = {
            "id": self.control,
            "position": position,
            "label": self.label or self.control,
            "title": self.title,
        }
        besides = {"section": self.section, "statement": self.statement, "withdrawn": self.withdrawn}
        return told | {name: value for name, value in besides.items() if value}


def checked(controls: Sequence[Control]) -> Sequence[Control]:
    """These controls, if they make a catalogue; refuses none at all, too many, and ids that are there twice."""
    if not controls:
        raise InvalidInput("A framework without controls asks for nothing. List at least one.", field="controls")
    if len(controls) > CONTROLS_MAX:
        raise TooLarge(
            f"This framework has {len(controls)} controls and at most {CONTROLS_MAX} are kept. Divide it into several."
        )
    seen: dict[str, str] = {}
    for control in controls:
        checked_name(control.control, CONTROL_ID, field="control id")
        other = seen.get(control.control.casefold())
        if other is not None:
            raise InvalidInput(
                f"The control {control.control} is there twice (before as {other}). Give each an id of its own.",
                field="controls",
            )
        seen[control.control.casefold()] = control.control
        if not control.title.strip():
            raise InvalidInput(f"The control {control.control} has no title. Say what it asks for.", field="title")
        for field, text, most in (
            ("title", control.title, TITLE_MAX),
            ("label", control.label, LABEL_MAX),
            ("section", control.section, SECTION_MAX),
            ("statement", control.statement, STATEMENT_MAX),
        ):
            checked_text(text, field=field, most=most)
    return controls


def bodies(
    of_all: Mapping[str, Any], closing: Mapping[str, Any], controls: Iterable[Control]
) -> list[tuple[str, dict[str, Any]]]:
    """The kinds and bodies of the entries of a version: parts with controls, and the one that closes it."""
    listed = [control.to_json(position) for position, control in enumerate(controls)]
    # What the closing entry says besides is at most two texts of TEXT_MAX characters, four bytes each.
    *parts, last = in_parts(listed, last_bytes=34_000)
    return [
        *(
            ("framework.part", {**of_all, "still_to_come": len(parts) - place, "controls": part})
            for place, part in enumerate(parts)
        ),
        ("framework.recorded", {**of_all, **closing, "still_to_come": 0, "controls": last}),
    ]
