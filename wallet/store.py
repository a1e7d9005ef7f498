"""Keystore files in a directory, one per wallet. They are written atomically, readable by their owner only."""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from inos.primitives.atomic_files import replace_file
from inos.wallet.errors import WalletError
from inos.wallet.keystore import MAX_FILE_BYTES

SUFFIX: Final = ".keystore.json"
WATCH_SUFFIX: Final = ".watch.json"
"""The file of an account whose key is elsewhere; a name belongs to one file of either kind."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def get_path(directory: Path, name: str) -> Path:
    """Return the path of the wallet `name`.

    Raises:
        WalletError: "bad-name" if it has other characters than letters, digits, dash and underscore.
    """
    if _NAME.fullmatch(name) is None:
        raise WalletError(
            "bad-name",
            f"{name!r} cannot be a wallet's name",
            hint="use up to 64 letters, digits, - and _, beginning with a letter or digit",
        )
    return directory / f"{name}{SUFFIX}"


def is_name(text: str) -> bool:
    """Return True if a wallet may have this name."""
    return _NAME.fullmatch(text) is not None


def list_names(directory: Path) -> list[str]:
    """Return the names of the wallets in a directory, sorted; none if it does not exist."""
    if not directory.is_dir():
        return []
    names = (p.name.removesuffix(SUFFIX) for p in directory.glob(f"*{SUFFIX}"))
    return sorted(n for n in names if _NAME.fullmatch(n))


def read_keystore(path: Path) -> bytes:
    """Return the file's bytes.

    Raises:
        WalletError: "keystore-missing", or "keystore-unreadable" with the system's reason.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise WalletError(
            "keystore-missing",
            f"there is no wallet at {path}",
            hint="make one with: inos wallet create, or see: inos wallet list",
        ) from error
    except OSError as error:
        raise WalletError("keystore-unreadable", f"cannot read {path}: {error.strerror}") from error


def check_free(path: Path, *, force: bool) -> None:
    """Check that no wallet is there, before a secret is shown.

    Raises:
        WalletError: "keystore-exists".
    """
    other = path.with_name(_swap_suffix(path.name))
    if other.exists():
        raise WalletError(
            "keystore-exists", f"there already is a wallet at {other}", hint="choose another name with --wallet"
        )
    if path.exists() and not force:
        hint = "choose another name with --wallet, or --force to replace it (a backup is kept)"
        if path.name.endswith(WATCH_SUFFIX):
            hint = "choose another name, or delete the file first: it holds no secret"
        raise WalletError("keystore-exists", f"there already is a wallet at {path}", hint=hint)


def _swap_suffix(name: str) -> str:
    """Return the name of the file of the other kind that would have the same wallet's name."""
    if name.endswith(WATCH_SUFFIX):
        return name.removesuffix(WATCH_SUFFIX) + SUFFIX
    return name.removesuffix(SUFFIX) + WATCH_SUFFIX


def write_keystore(path: Path, data: bytes, *, force: bool = False) -> Path | None:
    """Write the file atomically with mode 0600, and return the backup's path if a file was replaced.

    Raises:
        WalletError: "keystore-exists" without `force`, "keystore-unwritable" with the system's reason.
    """
    check_free(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write_durably(temporary, data)
            backup = _back_up(path) if force else None
            if force:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)  # Unlike a rename, this fails if another process made the file meanwhile.
            _sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WalletError("keystore-unwritable", f"cannot write {path}: {error.strerror}") from error
    return backup


def write_text(path: Path, text: str) -> None:
    """Replace a file beside the keystores that holds no secret, for its owner only.

    Raises:
        WalletError: "keystore-unwritable" with the system's reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, text.encode())
    except OSError as error:
        raise WalletError("keystore-unwritable", f"cannot write {path}: {error.strerror}") from error


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _back_up(path: Path) -> Path | None:
    """Keep the old file under the first free number too, since an old wallet may still hold credits."""
    if not path.exists():
        return None
    number = 1
    while (backup := path.with_name(f"{path.name}.bak{number}")).exists():
        number += 1
    os.link(path, backup)
    return backup


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
