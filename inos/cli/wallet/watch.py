"""`inos wallet watch`, `multisig`, `connect`: accounts whose keys are elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.options import DEFAULT_NETWORK, JsonOption, NetworkOption, WalletDirOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.wallets import get_wallet_dir
from inos.client.signing_process import ask_key
from inos.genesis import Network, load_network
from inos.primitives.multisig import MAX_KEYS
from inos.wallet import store, watching
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.watching import Watched, encode_watched

KEY_DIGITS = 64
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The wallet's name on this machine.")]


def watch(
    name: NameArgument,
    account: Annotated[
        str, typer.Argument(metavar="ADDRESS|KEY", help="An address, or a public key of 64 hex digits.")
    ],
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    json_: JsonOption = False,
) -> None:
    """Watch an account by its address or public key: balance, history, and transactions for others to sign."""
    net = load_network(network)
    owner = read_key(account) if len(account) == KEY_DIGITS else bytes(decode_address(net.hrp, account))
    _add(net, wallet_dir, name, Watched(net.name, net.hrp, owner), as_json=json_)


def multisig(
    name: NameArgument,
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="Public keys of 64 hex digits, as `inos wallet public-key` prints them."),
    ],
    threshold: Annotated[
        int, typer.Option("--threshold", "-k", min=1, max=MAX_KEYS, metavar="K", help="How many of the keys must sign.")
    ],
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    json_: JsonOption = False,
) -> None:
    """Make an account of several keys, of which K sign each transaction.

    Each signer makes it from the same keys, in any order, and compares the address with the others. The chain learns of
    it when it is paid.
    """
    net = load_network(network)
    owner = watching.make_multisig(threshold, [read_key(key) for key in keys])
    _add(net, wallet_dir, name, Watched(net.name, net.hrp, owner), as_json=json_)


def connect(
    name: NameArgument,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="Starts the process that signs; write -- before it.")
    ],
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    json_: JsonOption = False,
) -> None:
    """Use a key that another process holds, such as a hardware device's driver (docs/wallet.md).

    The process is asked for its public key now, and for each signature later.
    """
    net = load_network(network)
    key = ask_key(command, net.name)
    _add(net, wallet_dir, name, Watched(net.name, net.hrp, key, tuple(command)), as_json=json_)


def read_key(text: str) -> bytes:
    """Return a public key of 64 hex digits.

    Raises:
        CommandError: "bad-public-key".
    """
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_DIGITS // 2:
        fail("bad-public-key", f"{text[:80]!r} is no public key of {KEY_DIGITS} hex digits", "inos wallet public-key")
    return key


def _add(net: Network, wallet_dir: Path | None, name: str, watched: Watched, *, as_json: bool) -> None:
    path = watching.get_path(get_wallet_dir(wallet_dir), name)
    store.write_keystore(path, encode_watched(watched))
    address = encode_address(net.hrp, watched.address)
    if as_json:
        print_json({"wallet": name, "file": str(path), "network": net.name, "address": address})
    else:
        print_text(f"wallet  {path}\naddress {address}")
