"""`inos wallet balance`, `history`, `transaction`: an account on the chain, as a node shows it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from inos.cli.common import wallets
from inos.cli.common.ids import find_id
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    WalletDirOption,
    WalletOption,
)
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.remote import call_rpc
from inos.cli.common.transaction_status import describe_found, describe_status, get_head, list_pending
from inos.genesis import Network, load_network
from inos.primitives.units import format_credits
from inos.wallet import store, watching
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.reasons import describe_reason
from inos.wallet.used import read_used

AddressOption = Annotated[
    int | None,
    typer.Option("--index", min=0, metavar="N", help="One of the wallet's addresses. Default: all that were used."),
]
AccountArgument = Annotated[
    str | None,
    typer.Argument(metavar="[ADDRESS|WALLET]", help="An address or a wallet's name. Default: the wallet of --wallet."),
]


def balance(
    account: AccountArgument = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: AddressOption = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show an account's credits, bonds and reputation; of a wallet, the credits of all its addresses that were used."""
    net = load_network(network)
    text, others = _resolve(account, wallet, net, wallet_dir, index, password_file)
    wallets.warn_other_network(rpc, net)
    found = wallets.get_account(rpc, text)
    more = {number: wallets.get_account(rpc, address)["balance"] for number, address in others.items()}
    total = int(found["balance"]) + sum(map(int, more.values()))
    if json_:
        listed = [{"index": n, "address": others[n], "balance": balance} for n, balance in more.items()]
        print_json(found | ({"total": str(total), "other_addresses": listed} if listed else {}))
        return
    print_text(f"{format_credits(total)} credits{f' on {1 + len(more)} addresses' if more else ''}")
    for number, part, address in ((0, found["balance"], text), *((n, more[n], others[n]) for n in more)):
        if more:
            print_text(f"  {number:>3}  {address}  {format_credits(int(part))}")
    if int(found.get("bonded") or 0):
        print_text(f"bonded     {format_credits(int(found['bonded']))} credits")
    if int(found.get("reputation") or 0):
        print_text(f"reputation {format_credits(int(found['reputation']))} credits burned by jobs it settled")


def history(
    account: AccountArgument = None,
    wallet: WalletOption = DEFAULT_WALLET,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, metavar="N", help="Show at most this many entries.")
    ] = 20,
    before: Annotated[
        str | None, typer.Option("--before", metavar="NEXT", help="Continue behind the page that printed NEXT.")
    ] = None,
    index: AddressOption = None,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show what moved on an account and why, newest first: the change of the balance, then that of the bonds.

    A wallet's addresses that were used are shown together, each line with the number of its address.
    """
    net = load_network(network)
    text, others = _resolve(account, wallet, net, wallet_dir, index, password_file)
    wallets.warn_other_network(rpc, net)
    numbers = {address: number for number, address in others.items()} | {text: index or 0}
    page = _read_history(rpc, list(numbers), limit, before)
    head = get_head(rpc)
    for entry in page["entries"]:
        entry["status"] = describe_status(int(entry["height"]), head)
    pending = [] if before else list_pending(rpc, set(numbers))
    if json_:
        print_json(page | {"pending": pending})
        return
    if not page["entries"] and not pending:
        print_text("no transactions yet")
    for waiting in pending:
        number = f"{numbers[waiting['sender']]:>3} " if others else ""
        print_text(f"{number}{'pending':>8}  {waiting['kind']:<28} {'':>16} {'':>16}  {waiting['id']}")
    for entry in page["entries"]:
        number = f"{numbers[entry['address']]:>3} " if others else ""
        print_text("\n".join(number + line for line in _describe_entry(entry)))
    if page.get("next") is not None:
        print_text(f"more with: --before {page['next']}")


def _read_history(rpc: str, addresses: list[str], limit: int, before: str | None) -> dict[str, Any]:
    """Return one page of the history of several accounts, newest first, with the account's `address` in each entry.

    Every account's newest entries are read, so a merged page holds the newest of all, and `next` is the place in the
    chain where it ends.
    """
    entries: list[dict[str, Any]] = []
    is_more = False
    for address in addresses:
        asked = {"address": address, "limit": limit} | ({"before": before} if before else {})
        page = call_rpc(rpc, "state_getHistory", asked)
        try:
            entries += [{"address": address, "place": 0} | entry for entry in page["entries"]]
            is_more |= page["next"] is not None
            entries.sort(key=lambda entry: (int(entry["height"]), int(entry["place"])), reverse=True)
        except (KeyError, TypeError, ValueError):
            fail("bad-response", f"the node at {rpc} described the history in a way that this program does not know")
        if len(addresses) == 1:
            return {"entries": entries, "next": page["next"]}
    is_more |= len(entries) > limit
    shown = _end_at_a_place(entries, limit)
    return {"entries": shown, "next": f"{shown[-1]['height']}-{shown[-1]['place']}" if shown and is_more else None}


def _end_at_a_place(entries: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Return the first `limit` entries, and those behind them at the same place: one transfer may move two accounts."""
    if len(entries) <= limit:
        return entries
    last = (entries[limit - 1]["height"], entries[limit - 1]["place"])
    return entries[:limit] + [e for e in entries[limit:] if (e["height"], e["place"]) == last]


def _describe_entry(entry: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each movement; a single one for an entry without movements, which only concerns the account."""
    nothing = {"reason": entry.get("kind", ""), "balance": 0, "bonded": 0}
    for movement in entry.get("movements") or [nothing]:
        balance, bonded = (_describe_change(int(movement.get(name) or 0)) for name in ("balance", "bonded"))
        reason, other = describe_reason(str(movement.get("reason", ""))), movement.get("counterparty") or ""
        yield (
            f"{entry.get('height', ''):>8}  {reason:<28} {balance:>16} {bonded:>16}  "
            f"{other}  {entry.get('id', '')}  {entry['status']}"
        )


def _describe_change(nano: int) -> str:
    return f"{'+' if nano > 0 else ''}{format_credits(nano)}" if nano else ""


def transaction(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id that `send` printed, or its first digits.")],
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show whether a transaction is pending, included (with its depth), or final, which is never undone."""
    found = call_rpc(rpc, "chain_getTransaction", {"id": find_id(rpc, id_, "transaction")})
    if not isinstance(found, dict):
        fail("bad-response", f"the node at {rpc} described the transaction in a way that this program does not know")
    if json_:
        print_json(found)
        return
    block = f"  block {found['height']}" if found.get("height") is not None else ""
    print_text(f"{describe_found(found)}{block}")


def _resolve(
    account: str | None,
    wallet: str,
    net: Network,
    wallet_dir: Path | None,
    index: int | None,
    password_file: Path | None,
) -> tuple[str, dict[int, str]]:
    """Return the address that is meant, and a wallet's other used ones by number, unless one was chosen by --index.

    Args:
        account: a wallet's name or an address; None for the wallet of --wallet.
    """
    directory = wallets.get_wallet_dir(wallet_dir)
    if account is not None and account not in {*store.list_names(directory), *watching.list_names(directory)}:
        if index is not None:
            fail("bad-setting", "--index chooses one of a wallet's addresses, and an address was given")
        return encode_address(net.hrp, decode_address(net.hrp, account)), {}
    name = wallet if account is None else account
    opened = wallets.open_wallet(wallet_dir, name, net, index=index or 0, password_file=password_file)
    others = read_used(opened.path, net.hrp) if index is None else {}
    return encode_address(net.hrp, opened.get_address()), others
