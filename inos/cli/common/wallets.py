"""What the commands that sign share: wallets on disk, passwords, the node's view of an account, confirmation."""

import sys
from pathlib import Path
from typing import Any, Final

import typer
from msgspec import Struct

from inos.cli.common.output import fail, print_text, print_warning
from inos.cli.common.remote import call_rpc
from inos.client.wallets import open_watched
from inos.genesis import Network
from inos.primitives.secret_files import has_blanks, is_open_to_others, read_secret_text
from inos.primitives.units import Address, Nano, PublicKey, parse_credits
from inos.wallet import addresses, keystore, opening, store
from inos.wallet.build import AccountView
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key
from inos.wallet.signers import ElsewhereSigner, Signer, make_signer
from inos.wallet.watching import Watched, find_watched

PUBLIC_KEY_BYTES: Final = 32
SCRYPT_COST = keystore.ScryptCost()
"""Cost of new keystores; tests replace it by a smaller one."""


def get_wallet_dir(chosen: Path | None) -> Path:
    """Return the directory that was chosen; by default $XDG_DATA_HOME/inos/wallets or ~/.local/share/inos/wallets."""
    return opening.get_default_folder() if chosen is None else chosen.expanduser()


def read_secret_file(path: Path, what: str, *, are_blanks_meant: bool = True) -> str:
    """Return the secret in a file; warn if other users may read the file.

    Args:
        what: what the file holds, for messages.
        are_blanks_meant: a blank at either end might belong to it.

    Raises:
        SecretFileError: for the same reasons as `read_secret_text`.
    """
    if is_open_to_others(path):
        print_warning(f"other users of this machine can read {path}; restrict it with: chmod 600 {path}")
    return read_secret_text(path, what, are_blanks_meant=are_blanks_meant)


def read_password(file: Path | None, *, confirm: bool) -> str:
    """Return the password from a file, or ask for it on stderr; ask twice with `confirm`."""
    if file is not None:
        return read_secret_file(file, "password")
    return ask_secret("Password", confirm=confirm)


def ask_secret(what: str, *, confirm: bool) -> str:
    """Ask for a secret on stderr; ask twice with `confirm`, and then whether a blank at an end is meant.

    Raises:
        CommandError: "not-confirmed".
    """
    text = str(typer.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True))
    if confirm and has_blanks(text):
        print_text(
            f"It begins or ends with a blank. Is the blank part of the {what.lower()}? [y/N] ", end="", file=sys.stderr
        )
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            fail("not-confirmed", "nothing was written", "type it again without the blank")
    return text


class OpenWallet(Struct, frozen=True):
    """A wallet on disk and one of its addresses; the wallet is unlocked only when its key is needed.

    Args:
        data: the keystore's bytes; empty for an account that is watched.
        unsigned: transactions are written to this file in place of being signed.
    """

    path: Path
    data: bytes
    index: int
    network: Network
    password_file: Path | None
    watched: Watched | None = None
    unsigned: Path | None = None

    def get_address(self) -> Address:
        """Return the wallet's address; number 0 is in the file, and any other needs the password."""
        if self.watched is not None:
            return self.watched.address
        if self.index > 0:
            return self.unlock().address
        info = keystore.read_info(self.data)
        return addresses.decode_address(info.hrp, info.address)

    def unlock(self) -> Key:
        """Return the key of the wallet's address.

        Raises:
            WalletError: for the same reasons as `keystore.decode_keystore`; "keystore-damaged", "no-key-here".
        """
        if self.watched is not None:
            raise WalletError(
                "no-key-here",
                f"wallet {self.path.name.removesuffix(store.SUFFIX)} watches an account, and its key is elsewhere",
                hint="give a wallet with a key: inos wallet list",
            )
        password = read_password(self.password_file, confirm=False)
        return opening.unlock_keystore(self.path, self.data, password, self.index)

    def open_signer(self) -> Signer:
        """Return what signs for the wallet's address; for a key here, the password is read.

        Raises:
            WalletError: as `unlock`.
        """
        if self.unsigned is not None:
            owner = self.get_address() if self.watched is None else self.watched.owner
            return ElsewhereSigner(owner, self.network.name)
        return make_signer(self.unlock()) if self.watched is None else open_watched(self.watched)


def open_wallet(
    directory: Path | None,
    name: str,
    network: Network,
    *,
    index: int = 0,
    password_file: Path | None = None,
    unsigned: Path | None = None,
) -> OpenWallet:
    """Return a wallet by its name, still locked.

    Raises:
        WalletError: "keystore-missing", "watch-damaged"; "bad-index" for another address of a watched account than
            its only one.
    """
    path = store.get_path(get_wallet_dir(directory), name)
    watched = find_watched(path)
    if watched is None:
        return OpenWallet(path, store.read_keystore(path), index, network, password_file, None, unsigned)
    if index:
        raise WalletError(
            "bad-index",
            f"wallet {name} watches one account, so it has no address number {index}",
            hint="leave --index away",
        )
    return OpenWallet(path, b"", 0, network, password_file, watched, unsigned)


def get_public_key(signer: Signer, wallet: str) -> PublicKey:
    """Return the one key that a wallet signs with.

    Raises:
        CommandError: "no-key-here".
    """
    owner = signer.owner
    if not isinstance(owner, bytes) or len(owner) != PUBLIC_KEY_BYTES:
        fail("no-key-here", f"wallet {wallet} has no single public key", "give a wallet with a key: inos wallet list")
    return PublicKey(owner)


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
    print_text(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        fail("not-confirmed", "nothing was sent")
