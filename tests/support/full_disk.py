"""Stands in for a full disk: files may grow up to a limit, and then the system refuses to write."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limit_file_size(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond `limit` bytes; Python ignores the signal that comes with a refusal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
