"""The hostile files are what their script makes, no more and no less."""

from tests.assets.make import HERE, build


def test_every_hostile_file_is_what_the_script_makes() -> None:
    stale = [name for name, data in build().items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data]

    assert not stale, f"run `python tests/assets/make.py`: {stale}"


def test_no_hostile_file_lies_around_without_the_script() -> None:
    kept = {path.name for path in HERE.iterdir() if path.suffix in (".xml", ".sarif", ".json")}

    assert kept == build().keys()
