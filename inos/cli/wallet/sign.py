"""`inos wallet sign`, `combine`, `broadcast`: transactions signed offline or by several people, and sent later."""

import json
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.drafts import describe_draft, list_lines, print_draft, read_text, write_draft
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.transactions import (
    describe_transaction,
    print_transaction,
    read_transaction,
    send_signed,
    wait_included,
)
from inos.cli.common.wallets import (
    OpenWallet,
    confirm_or_stop,
    get_public_key,
    open_wallet,
    parse_amount,
    require_same_network,
)
from inos.genesis import Network, load_network
from inos.wallet import build
from inos.wallet.drafts import Draft, decode_draft, merge_drafts

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write the transaction to.")
]


def sign(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="What --unsigned wrote. Without it, a transfer is made of the options."),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="The receiver's address.")] = None,
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="CREDITS", help="The amount in credits, such as 1.5.")
    ] = None,
    nonce: Annotated[
        int | None,
        typer.Option("--nonce", min=0, metavar="N", help="The account's next nonce, as `balance --json` shows it."),
    ] = None,
    fee: Annotated[str | None, typer.Option("--fee", metavar="CREDITS", help="The fee in credits.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show what FILE does and who signed it, and sign nothing.")
    ] = False,
    output: OutputOption = None,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Sign offline: a transaction that --unsigned wrote to FILE, or a transfer. No node is asked.

    The signed transaction is sent later with `broadcast`. The signature is added to FILE, unless -o names another one.
    """
    net = load_network(network)
    given = (to, amount, nonce, fee)
    if file is None:
        if to is None or amount is None or nonce is None or fee is None:
            raise typer.BadParameter("give a FILE, or all of --to, --amount, --nonce and --fee")
        opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
        _sign_transfer(net, opened, (to, amount, nonce, fee), output, as_json=json_)
        return
    if any(each is not None for each in given):
        raise typer.BadParameter("FILE says what is paid: leave --to, --amount, --nonce and --fee away")
    draft = read_draft(file, net)
    if show:
        _show(net, draft, as_json=json_)
        return
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    if not (yes or json_):
        print_text("\n".join(list_lines(describe_draft(net, draft))))
    confirm_or_stop("Sign this?", yes=yes or json_)
    signer = opened.open_signer()
    signed, target = draft.sign(get_public_key(signer, wallet), signer.sign), output or file
    write_draft(target, net, signed)
    print_draft(net, signed, target, as_json=json_)


def combine(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One transaction, signed side by side.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write it to.")],
    network: NetworkOption = DEFAULT_NETWORK,
    json_: JsonOption = False,
) -> None:
    """Put the signatures together that several people made of one transaction, each on a copy of its file."""
    net = load_network(network)
    merged = merge_drafts([read_draft(file, net) for file in files])
    write_draft(output, net, merged)
    print_draft(net, merged, output, as_json=json_)


def broadcast(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sign` wrote, or the transaction's hex.")],
    network: NetworkOption = DEFAULT_NETWORK,
    rpc: RpcOption = DEFAULT_RPC,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until a block has the transaction, ten minutes at most.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Send a transaction that was signed before. One that the chain has already is not sent twice."""
    net = load_network(network)
    tx = read_transaction(file)
    _check_chain(file, net, tx.chain_id)
    require_same_network(rpc, net)
    height = send_signed(rpc, tx)
    if wait and height is None:
        height = wait_included(rpc, tx)
    print_transaction(net, tx, as_json=json_, height=height)


def read_draft(file: Path, network: Network) -> Draft:
    """Return the draft in a file.

    Raises:
        CommandError: "file-unreadable", "other-network". WalletError: "bad-draft".
    """
    draft = decode_draft(read_text(file))
    _check_chain(file, network, draft.terms.chain_id)
    return draft


def _sign_transfer(
    net: Network, opened: OpenWallet, terms: tuple[str, str, int, str], output: Path | None, *, as_json: bool
) -> None:
    """Sign a transfer of (receiver, amount, nonce, fee), and write or print it."""
    to, amount, nonce, fee = terms
    payload = build.make_transfer(net.hrp, to, parse_amount(amount, "the amount"))
    tx = build.sign_payload(opened.open_signer(), net.params.chain_id, nonce, parse_amount(fee, "the fee"), payload)
    document = describe_transaction(net, tx)
    if output is not None:
        try:
            output.expanduser().write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        except OSError as error:
            fail("file-unwritable", f"cannot write {output}: {error.strerror}")
    if as_json:
        print_json(document)
    elif output is not None:
        print_text(f"{document['id']}\nsigned and written to {output}; send it with: inos wallet broadcast {output}")
    else:
        print_text(f"id  {document['id']}\nhex {document['hex']}")


def _show(net: Network, draft: Draft, *, as_json: bool) -> None:
    described = describe_draft(net, draft)
    if as_json:
        print_json(described)
    else:
        print_text("\n".join(list_lines(described)))


def _check_chain(file: Path, network: Network, chain_id: int) -> None:
    if chain_id != network.params.chain_id:
        fail(
            "other-network",
            f"{file} is for chain {chain_id}, and {network.name} is chain {network.params.chain_id}",
            "give the network it was made for with --network",
        )
