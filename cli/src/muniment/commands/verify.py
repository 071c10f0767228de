"""`muniment verify`: an archive, a receipt, a checkpoint, a proof or a live server in; what is proven and what is not out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from muniment.command import SWITCH, Argument, Command, Option
from muniment.commands import shared
from muniment.exits import BadUsage, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.live import LiveLog
    from muniment.proof.notes import VerifierKey

KEY = Option("--key", "--log-key", help="the log's verifier key, from somewhere else than the server", value="KEY")
JSON = Option("--json", kind=SWITCH, help="tell the outcome as JSON, as --output json does")
LIVE = Option("--live", kind=SWITCH, help="check the server itself: its newest checkpoint, and --since or --full")
SINCE = Option("--since", help="a checkpoint that was saved before: has the log only grown since?", value="FILE")
SAVE = Option("--save", help="where to keep the newest checkpoint, for --since next time", value="FILE")
FULL = Option("--full", kind=SWITCH, help="read every entry, and compute the root from them")
PROOF = Option("--proof", help="a receipt's .tlog-proof file, to check the receipt offline", value="FILE")
SAVE_PROOF = Option("--save-proof", help="where to keep the proof of a receipt", value="FILE")


def verify(context: Context) -> ExitCode:
    """0 if everything verifies, 5 if something does not."""
    target = context.argument("WHAT")
    if context.switch(LIVE) or target is None:
        if target is not None:
            raise BadUsage(f"--live checks the server of --host, and {target} is something else. Give one of them.")
        return _told(context, _live)
    if target.startswith(("https://", "http://")):
        return _downloaded(context, target)
    kind = _kind(target)
    if kind == "receipt":
        return _told(context, lambda it: _receipt(it, target))
    if kind == "checkpoint":
        return _told(context, lambda it: _checkpoint(it, target))
    return _archive(context, target)


def _archive(context: Context, path: str) -> ExitCode:
    from muniment.proof.report import check_and_tell

    as_json = context.switch(JSON) or context.output.form == "json"
    return ExitCode(check_and_tell(path, context.text(KEY), as_json=as_json))


def _downloaded(context: Context, address: str) -> ExitCode:
    from muniment.asking import api_key
    from muniment.download import download

    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        path = Path(folder) / "archive.zip"
        download(address, path, api_key=api_key(context, address))
        return _archive(context, os.fspath(path))


def _kind(path: str) -> str:
    """What a file is, by its first bytes."""
    if not os.path.isfile(path):
        return "archive"
    with open(path, "rb") as file:
        begins = file.read(4096)
    if begins.lstrip()[:1] == b"{":
        return "receipt"
    return "checkpoint" if "\n\n\u2014 ".encode() in begins and not begins.startswith(b"PK") else "archive"


def _told(context: Context, check: Any) -> ExitCode:
    """The outcome of a check: what is proven, or why it is not."""
    from muniment.proof.merkle import ProofError
    from muniment.proof.notes import NoteError
    from muniment.proof.tiles import TileError

    if context.switch(JSON):
        context.output.form = "json"
    try:
        facts = check(context)
    except (NoteError, ProofError, TileError) as fault:
        reason = str(fault)
        context.show({"ok": False, "why": reason}, lambda output: output.line(f"NOT VERIFIED: {reason}"))
        return ExitCode.NOT_PROVEN
    context.show({"ok": True, **facts}, lambda output: output.facts([*facts.items(), ("outcome", "VERIFIED")]))
    return ExitCode.DONE


def _live(context: Context) -> dict[str, Any]:
    from muniment.evidence import Progress

    log = _log(context, _organization(context))
    note, newest = log.newest()
    facts: dict[str, Any] = {"log": newest.origin, "size": newest.size, "root": newest.root.hex()}
    since = context.text(SINCE)
    if since is not None and (os.path.exists(since) or since != context.text(SAVE)):
        _, old = _opened(since, _key(context))
        log.check_extends(old, newest)
        facts["extends"] = f"the checkpoint of {old.size} entries in {since}"
    if context.switch(FULL):
        progress = Progress(newest.size, is_shown=False)
        log.check_all(newest, progress.moved)
        facts["entries read"] = newest.size
    save = context.text(SAVE)
    if save is not None:
        _saved(save, note)
        facts["saved"] = save
    return facts


def _receipt(context: Context, path: str) -> dict[str, Any]:
    from muniment.commands.files import json_of, text_of
    from muniment.live import leaf_of
    from muniment.proof.bundle import parse_proof

    content = json_of(path)
    receipt = content.get("receipt", content) if isinstance(content, dict) else {}
    if not {"ledger", "index", "leafHash"} <= set(receipt):
        raise BadUsage(f"{path} holds no receipt. Save one with: muniment report ... --output json > receipt.json")
    leaf, index = leaf_of(str(receipt["leafHash"])), int(receipt["index"])
    log = _log(context, str(receipt["ledger"]).rpartition("/")[2])
    offline = context.text(PROOF)
    if offline is not None:
        checkpoint = log.checked(parse_proof(text_of(offline)), index, leaf)
    else:
        proof, checkpoint = log.check_entry(index, leaf)
        save = context.text(SAVE_PROOF)
        if save is not None:
            _saved(save, proof)
    facts = {"entry": index, "leaf": leaf.hex(), "log": checkpoint.origin, "under a checkpoint of": checkpoint.size}
    return {**facts, "kind": receipt.get("kind"), "recorded": receipt.get("at")}


def _checkpoint(context: Context, path: str) -> dict[str, Any]:
    _, checkpoint = _opened(path, _key(context))
    return {"log": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}


def _opened(path: str, key: VerifierKey) -> tuple[str, Any]:
    from muniment.commands.files import text_of
    from muniment.proof.checkpoint import open_checkpoint

    note = text_of(path)
    return note, open_checkpoint(note, key)


def _log(context: Context, organization: str) -> LiveLog:
    from muniment.live import LiveLog

    return LiveLog(context.client, organization, _key(context))


def _key(context: Context) -> VerifierKey:
    from muniment.proof.notes import NoteError, parse_verifier_key

    text = context.text(KEY)
    if text is None:
        raise BadUsage(
            "Whose signature counts? Give --key, the log's verifier key: its operator told it when the organization was created, "
            "and each archive holds it in the file `policy`."
        )
    try:
        return parse_verifier_key(text)
    except NoteError as refusal:
        raise BadUsage(str(refusal)) from None


def _organization(context: Context) -> str:
    """The one that was named, or else the key's own."""
    named = context.text(shared.ORGANIZATION)
    return named if named is not None else _key(context).name.rpartition("/")[2]


def _saved(path: str, text: str) -> None:
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        raise BadUsage(f"{path} cannot be written ({(error.strerror or '').lower()}).") from None


COMMANDS = (
    Command(
        "verify",
        verify,
        arguments=(
            Argument(
                "WHAT",
                help="an archive (ZIP file, unpacked directory, or its http(s) address), a receipt (JSON), or a saved checkpoint; "
                "nothing: the server itself",
                required=False,
            ),
        ),
        options=(KEY, JSON, LIVE, SINCE, SAVE, FULL, PROOF, SAVE_PROOF),
        explanation="""
            An archive is checked offline. A receipt is checked against the server, or offline with its proof. The server itself is
            checked by its newest checkpoint: is it signed with the key, and does the log extend the one you saved last time?
            """,
        examples=(
            'muniment verify archive.zip --key "$LOG_KEY"',
            'muniment verify receipt.json --key "$LOG_KEY" --save-proof receipt.tlog-proof',
            'muniment verify --live --key "$LOG_KEY" --since checkpoint.txt --save checkpoint.txt',
        ),
    ),
)
