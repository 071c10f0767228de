"""Archives are taken away and checked; receipts and a live server are held to what was signed."""

import json

import pytest

from embedded.system import System
from tests.cli.faulty import Network
from tests.cli.running import Muniment, entries


@pytest.fixture
def log_key(system: System) -> str:
    assert system.organization is not None
    return system.organization.log_verifier_key


def test_an_archive_is_requested_awaited_taken_away_and_verified(delivery: Muniment, log_key: str) -> None:
    told = delivery("archive", "request", "--wait", "--output", "audit.zip", "--output", "json")

    assert told.code == 0, told.said
    assert told.json["archive"]["status"] == "READY"
    assert delivery("verify", "audit.zip", "--key", log_key, "--output", "json").json["ok"] is True
    assert "audit.zip" in told.said
    assert not list(delivery.folder.glob("*.part"))


def test_a_download_that_broke_off_goes_on_where_it_stopped(delivery: Muniment, network: Network, log_key: str) -> None:
    requested = delivery("archive", "request", "--wait", "--output", "json").json["archive"]
    delivery("archive", "download", requested["id"], "--to", "whole.zip")
    whole = (delivery.folder / "whole.zip").read_bytes()
    part = delivery.folder / f"again.zip.{requested['digest'][:12]}.part"
    part.write_bytes(whole[:1000])

    told = delivery("archive", "download", requested["id"], "--to", "again.zip", "--host", network.address)

    assert told.code == 0, told.said
    assert "went on behind 1000 bytes" in told.said
    assert (delivery.folder / "again.zip").read_bytes() == whole
    network.faults = ["pass", "refuse", "cut", "refuse"]
    assert (
        delivery(
            "archive", "download", requested["id"], "--to", "third.zip", "--retries", "5", "--host", network.address
        ).code
        == 0
    )
    part = delivery.folder / f"forged.zip.{requested['digest'][:12]}.part"
    part.write_bytes(b"x" * 1000)
    assert delivery("archive", "download", requested["id"], "--to", "forged.zip").code == 5
    assert not (delivery.folder / "forged.zip").exists()
    assert requested["id"] in delivery("list", "archives").out


def test_a_receipt_is_proven_online_and_offline(delivery: Muniment, log_key: str) -> None:
    receipt = delivery("begin", "trail", "receipt", "--output", "json")
    path = delivery.file("receipt.json", receipt.out)

    online = delivery("verify", path, "--key", log_key, "--save-proof", "receipt.tlog-proof", "--output", "json")
    offline = delivery(
        *("verify", path, "--key", log_key, "--proof", "receipt.tlog-proof"), MUNIMENT_HOST="http://127.0.0.1:9"
    )
    forged = json.loads(receipt.out)
    forged["receipt"]["leafHash"] = "0" * 64
    wrong = delivery("verify", delivery.file("forged.json", json.dumps(forged)), "--key", log_key)

    assert online.json["entry"] == receipt.json["receipt"]["index"]
    assert (offline.code, wrong.code) == (0, 5)
    assert "NOT VERIFIED" in wrong.out


def test_a_live_server_is_held_to_what_it_signed_before(delivery: Muniment, log_key: str, system: System) -> None:
    words = ["verify", "--live", "--key", log_key, "--since", "checkpoint.txt", "--save", "checkpoint.txt"]
    first = delivery(*words, "--output", "json")
    size = entries(delivery)
    delivery("begin", "trail", "later")
    receipt = delivery.file("r.json", delivery("begin", "trail", "later-still", "--output", "json").out)
    assert delivery("verify", receipt, "--key", log_key).code == 0  # by now it is signed

    second = delivery(*words, "--full", "--output", "json")

    assert first.code == second.code == 0, first.said + second.said
    assert second.json["size"] >= size
    assert second.json["entries read"] == second.json["size"]
    assert "extends" in second.json
    assert delivery("verify", "checkpoint.txt", "--key", log_key).code == 0
    saved = (delivery.folder / "checkpoint.txt").read_text()
    (delivery.folder / "checkpoint.txt").write_text(saved.replace("\n", "\n", 1).replace("acme\n", "evil\n", 1))
    assert delivery("verify", "--live", "--key", log_key, "--since", "checkpoint.txt").code == 5
    other = log_key.rpartition("+")[0] + "+" + "AQ" + "A" * 42
    assert delivery("verify", "--live", "--key", other).code in (2, 5)
