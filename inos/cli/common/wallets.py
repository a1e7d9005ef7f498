"""What the commands that sign share: wallets on disk, passwords, the node's view of an account, confirmation."""

import os
import stat
import sys
from pathlib import Path
from typing import Any, Final

import typer
from msgspec import Struct

from inos.cli.common.output import fail, print_warning
from inos.cli.common.remote import call_rpc
from inos.genesis import Network
from inos.primitives.units import Address, Nano, parse_credits
from inos.wallet import addresses, keystore, opening, store
from inos.wallet.build import AccountView
from inos.wallet.keys import Key

MAX_SECRET_FILE_BYTES: Final = 4096
SCRYPT_COST = keystore.ScryptCost()
"""Cost of new keystores; tests replace it by a smaller one."""


def get_wallet_dir(chosen: Path | None) -> Path:
    """Return the directory that was chosen; by default $XDG_DATA_HOME/inos/wallets or ~/.local/share/inos/wallets."""
    return opening.get_default_folder() if chosen is None else chosen.expanduser()


def read_secret_file(path: Path, what: str) -> str:
    """Return a secret's text without its trailing newline; warn if other users may read the file.

    Args:
        what: what the file holds, for messages.

    Raises:
        CommandError: "file-unreadable", or "empty-secret".
    """
    try:
        with path.expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_SECRET_FILE_BYTES + 1).decode("utf-8")
    except OSError as error:
        fail("file-unreadable", f"cannot read the {what} from {path}: {error.strerror}")
    except UnicodeDecodeError:
        fail("file-unreadable", f"the {what} in {path} is not UTF-8 text")
    if stat.S_ISREG(mode) and mode & 0o077:
        print_warning(f"other users of this machine can read {path}; restrict it with: chmod 600 {path}")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        fail("empty-secret", f"the {what} in {path} is empty")
    if len(text) > MAX_SECRET_FILE_BYTES:
        fail("file-unreadable", f"{path} is longer than {MAX_SECRET_FILE_BYTES} bytes; is it the right file?")
    return text


def read_password(file: Path | None, *, confirm: bool) -> str:
    """Return the password from a file, or ask for it on stderr; ask twice with `confirm`."""
    if file is not None:
        return read_secret_file(file, "password")
    text = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return str(text)


class OpenWallet(Struct, frozen=True):
    """A wallet on disk and one of its addresses; the wallet is unlocked only when its key is needed."""

    path: Path
    data: bytes
    index: int
    network: Network
    password_file: Path | None

    def get_address(self) -> Address:
        """Return the wallet's address; number 0 is in the file, and any other needs the password."""
        if self.index > 0:
            return self.unlock().address
        info = keystore.read_info(self.data)
        return addresses.decode_address(info.hrp, info.address)

    def unlock(self) -> Key:
        """Return the key of the wallet's address.

        Raises:
            WalletError: as `keystore.decode_keystore`; "keystore-damaged".
        """
        password = read_password(self.password_file, confirm=False)
        return opening.unlock_keystore(self.path, self.data, password, self.index)


def open_wallet(
    directory: Path | None, name: str, network: Network, *, index: int = 0, password_file: Path | None = None
) -> OpenWallet:
    """Return a wallet by its name, still locked.

    Raises:
        WalletError: "keystore-missing".
    """
    path = store.get_path(get_wallet_dir(directory), name)
    return OpenWallet(path, store.read_keystore(path), index, network, password_file)


def parse_amount(text: str, what: str) -> Nano:
    """Return credits of the command line as nano.

    Raises:
        CommandError: "bad-amount".
    """
    try:
        return parse_credits(text)
    except ValueError as error:
        fail("bad-amount", f"{what}: {error}")


def get_account(url: str, address: str) -> dict[str, Any]:
    """Return an account as the node answers it, with the members that this program reads checked.

    Raises:
        CommandError: "bad-response".
    """
    account = call_rpc(url, "state_getAccount", {"address": address})
    try:
        return dict(account) | {
            "nonce": int(account["nonce"]),
            "pending_nonce": int(account.get("pending_nonce", account["nonce"])),
            "balance": str(int(account["balance"])),
        }
    except (KeyError, TypeError, ValueError):
        fail("bad-response", f"the node at {url} described the account in a way that this program does not know")


def to_view(account: dict[str, Any]) -> AccountView:
    """Return what the builder of transactions needs of an account; the next nonce counts those in the node's pool."""
    return AccountView(nonce=account["pending_nonce"], balance=Nano(int(account["balance"])))


def find_mismatch(url: str, network: Network) -> str | None:
    """Return how the node's network differs from `network`, or None."""
    version = call_rpc(url, "node_version")
    if not isinstance(version, dict):
        fail("bad-response", f"the node at {url} does not say which network it is on")
    if version.get("genesis") == network.genesis_id.hex() and version.get("chain_id") == network.params.chain_id:
        return None
    return (
        f"the node at {url} is on {version.get('network', '?')} with genesis {version.get('genesis', '?')}, "
        f"not on {network.name} with genesis {network.genesis_id.hex()}"
    )


def require_same_network(url: str, network: Network) -> None:
    """Refuse to sign or send for another network than the node's.

    Raises:
        CommandError: "other-network".
    """
    if mismatch := find_mismatch(url, network):
        fail(
            "other-network", mismatch, "give the node's genesis file or name with --network, or another node with --rpc"
        )


def warn_other_network(url: str, network: Network) -> None:
    """Warn if the node that is shown is on another network than `network`."""
    if mismatch := find_mismatch(url, network):
        print_warning(mismatch)


def confirm_or_stop(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes` is set.

    Raises:
        CommandError: "not-confirmed" if the answer is no.
    """
    if yes:
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        fail("not-confirmed", "nothing was sent")
