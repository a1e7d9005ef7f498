"""`inos wallet`: create, restore, list, address, balance, send, transaction, history, sign, broadcast, vote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common import wallets as _wallets
from inos.cli.common.output import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    CommandError,
    JsonOption,
    NetworkOption,
    RpcOption,
    call_rpc,
    fail,
    print_json,
    print_warning,
)
from inos.cli.common.transaction_status import describe_found, describe_status, get_head, list_pending
from inos.cli.common.transactions import (
    NONCE_RACES,
    NONCE_TRIES,
    describe_transaction,
    estimate_fee,
    print_transaction,
    read_transaction,
    send_transaction,
    wait_included,
)
from inos.cli.common.wallets import (
    IndexOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    get_wallet_dir,
    open_wallet,
    parse_amount,
    read_password,
    read_secret_file,
)
from inos.cli.wallet import vote as _voting
from inos.genesis import Network, load_network
from inos.primitives.units import format_credits
from inos.wallet import build, keystore, phrase, store
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError
from inos.wallet.keys import derive_key, format_path

DEFAULT_WALLET: Final = "default"

app = typer.Typer(no_args_is_help=True, add_completion=False)

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace an existing wallet; the old file is kept beside it.")
]
PassphraseOption = Annotated[bool, typer.Option("--passphrase", help="Ask for a BIP-39 passphrase, too.")]
PassphraseFileOption = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Read the BIP-39 passphrase from a file.")
]
FeeOption = Annotated[
    str | None, typer.Option("--fee", metavar="CREDITS", help="The fee; the node's estimate without.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before sending.")]


@app.callback()
def _wallet() -> None:
    """Create and restore wallets, see balances, send credits. Keys never leave this machine."""


@app.command()
def create(
    wallet: WalletOption = DEFAULT_WALLET,
    words: Annotated[int, typer.Option("--words", help="12 or 24.")] = 24,
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
    path = store.get_path(get_wallet_dir(wallet_dir), wallet)
    store.check_free(path, force=force)
    secret = keystore.Secret(phrase.make_phrase(words), _read_passphrase(passphrase, passphrase_file))
    shown = _store_wallet(net, path, secret, password_file, force=force)
    if json_:
        print_json(shown | {"phrase": secret.phrase})
        return
    print("Recovery phrase. Write it down and keep it off this machine; it is not shown again:\n")
    parts = secret.phrase.split()
    for row in range(0, len(parts), 4):
        print("  " + "".join(f"{row + i + 1:>3}. {word:<10}" for i, word in enumerate(parts[row : row + 4])).rstrip())
    if secret.passphrase:
        print("\nIts BIP-39 passphrase is needed beside it.")
    print(f"\nwallet  {path}\naddress {shown['address']}")


@app.command()
def restore(
    wallet: WalletOption = DEFAULT_WALLET,
    phrase_file: Annotated[
        Path | None, typer.Option("--phrase-file", metavar="FILE", help="Read it from a file.")
    ] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    passphrase: PassphraseOption = False,
    passphrase_file: PassphraseFileOption = None,
    force: ForceOption = False,
    json_: JsonOption = False,
) -> None:
    """Make a wallet from a recovery phrase."""
    net = load_network(network)
    path = store.get_path(get_wallet_dir(wallet_dir), wallet)
    store.check_free(path, force=force)
    if phrase_file is not None:
        text = read_secret_file(phrase_file, "recovery phrase")
    else:
        text = str(typer.prompt("Recovery phrase", hide_input=True, err=True))
    secret = keystore.Secret(phrase.check_phrase(text), _read_passphrase(passphrase, passphrase_file))
    shown = _store_wallet(net, path, secret, password_file, force=force)
    if json_:
        print_json(shown)
    else:
        print(f"wallet  {path}\naddress {shown['address']}")


@app.command("list")
def list_(wallet_dir: WalletDirOption = None, json_: JsonOption = False) -> None:
    """Show the wallets on this machine; needs no password."""
    directory = get_wallet_dir(wallet_dir)
    rows: list[dict[str, Any]] = []
    for name in store.list_names(directory):
        try:
            info = keystore.read_info(store.read_keystore(store.get_path(directory, name)))
            rows.append({"wallet": name, "network": info.network, "address": info.address})
        except WalletError as error:
            rows.append({"wallet": name, "error": {"code": error.code, "message": error.message}})
    if json_:
        print_json({"directory": str(directory), "wallets": rows})
    elif not rows:
        print(f"no wallets in {directory}; make one with: inos wallet create")
    else:
        for row in rows:
            print(f"{row['wallet']:<16} {row['address'] if 'address' in row else 'error: ' + row['error']['message']}")


@app.command()
def address(
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Show an address of a wallet; the first needs no password."""
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    text = encode_address(net.hrp, opened.get_address())
    if json_:
        print_json({"wallet": wallet, "network": net.name, "path": format_path(index=index), "address": text})
    else:
        print(text)


WhoArgument = Annotated[str | None, typer.Argument(metavar="[ADDRESS|WALLET]", help="Whose; --wallet without.")]


@app.command()
def balance(
    who: WhoArgument = None,
    wallet: WalletOption = DEFAULT_WALLET,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show what an account owns, has locked, and has earned by work."""
    net = load_network(network)
    text = _resolve(who, wallet, net, wallet_dir)
    _wallets.warn_other_network(rpc, net)
    account = _wallets.get_account(rpc, text)
    if json_:
        print_json(account)
        return
    print(f"{format_credits(int(account['balance']))} credits")
    if int(account.get("bonded") or 0):
        print(f"bonded     {format_credits(int(account['bonded']))} credits")
    if int(account.get("reputation") or 0):
        print(f"reputation {format_credits(int(account['reputation']))} credits burned by jobs it settled")


@app.command()
def history(
    who: WhoArgument = None,
    wallet: WalletOption = DEFAULT_WALLET,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many entries.")] = 20,
    before: Annotated[str | None, typer.Option("--before", metavar="NEXT", help="Go on where a page ended.")] = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show what moved on an account and why, the newest first: balance, then what is bonded."""
    net = load_network(network)
    text = _resolve(who, wallet, net, wallet_dir)
    _wallets.warn_other_network(rpc, net)
    page = call_rpc(rpc, "state_getHistory", {"address": text, "limit": limit} | ({"before": before} if before else {}))
    head = get_head(rpc)
    entries = page["entries"] if isinstance(page, dict) and isinstance(page.get("entries"), list) else []
    for entry in entries:
        entry["status"] = describe_status(int(entry["height"]), head)
    pending = [] if before else list_pending(rpc, text)
    if json_:
        print_json(page | {"pending": pending})
        return
    if not entries and not pending:
        print("no transactions yet")
    for waiting in pending:
        print(f"{'pending':>8}  {waiting['kind']:<20} {'':>16} {'':>16}  {waiting['id']}")
    for entry in entries:
        print("\n".join(_describe_entry(entry)))
    if isinstance(page, dict) and page.get("next") is not None:
        print(f"more with: --before {page['next']}")


def _describe_entry(entry: dict[str, Any]) -> Iterator[str]:
    """A line for each movement; one for an entry without any, which only concerns the account."""
    nothing = {"reason": entry.get("kind", ""), "balance": 0, "bonded": 0}
    for movement in entry.get("movements") or [nothing]:
        balance, bonded = (_describe_change(int(movement.get(name) or 0)) for name in ("balance", "bonded"))
        reason, other = str(movement.get("reason", "")).replace("_", " "), movement.get("counterparty") or ""
        yield (
            f"{entry.get('height', ''):>8}  {reason:<20} {balance:>16} {bonded:>16}  "
            f"{other}  {entry.get('id', '')}  {entry['status']}"
        )


def _describe_change(nano: int) -> str:
    return f"{'+' if nano > 0 else ''}{format_credits(nano)}" if nano else ""


@app.command()
def transaction(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `send` printed it: 64 hex digits.")],
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Say how settled a transaction is: pending, included with its depth, or final, which is never undone."""
    found = call_rpc(rpc, "chain_getTransaction", {"id": id_})
    if not isinstance(found, dict):
        fail("bad-response", f"the node at {rpc} described the transaction in a way this program does not know")
    if json_:
        print_json(found)
        return
    place = f"  block {found['height']}" if found.get("height") is not None else ""
    print(f"{describe_found(found)}{place}")


for _command in (_voting.vote, _voting.unvote, _voting.withdraw):
    app.command()(_command)


@app.command()
def send(
    to: Annotated[str, typer.Argument(metavar="TO", help="The receiver's address.")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Credits, e.g. 1.5.")],
    fee: FeeOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until a block has it, ten minutes at most.")] = False,
    json_: JsonOption = False,
) -> None:
    """Send credits. Everything is checked before the password is asked and before anything is signed."""
    net = load_network(network)
    payload = build.make_transfer(net.hrp, to, parse_amount(amount, "the amount"))
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    _wallets.require_same_network(rpc, net)
    paid = estimate_fee(rpc) if fee is None else parse_amount(fee, "the fee")
    key = opened.unlock() if index > 0 else None
    sender = opened.get_address() if key is None else key.address
    account = _wallets.to_view(_wallets.get_account(rpc, encode_address(net.hrp, sender)))
    build.check_affordable(payload, paid, account)
    question = f"Send {format_credits(payload.amount)} credits to {to} for a fee of {format_credits(paid)}?"
    _wallets.confirm_or_stop(question, yes=yes)
    key = key or opened.unlock()
    for tries_left in reversed(range(NONCE_TRIES)):
        tx = build.build_transaction(key, net.params.chain_id, account, payload, paid)
        try:
            send_transaction(rpc, tx)
            break
        except CommandError as error:
            if error.code not in NONCE_RACES or not tries_left:
                raise
        # Somebody else spends from this account, and was faster: the next number is another one now.
        account = _wallets.to_view(_wallets.get_account(rpc, encode_address(net.hrp, sender)))
        build.check_affordable(payload, paid, account)
    print_transaction(net, tx, as_json=json_, height=wait_included(rpc, tx) if wait else None)


@app.command()
def sign(
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="The receiver's address.")],
    amount: Annotated[str, typer.Option("--amount", metavar="CREDITS", help="Credits, e.g. 1.5.")],
    nonce: Annotated[
        int, typer.Option("--nonce", min=0, help="The account's next nonce, as `balance --json` shows it.")
    ],
    fee: Annotated[str, typer.Option("--fee", metavar="CREDITS", help="The fee in credits.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    json_: JsonOption = False,
) -> None:
    """Sign a transfer offline, to be sent later with `broadcast`. No node is asked: the balance is not checked."""
    net = load_network(network)
    payload = build.make_transfer(net.hrp, to, parse_amount(amount, "the amount"))
    paid = parse_amount(fee, "the fee")
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    tx = build.sign_payload(opened.unlock(), net.params.chain_id, nonce, paid, payload)
    document = describe_transaction(net, tx)
    if output is not None:
        try:
            output.expanduser().write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        except OSError as error:
            fail("file-unwritable", f"cannot write {output}: {error.strerror}")
    if json_:
        print_json(document)
    elif output is not None:
        print(f"{document['id']}\nsigned and written to {output}; send it with: inos wallet broadcast {output}")
    else:
        print(f"id  {document['id']}\nhex {document['hex']}")


@app.command()
def broadcast(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sign` wrote, or the transaction's hex.")],
    network: NetworkOption = DEFAULT_NETWORK,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Send a transaction that was signed before."""
    net = load_network(network)
    tx = read_transaction(file)
    if tx.chain_id != net.params.chain_id:
        fail(
            "other-network",
            f"{file} was signed for chain {tx.chain_id}, {net.name} is chain {net.params.chain_id}",
            "give the network it was signed for with --network",
        )
    _wallets.require_same_network(rpc, net)
    send_transaction(rpc, tx)
    print_transaction(net, tx, as_json=json_)


def _read_passphrase(ask: bool, file: Path | None) -> str:
    if file is not None:
        return read_secret_file(file, "passphrase")
    return str(typer.prompt("BIP-39 passphrase", hide_input=True, confirmation_prompt=True, err=True)) if ask else ""


def _store_wallet(
    net: Network, path: Path, secret: keystore.Secret, password_file: Path | None, *, force: bool
) -> dict[str, Any]:
    """Encrypt and write; what is shown of the new wallet."""
    password = read_password(password_file, confirm=True)
    key = derive_key(secret.phrase, passphrase=secret.passphrase)
    info = keystore.KeystoreInfo(network=net.name, hrp=net.hrp, address=encode_address(net.hrp, key.address))
    data = keystore.encode_keystore(secret, password, info, _wallets.SCRYPT_COST)
    backup = store.write_keystore(path, data, force=force)
    if backup is not None:
        print_warning(f"the wallet that was there is kept as {backup}")
    name = path.name.removesuffix(store.SUFFIX)
    return {"wallet": name, "file": str(path), "network": net.name, "path": format_path(), "address": info.address}


def _resolve(who: str | None, wallet: str, net: Network, wallet_dir: Path | None) -> str:
    """The address meant: a wallet's name, an address, or the wallet chosen by option."""
    directory = get_wallet_dir(wallet_dir)
    if who is not None and who not in store.list_names(directory):
        return encode_address(net.hrp, decode_address(net.hrp, who))
    opened = open_wallet(wallet_dir, wallet if who is None else who, net)
    return encode_address(net.hrp, opened.get_address())
