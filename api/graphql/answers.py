"""Answers that are kept: the same question at the same size gives the same bytes, so they are made once.

    question -> (sight, size, SHA-256 of the request, media type) -> bytes and their ETag, until `holds_until`

An answer as of now belongs to the size of the ledger that it was read at; the next entry makes a new key, and the old
answer is never looked at again. An answer whose every root field names its size has no size in its key: entries to come cannot
change it. `sight` stands for the organization, the key and what it may see, and a caller is recognised before anything is
looked up, so nobody gets an answer through a key that opens nothing any more.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from record.ids import LedgerSize

Key: TypeAlias = tuple[bytes, LedgerSize | None, bytes]

_OVERHEAD: Final = 600
"""What an answer costs beside its body: key, headers, and its place in the order."""
_LARGEST_SHARE: Final = 8
"""No answer may take more than one part in this many of the memory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response with status 200."""

    body: bytes
    etag: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    holds_until: datetime | None


def answer_of(body: bytes, *, media_type: str, size: int, holds_until: datetime | None) -> Answer:
    """The response that carries this body, as it will be sent each time."""
    tag = hashlib.sha256(media_type.encode() + b"\0" + body).hexdigest()[:32]
    etag = f'"{tag}"'.encode()
    headers = (
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"etag", etag),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Accept, Authorization"),
        (b"muniment-ledger-size", str(size).encode()),
    )
    return Answer(body, etag, headers, holds_until)


class Answers:
    """Least recently used answers go first when the memory is full."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_held(self) -> int:
        """Memory that is taken, about."""
        return self._bytes

    def find(self, sight: bytes, size: LedgerSize, question: bytes, *, now: datetime) -> Answer | None:
        """The answer to this question, if it is kept and still holds."""
        for key in ((sight, size, question), (sight, None, question)):
            answer = self._kept.get(key)
            if answer is not None:
                if answer.holds_until is not None and now >= answer.holds_until:
                    self._drop(key)
                    continue
                self._kept.move_to_end(key)
                self.hits += 1
                return answer
        self.misses += 1
        return None

    def keep(self, sight: bytes, size: LedgerSize | None, question: bytes, answer: Answer) -> None:
        """Keeps an answer. `size` None: it holds at every size."""
        weight = _weight(answer)
        if weight * _LARGEST_SHARE > self._bytes_max:
            return
        key = (sight, size, question)
        self._drop(key)
        self._kept[key] = answer
        self._bytes += weight
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._bytes -= _weight(dropped)


def _weight(answer: Answer) -> int:
    return len(answer.body) + _OVERHEAD
