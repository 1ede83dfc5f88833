"""The control log in Google Cloud Storage: segments that never change, named by one head object.

The head at the log's address plus ``.head`` is what counts: a segment that it does not name was
never appended. Every change replaces the head under the condition that nobody else has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec
from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from transforms.flows.protocol.control_records import ControlRecord, decode_line, encode_line
from transforms.sources.control_log.log import NOTHING, LogError, Read, TextLog

HEAD, SEGMENTS = ".head", ".segments/"
PATIENCE = 10.0
"""Seconds for a request, and for all its repetitions."""
ABSENT = 0
"""The generation of an object that does not exist."""
MOST_SEGMENTS = 100
"""With more, one segment with all records takes their place."""


class Segment(msgspec.Struct, frozen=True):
    """Records in one object: the sequences of the first and the last, and the object's name."""

    first: int
    last: int
    name: str


class Head(msgspec.Struct, frozen=True):
    """What the log consists of: its segments in order, and until when it is complete."""

    complete_until: int = NOTHING
    segments: tuple[Segment, ...] = ()

    @property
    def token(self) -> str:
        """Return the name of the last segment, which names the state of the records."""
        return self.segments[-1].name if self.segments else ""


class GcsLog:
    """A log below a name in a bucket, for readers and for the writers' store."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address = address
        self._name = parts.path.removeprefix("/")
        with self.explained():
            self._bucket = storage.Client().bucket(parts.netloc)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what goes wrong with the bucket into LogError; PreconditionFailed is passed on."""
        try:
            yield
        except PreconditionFailed:
            raise
        except (GoogleAPIError, GoogleAuthError, RequestException, OSError) as error:
            raise LogError(f"{self.address}: {error}") from None

    def head(self) -> tuple[Head | None, int]:
        """Read the head and its generation; None if nobody has appended anything."""
        found = self._load(self._name + HEAD)
        if found is None:
            return None, ABSENT
        try:
            return msgspec.json.decode(found[0], type=Head), found[1]
        except msgspec.DecodeError as error:
            raise LogError(f"{self.address}{HEAD}: {error}") from None

    def replace(self, head: Head, generation: int) -> None:
        """Replace the head of a generation. Raises PreconditionFailed if it has another by now."""
        self._save(self._name + HEAD, msgspec.json.encode(head), generation)

    def write(self, records: Sequence[ControlRecord]) -> Segment:
        """Write a segment, which counts once the head names it; the same records make the same."""
        body = b"".join(encode_line(record) + b"\n" for record in records)
        first, last = records[0].sequence, records[-1].sequence
        name = f"{first:012d}-{last:012d}-{blake2b(body, digest_size=8).hexdigest()}"
        with suppress(PreconditionFailed):  # it is there already, with these bytes
            self._save(self._name + SEGMENTS + name, body, ABSENT)
        return Segment(first, last, name)

    def records(self, segments: Iterable[Segment]) -> Iterator[ControlRecord]:
        """Read the records of segments."""
        for segment in segments:
            name = f"{self._name}{SEGMENTS}{segment.name}"
            found = self._load(name)
            if found is None:
                raise LogError(f"{self.address}: there is no object {name}")
            yield from map(decode_line, found[0].splitlines())

    def read_since(self, sequence: int | None) -> Read:
        head, _ = self.head()
        if head is None:  # a log in one object, which another program wrote
            return TextLog(self.address, self._load_plain).read_since(sequence)
        after = -1 if sequence is None else sequence
        new = self.records(segment for segment in head.segments if segment.last > after)
        return Read(tuple(r for r in new if r.sequence > after), head.complete_until)

    def is_plain(self) -> bool:
        """Return True if there is a log in one object, which cannot be appended to."""
        return self._load(self._name) is not None

    def _load_plain(self, address: str) -> bytes | None:
        found = self._load(urlsplit(address).path.removeprefix("/"))
        return None if found is None else found[0]

    def _load(self, name: str) -> tuple[bytes, int] | None:
        blob, retry = self._bucket.blob(name), DEFAULT_RETRY.with_timeout(PATIENCE)
        with self.explained():
            try:
                body = blob.download_as_bytes(timeout=PATIENCE, retry=retry)
            except NotFound:
                return None
        return bytes(body), int(blob.generation)

    def _save(self, name: str, body: bytes, generation: int) -> None:
        blob = self._bucket.blob(name)
        blob.cache_control = "no-store"
        with self.explained():
            blob.upload_from_string(
                body,
                content_type="application/json",
                if_generation_match=generation,
                timeout=PATIENCE,
                retry=DEFAULT_RETRY.with_timeout(PATIENCE),
            )
