"""Compiled modules on disk, so that a module is compiled once on each machine.

A file holds native code that is executed, so the folder belongs to its user alone: one that others own or can write
to is refused. Only the parent writes here, under a name made of the module's own hash and the engine's version; a
module that broke out of the engine while it was compiled could spoil its own entry and no other. Every file begins
with a hash of the rest, so that a damaged one is compiled again. Whoever can write as this user can replace the code,
as they can replace this program.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from blake3 import blake3

from inos.functions.limits import ENGINE_VERSION
from inos.functions.outcome import HostFailed

FOLDER_MODE: Final = 0o700
OTHERS: Final = 0o077
HASH_BYTES: Final = 32
DEFAULT_QUOTA_BYTES: Final = 2**30


class ModuleCache:
    """A folder of compiled modules, made if it is missing.

    Args:
        quota_bytes: files that were not used for the longest time are deleted above this size.

    Raises:
        HostFailed: "cache-not-private" if other users own the folder or have any right in it.
    """

    def __init__(self, folder: Path, quota_bytes: int = DEFAULT_QUOTA_BYTES) -> None:
        self._folder = folder
        self._quota_bytes = quota_bytes
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            raise HostFailed(
                "cache-not-private", f"the folder {folder} for compiled modules cannot be used: {error}",
                hint="name another folder",
            ) from error  # fmt: skip
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & OTHERS:
            raise HostFailed(
                "cache-not-private",
                f"{folder} holds native code that is executed, and it is not a folder of this user alone",
                hint=f"chmod 700 {folder}, or name another folder",
            )

    def get(self, module: bytes) -> bytes | None:
        """Return the compiled module, or None if it is not here or damaged."""
        path = self._find(module)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                data = file.read()
            os.utime(path)
        except OSError:
            return None
        compiled = data[HASH_BYTES:]
        return compiled if blake3(compiled).digest() == data[:HASH_BYTES] else None

    def put(self, module: bytes, compiled: bytes) -> None:
        """Store a compiled module; a full disk costs no more than compiling it again."""
        path = self._find(module)
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            try:
                with open(descriptor, "wb") as file:
                    file.write(blake3(compiled).digest())
                    file.write(compiled)
                os.replace(name, path)
            except OSError:
                os.unlink(name)
                raise
            self._evict()

    def _find(self, module: bytes) -> Path:
        return self._folder / f"{blake3(module).hexdigest()}-{ENGINE_VERSION}"

    def _evict(self) -> None:
        files = [(found.st_mtime, found.st_size, path) for path in self._folder.iterdir() if (found := path.lstat())]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._quota_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
