"""OSCAL catalogues for tests, in words of our own."""

import json
from typing import Any

UUID = "74c8ba1e-5cd4-4ad1-bbfd-d888e2f6c724"


def control(control_id: str, title: str = "Changes are tested", **more: Any) -> dict[str, Any]:
    return {"id": control_id, "title": title, **more}


def catalogue(*controls: dict[str, Any], groups: Any = None, **metadata: Any) -> bytes:
    """A catalogue with these controls in a group, or with these groups."""
    about = {
        "title": "House rules",
        "last-modified": "2026-01-01T00:00:00Z",
        "version": "1.0",
        "oscal-version": "1.1.2",
        **metadata,
    }
    held = [{"id": "change", "title": "Change management", "controls": list(controls)}] if groups is None else groups
    return json.dumps({"catalog": {"uuid": UUID, "metadata": about, "groups": held}}).encode()
