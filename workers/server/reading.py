"""Reads a worker's messages within the limits of their kinds."""

from inos.core.bounded import TokenBucket
from inos.workers.errors import Offence, WorkerError
from inos.workers.limits import LIMITS
from inos.workers.messages import FromWorker, Message, decode_from_worker, peek_kind


class MessageReader:
    """Counts the messages of one worker."""

    def __init__(self) -> None:
        self._buckets: dict[type[Message], TokenBucket] = {}

    def read(self, data: bytes, now: float) -> FromWorker:
        """Decode a message that came at monotonic `now`.

        Raises:
            Offence: it is none, or too large, or one too many of its kind.
        """
        try:
            kind = peek_kind(data)
            limit = LIMITS[kind]
            if len(data) > limit.max_bytes:
                raise Offence("too-large", f"a {kind.__name__} has at most {limit.max_bytes} bytes, not {len(data)}")
            bucket = self._buckets.get(kind)
            if bucket is None:
                bucket = self._buckets[kind] = TokenBucket(limit.per_s, limit.burst, now)
            if limit.burst and not bucket.take(now):
                raise Offence("too-fast", f"more than {limit.per_s:g} {kind.__name__} messages came per second")
            return decode_from_worker(data, limit=limit.max_bytes)
        except Offence:
            raise
        except WorkerError as error:
            raise Offence(error.code, error.message) from error
