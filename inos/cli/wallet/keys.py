"""`inos wallet create`, `restore`, `scan`, `list`, `address`: wallets on this machine, and their used addresses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from inos.cli.common import wallets
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    QrOption,
    RpcOption,
    WalletDirOption,
    WalletOption,
)
from inos.cli.common.output import print_json, print_text, print_warning
from inos.cli.common.qr import draw_qr
from inos.genesis import Network, load_network
from inos.primitives.errors import InosError
from inos.primitives.multisig import Multisig
from inos.primitives.units import format_credits
from inos.wallet import keystore, phrase, store, watching
from inos.wallet.addresses import encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keys import format_path
from inos.wallet.opening import derive_from
from inos.wallet.used import GAP, MAX_SEARCHED, add_used, find_used, read_used

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace an existing wallet; the old file is kept beside the new one.")
]
PassphraseOption = Annotated[bool, typer.Option("--passphrase", help="Ask for a BIP-39 passphrase as well.")]
PassphraseFileOption = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Read the BIP-39 passphrase from a file.")
]


def create(
    wallet: WalletOption = DEFAULT_WALLET,
    words: Annotated[
        int, typer.Option("--words", metavar="12|24", help="The number of words of the recovery phrase.")
    ] = 24,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    passphrase: PassphraseOption = False,
    passphrase_file: PassphraseFileOption = None,
    force: ForceOption = False,
    json_: JsonOption = False,
) -> None:
    """Make a new wallet and show its recovery phrase, once."""
    net = load_network(network)
    path = store.get_path(wallets.get_wallet_dir(wallet_dir), wallet)
    store.check_free(path, force=force)
    secret = keystore.Secret(phrase.make_phrase(words), _read_passphrase(passphrase, passphrase_file))
    shown = store_wallet(net, path, secret, password_file, force=force)
    if json_:
        print_json(shown | {"phrase": secret.phrase})
        return
    print_text("Recovery phrase. Write it down and keep it off this machine; it is not shown again:\n")
    parts = secret.phrase.split()
    for row in range(0, len(parts), 4):
        print_text(
            "  " + "".join(f"{row + i + 1:>3}. {word:<10}" for i, word in enumerate(parts[row : row + 4])).rstrip()
        )
    if secret.passphrase:
        print_text("\nThe BIP-39 passphrase is needed in addition to it.")
    print_text(f"\nwallet  {path}\naddress {shown['address']}")


def restore(
    wallet: WalletOption = DEFAULT_WALLET,
    phrase_file: Annotated[
        Path | None, typer.Option("--phrase-file", metavar="FILE", help="Read the recovery phrase from a file.")
    ] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    passphrase: PassphraseOption = False,
    passphrase_file: PassphraseFileOption = None,
    force: ForceOption = False,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Make a wallet from a recovery phrase, and look on the chain for the addresses of it that were used.

    Without a node the wallet is made all the same; `inos wallet scan` looks later.
    """
    net = load_network(network)
    path = store.get_path(wallets.get_wallet_dir(wallet_dir), wallet)
    store.check_free(path, force=force)
    if phrase_file is not None:
        text = wallets.read_secret_file(phrase_file, "recovery phrase", are_blanks_meant=False)
    else:
        text = str(typer.prompt("Recovery phrase", hide_input=True, err=True))
    secret = keystore.Secret(phrase.check_phrase(text), _read_passphrase(passphrase, passphrase_file))
    shown = store_wallet(net, path, secret, password_file, force=force)
    used: list[dict[str, Any]] | None = None
    trouble = ""
    try:
        used = _scan(net, path, secret, rpc)
    except InosError as error:
        trouble = error.message
    if json_:
        print_json(shown | {"used": used})
        return
    print_text(f"wallet  {path}\naddress {shown['address']}")
    if used is None:
        print_text(f"its other addresses were not looked for: {trouble}\n  later: inos wallet scan --wallet {wallet}")
    else:
        _print_used(used)


def scan(
    wallet: WalletOption = DEFAULT_WALLET,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Look on the chain for the addresses of a wallet that were used, up to 20 unused ones in a row."""
    net = load_network(network)
    opened = wallets.open_wallet(wallet_dir, wallet, net, password_file=password_file)
    opened.get_address()
    password = wallets.read_password(password_file, confirm=False)
    used = _scan(net, opened.path, keystore.decode_keystore(opened.data, password), rpc)
    if json_:
        print_json({"wallet": wallet, "used": used})
    else:
        _print_used(used)


def _scan(net: Network, path: Path, secret: keystore.Secret | keystore.RawKey, rpc: str) -> list[dict[str, Any]]:
    """Find used addresses, remember them beside the keystore, and return them with their balances."""
    wallets.require_same_network(rpc, net)
    accounts: dict[str, dict[str, Any]] = {}

    def get_address(index: int) -> str:
        return encode_address(net.hrp, derive_from(secret, index).address)

    def is_used(address: str) -> bool:
        account = accounts[address] = wallets.get_account(rpc, address)
        return bool(account["nonce"] or int(account["balance"]) or int(account.get("bonded") or 0))

    found = find_used(get_address, is_used, 0 if isinstance(secret, keystore.RawKey) else MAX_SEARCHED)
    _remember(path, net.hrp, found)
    return [
        {"index": index, "address": address, "balance": accounts[address]["balance"]}
        for index, address in found.items()
    ]


def _remember(path: Path, hrp: str, found: dict[int, str]) -> None:
    """Remember addresses beside the keystore; where that cannot be written, they are shown all the same."""
    try:
        add_used(path, hrp, found)
    except WalletError as error:
        print_warning(f"{error.message}: `balance` and `history` will not know these addresses")


def _print_used(used: list[dict[str, Any]]) -> None:
    if not used:
        print_text(f"none of its first {GAP} addresses was used yet")
    for each in used:
        print_text(f"used    {each['index']:>3}  {each['address']}  {format_credits(int(each['balance']))} credits")


def list_wallets(wallet_dir: WalletDirOption = None, json_: JsonOption = False) -> None:
    """List the wallets on this machine, with their addresses that were shown or found used; no password is needed."""
    directory = wallets.get_wallet_dir(wallet_dir)
    rows: list[dict[str, Any]] = []
    for name in store.list_names(directory):
        try:
            path = store.get_path(directory, name)
            info = keystore.read_info(store.read_keystore(path))
            others = [{"index": n, "address": text} for n, text in read_used(path, info.hrp).items()]
            rows.append({"wallet": name, "network": info.network, "address": info.address, "other_addresses": others})
        except WalletError as error:
            rows.append({"wallet": name, "error": {"code": error.code, "message": error.message}})
    rows += _list_watched(directory)
    if json_:
        print_json({"directory": str(directory), "wallets": rows})
    elif not rows:
        print_text(f"no wallets in {directory}; make one with: inos wallet create")
    else:
        for row in rows:
            signers = f"  {row['signed_by']}" if "signed_by" in row else ""
            shown = row["address"] + signers if "address" in row else "error: " + row["error"]["message"]
            print_text(f"{row['wallet']:<16} {shown}")
            for other in row.get("other_addresses", ()):
                print_text(f"{'':<8}{other['index']:>7}  {other['address']}")


def _list_watched(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the accounts whose keys are elsewhere, as `list` shows them."""
    for name in watching.list_names(directory):
        try:
            watched = watching.decode_watched(store.read_keystore(watching.get_path(directory, name)))
        except WalletError as error:
            yield {"wallet": name, "error": {"code": error.code, "message": error.message}}
            continue
        owner = watched.owner
        signers = f"{owner.threshold} of {len(owner.keys)} keys" if isinstance(owner, Multisig) else "a key elsewhere"
        address = encode_address(watched.hrp, watched.address)
        yield {"wallet": name, "network": watched.network, "address": address, "signed_by": signers}


def address(
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    qr: QrOption = False,
    json_: JsonOption = False,
) -> None:
    """Show an address of a wallet; the first one needs no password."""
    net = load_network(network)
    opened = wallets.open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    text = encode_address(net.hrp, opened.get_address())
    _remember(opened.path, net.hrp, {index: text})
    if json_:
        print_json({"wallet": wallet, "network": net.name, "path": format_path(index=index), "address": text})
    else:
        print_text(text if not qr else f"{text}\n{draw_qr(text.upper())}")


def _read_passphrase(ask: bool, file: Path | None) -> str:
    if file is not None:
        return wallets.read_secret_file(file, "passphrase")
    return wallets.ask_secret("BIP-39 passphrase", confirm=True) if ask else ""


def store_wallet(
    net: Network, path: Path, secret: keystore.Secret | keystore.RawKey, password_file: Path | None, *, force: bool
) -> dict[str, Any]:
    """Encrypt and write a wallet; return what is shown of it."""
    password = wallets.read_password(password_file, confirm=True)
    key = derive_from(secret, 0)
    info = keystore.KeystoreInfo(network=net.name, hrp=net.hrp, address=encode_address(net.hrp, key.address))
    data = keystore.encode_keystore(secret, password, info, wallets.SCRYPT_COST)
    backup = store.write_keystore(path, data, force=force)
    if backup is not None:
        print_warning(f"the wallet that was there before is kept as {backup}")
    name = path.name.removesuffix(store.SUFFIX)
    shown = {"wallet": name, "file": str(path), "network": net.name, "address": info.address}
    return shown | ({"path": format_path()} if isinstance(secret, keystore.Secret) else {})
