"""Evidence on its way: streamed, several at a time, never twice, encrypted if that is asked for."""

import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from muniment.evidence import gathered
from muniment.exits import BadUsage
from tests.cli.faulty import Network
from tests.cli.running import Muniment

ATTEST = ["attest", "generic", "--name", "files", "--compliant", "--trail", "t"]


def stored(muniment: Muniment, name: str = "files") -> list[dict[str, object]]:
    found = muniment("get", "attestation", name, "--trail", "t", "--output", "json").json
    return list(found[-1]["evidence"])


def test_a_directory_is_kept_file_by_file_under_its_names(muniment: Muniment) -> None:
    for name in ("b.txt", "deep/a.json", "deep/er/c"):
        muniment.file(f"reports/{name}", f"content of {name}")
    (muniment.folder / "reports" / "link").symlink_to("b.txt")

    told = muniment(*ATTEST, "--attachments", str(muniment.folder / "reports"))

    assert told.code == 0, told.said
    assert {each["fileName"]: each["digest"] for each in stored(muniment)} == {
        f"reports/{name}": sha256(f"content of {name}".encode()).hexdigest()
        for name in ("b.txt", "deep/a.json", "deep/er/c")
    }


def test_bytes_that_the_vault_has_are_not_sent_again(muniment: Muniment, network: Network) -> None:
    path = muniment.file("big.bin", os.urandom(200_000))
    words = [*ATTEST, "--attachments", path, "--host", network.address]
    assert muniment(*words).code == 0
    network.requests.clear()

    assert muniment(*words).code == 0

    assert [request.partition(" ")[0] for request in network.requests] == ["POST", "POST"]


def test_files_are_sent_several_at_a_time(muniment: Muniment, network: Network) -> None:
    for number in range(40):
        muniment.file(f"many/{number}.txt", f"{number} {time.time_ns()}")

    told = muniment(
        *ATTEST, "--attachments", str(muniment.folder / "many"), "--parallel", "8", "--host", network.address
    )

    assert told.code == 0, told.said
    assert len(stored(muniment)) == 40
    assert sum(request.startswith("PUT") for request in network.requests) == 40


def test_of_many_files_those_that_are_missing_are_found_with_one_question(muniment: Muniment, network: Network) -> None:
    folder = muniment.folder / "many"
    for number in range(30):
        muniment.file(f"many/{number}.txt", f"{number} {time.time_ns()}")
    words = [*ATTEST, "--attachments", str(folder), "--host", network.address]
    assert muniment(*words).code == 0
    for number in (3, 7):
        (folder / f"{number}.txt").write_text("changed since")
    network.requests.clear()

    assert muniment(*words).code == 0

    assert len(stored(muniment)) == 30
    sent = sorted(request.partition(" ")[0] for request in network.requests)
    assert sent == ["POST", "POST", "PUT"]  # the two that changed have the same bytes


def test_what_the_key_may_not_read_is_sent_as_if_it_were_not_there(muniment: Muniment, network: Network) -> None:
    path = muniment.file("theirs.bin", os.urandom(1000))
    words = ["attest", "generic", "--name", "files", "--compliant", "--trail", "t", "--attachments", path]
    assert muniment("create", "flow", "theirs").code == 0
    assert muniment(*words, "--flow", "theirs").code == 0
    narrowed = muniment.key_of("narrowed", {"role": "WRITER", "flows": [muniment.environment["MUNIMENT_FLOW"]]})

    told = muniment(*words, "--host", network.address, "--api-key", narrowed)

    assert told.code == 0, told.said
    assert sum(request.startswith("PUT") for request in network.requests) == 1
    assert [each["fileName"] for each in stored(muniment)] == ["theirs.bin"]


def test_more_files_than_an_attestation_can_name_are_refused_before_anything_is_sent(
    muniment: Muniment, network: Network
) -> None:
    for number in range(60):
        muniment.file(f"many/{number}.xml", str(number))
        muniment.file(f"more/{number}.txt", str(number))
    many, more = str(muniment.folder / "many"), str(muniment.folder / "more")
    junit = ["attest", "junit", "--name", "unit", "--trail", "t", "--results-dir", many, "--attachments", more]

    told = muniment(*ATTEST, "--attachments", f"{many},{more}", "--host", network.address)
    together = muniment(*junit, "--host", network.address)

    assert (told.code, together.code, network.requests) == (2, 2, [])
    assert "120 files are more than the 100 that one attestation can name" in told.said
    assert together.said == told.said


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "report.xml").write_text(folder)

    files = gathered([str(tmp_path / "a" / "report.xml"), str(tmp_path / "b" / "report.xml")])

    assert [file.name for file in files] == ["report.xml", "report-2.xml"]


@pytest.mark.parametrize("name", ["missing.txt", "empty"])
def test_evidence_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(BadUsage, match=name):
        gathered([str(tmp_path / name)])


def test_a_file_that_changes_while_it_is_reported_is_not_attested(muniment: Muniment, network: Network) -> None:
    path = Path(muniment.file("log.txt", "before"))

    class Changing(list[str]):
        """The moment between asking whether the file is there and sending it."""

        def append(self, request: str) -> None:
            super().append(request)
            if request.startswith("POST"):
                path.write_text("after!")

    network.requests = Changing()
    told = muniment(*ATTEST, "--attachments", str(path), "--host", network.address)

    assert told.code == 2
    assert "changed while it was reported" in told.said


def test_evidence_is_encrypted_to_its_readers_before_it_leaves(muniment: Muniment) -> None:
    import pyrage

    reader = pyrage.x25519.Identity.generate()
    path = muniment.file("secret.log", "the password is swordfish")

    told = muniment(*ATTEST, "--attachments", path, "--encrypt-to", str(reader.to_public()))

    assert told.code == 0, told.said
    (kept,) = stored(muniment)
    assert (kept["fileName"], kept["mediaType"]) == ("secret.log.age", "application/age-encryption")
    request = Request(
        f"{muniment.environment['MUNIMENT_HOST']}/evidence/sha256:{kept['digest']}",
        headers={"Authorization": f"Bearer {muniment.environment['MUNIMENT_API_KEY']}"},
    )
    with urlopen(request) as answer:
        sealed = answer.read()
    assert b"swordfish" not in sealed
    assert pyrage.decrypt(sealed, [reader]) == b"the password is swordfish"


def test_who_is_no_recipient_is_refused(muniment: Muniment) -> None:
    path = muniment.file("secret.log", "x")

    told = muniment(*ATTEST, "--attachments", path, "--encrypt-to", "ada@example.org")

    assert told.code == 2
    assert "no age recipient" in told.said


def test_a_large_file_is_never_in_memory_whole(muniment: Muniment) -> None:
    path = muniment.folder / "large.bin"
    with path.open("wb") as file:
        for _ in range(150):
            file.write(os.urandom(1 << 20))
    measure = (
        "import sys\nfrom muniment.cli import main\ncode = main(sys.argv[1:])\n"
        "told = open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]\nprint(told, file=sys.stderr)\nsys.exit(code)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", measure, *ATTEST, "--attachments", str(path)],
        env={**muniment.environment, "PYTHONPATH": str(Path(__file__).parents[3] / "cli" / "src")},
        cwd=muniment.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert int(ran.stderr.split()[-1]) < 80_000  # KiB
