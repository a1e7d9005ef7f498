"""`inos job post`, `result`, `dispute`, `cancel`: products ordered, fetched, contested and taken back."""

import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import typer
from numpy.typing import NDArray

from inos.cli.common.drafts import drafting
from inos.cli.common.ids import find_id
from inos.cli.common.npy_files import check_writable, open_matrix
from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    JobArgument,
    JsonOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    TimeoutOption,
    UnsignedOption,
    WalletDirOption,
    WalletOption,
    YesOption,
)
from inos.cli.common.output import fail, print_json, print_progress, print_text
from inos.cli.common.progress import make_progress
from inos.cli.common.remote import call_rpc
from inos.cli.common.wallets import OpenWallet, confirm_or_stop, open_wallet, parse_amount, require_same_network
from inos.cli.job.follow import CLOSED
from inos.cli.job.show import describe_burn
from inos.client import models
from inos.client.answers import convert
from inos.client.blocking_client import BlockingClient
from inos.client.client import DEFAULT_JOB_TIMEOUT_S, Mode
from inos.client.costs import choose_reward, compute_job_mib
from inos.client.errors import ClientError
from inos.client.job_watcher import PENDING, ignore_state
from inos.client.operands import BadOperand, check_shapes, to_operand
from inos.genesis import load_network
from inos.primitives.matrices import compute_tickets
from inos.primitives.units import Nano, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.signers import Signer

WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until the job is settled.")]


def post(
    x: Annotated[Path, typer.Argument(metavar="X.npy", help="X: m x k integers in -64 .. 63.")],
    w: Annotated[Path, typer.Argument(metavar="W.npy", help="W: n x k integers in -64 .. 63, one row per output.")],
    reward: Annotated[
        str | None,
        typer.Option("--reward", metavar="CREDITS", help="The reward, such as 1.5. Default: as `inos job quote`."),
    ] = None,
    bond: Annotated[
        str | None,
        typer.Option("--bond", metavar="CREDITS", help="The bond a worker must lock. Default: the least allowed."),
    ] = None,
    max_burn: Annotated[
        str | None,
        typer.Option("--max-burn", metavar="CREDITS", help="The most to burn. Default: half more than today's price."),
    ] = None,
    lifetime: Annotated[
        int | None,
        typer.Option(
            "--lifetime", min=1, metavar="BLOCKS", help="Blocks until the job expires. Default: the most allowed."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="checked|optimistic",
            help="Checked by every node, or paid unless someone contests it. Default: the cheaper one.",
        ),
    ] = None,
    wait: WaitOption = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="Y.npy", help="Write the product to this file; implies --wait."),
    ] = None,
    timeout: TimeoutOption = DEFAULT_JOB_TIMEOUT_S,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Post a job. Both matrices and the balance are checked before anything is sent."""
    x8, w8 = _open_operands(x, w)
    check_shapes(x8, w8)
    asked: dict[str, Any] = {"m": x8.shape[0], "n": w8.shape[0], "k": x8.shape[1], "mode": _read_mode(mode)}
    if reward is not None:
        asked["reward"] = str(parse_amount(reward, "the reward"))
    stake = parse_amount(bond, "the bond") if bond is not None else None
    most = parse_amount(max_burn, "the highest burn") if max_burn is not None else None
    if output is not None:
        output = check_writable(output)
    net = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    signer = _open_signer(opened, rpc)
    posting = _Posting(x, w, asked | {"poster": encode_address(net.hrp, signer.address)}, rpc, is_agreed=yes or json_)
    nano, chosen = posting.confirm()
    progress = make_progress("sent", is_quiet=json_)
    with drafting(opened, as_json=json_), BlockingClient(rpc, wallet=signer) as client:

        def send() -> str:
            return client.post_job(
                x8,
                w8,
                reward_nano=nano,
                bond=stake,
                max_burn=most,
                lifetime=lifetime,
                mode=chosen,
                on_progress=progress,
            )

        try:
            job = send()
        except ClientError as error:
            if error.code != "price-moved" or yes or json_ or most is not None:
                raise
            print_text(f"{error.message}", flush=True)
            nano, chosen = posting.confirm()
            job = send()
        if wait or output is not None:
            _finish(client, job, output, timeout, as_json=json_)
        elif json_:
            print_json({"id": job})
        else:
            print_text(f"posted {job}\nits result, once settled: inos job result {job} -o Y.npy")


def _read_advice(quote: dict[str, Any], asked: dict[str, Any]) -> Nano:
    """Return the reward that the node advises, if it is not beyond all reason."""
    tickets = compute_tickets(asked["m"], asked["n"], asked["k"])
    return choose_reward(convert(models.Quote, quote, "job_quote"), None, tickets)


class _Posting(NamedTuple):
    """What is to be posted, so that its price can be asked and agreed to."""

    x: Path
    w: Path
    asked: dict[str, Any]
    rpc: str
    is_agreed: bool
    """No question is asked."""

    def confirm(self) -> tuple[Nano, Mode]:
        """Show the present price; return reward and mode if the user agrees."""
        quote = call_rpc(self.rpc, "job_quote", self.asked)
        asked = self.asked.get("reward")
        reward = Nano(int(asked)) if asked is not None else _read_advice(quote, self.asked)
        question = (
            f"Post {self.x} times {self.w} transposed for {format_credits(reward)} credits, "
            f"and burn {describe_burn(quote)}?\nThe job is {quote['mode']}: {quote['mode_reason']}. Post it?"
        )
        confirm_or_stop(question, yes=self.is_agreed)
        return reward, quote["mode"]


def _open_operands(x: Path, w: Path) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return both operands, or say which command takes what a job cannot."""
    try:
        return to_operand(open_matrix(x), str(x)), to_operand(open_matrix(w), str(w))
    except BadOperand as error:
        if error.code not in ("bad-dtype", "entry-out-of-range"):
            raise
        hint = f"for numbers of any kind: inos matmul {x} {w} --transposed --on-chain -o Y.npy"
        raise BadOperand(error.code, error.message, hint=hint) from error


def _print_state(state: str) -> None:
    print_progress(f"{time.strftime('%H:%M:%S')}  {'waiting for a block' if state == PENDING else state}")


def _finish(client: BlockingClient, job: str, output: Path | None, timeout_s: float, *, as_json: bool) -> None:
    """Wait until a job is settled; if a file is given, until its product is delivered, and save that."""
    if not as_json:
        print_text(f"posted {job}, waiting for its result", flush=True)
    on_state = ignore_state if as_json else _print_state
    if output is None:
        done = client.wait_job(job, timeout_s, on_state=on_state)
    else:
        client.wait_result(job, timeout_s, on_state=on_state)
        _save(client, job, output, as_json=as_json, auto_dispute=True)
        done = client.job(job)
    if as_json:
        print_json(msgspec.to_builtins(done))
        return
    at = "" if done.closed_at is None else f" at height {done.closed_at}"
    print_text(f"{done.state} {done.id}{at} by {done.worker}")
    if output is not None:
        print_text(f"checked and written to {output}")


def result(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="Y.npy", help="The file to write the product to.")],
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_JOB_TIMEOUT_S,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Fetch a job's product, check it by Freivalds, and write it; an optimistic one as soon as it is delivered."""
    path = check_writable(output)
    job = find_id(rpc, job, "job")
    with BlockingClient(rpc) as client:
        if wait:
            if not json_:
                print_text(f"waiting for {job}", flush=True)
            client.wait_job(job, timeout, on_state=ignore_state if json_ else _print_state)
        rows, cols = _save(client, job, path, as_json=json_)
    if json_:
        print_json({"id": job, "file": str(output), "rows": rows, "cols": cols, "is_checked": True})
    else:
        print_text(f"checked and written to {output}: {rows} x {cols} int32")


def dispute(
    job: JobArgument,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Ask a jury about a delivered result that is wrong, or whose bytes nobody serves. It takes a stake."""
    net = load_network(network)
    job = find_id(rpc, job, "job")
    found = call_rpc(rpc, "job_get", {"id": job})
    if found["mode"] != "optimistic":
        fail("wrong-mode", f"job {job} is {found['mode']}: every node checks its result before it is paid")
    if found["state"] != "delivered":
        hint = "a result can be disputed between its delivery and its payment"
        fail("job-not-delivered", f"job {job} is {found['state']}", hint)
    bond = int(found["bond"])
    stake = build.compute_stake(net.params, bond, compute_job_mib(convert(models.Job, found, "job_get")))
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    signer = _open_signer(opened, rpc)
    question = (
        f"Stake {format_credits(stake)} credits, of which {format_credits(stake - bond)} are the jury's fee, on job "
        f"{job} being wrong or unavailable?\nIf the jury finds it right, half of the fee is lost. Dispute it?"
    )
    confirm_or_stop(question, yes=yes or unsigned is not None)
    with drafting(opened, as_json=json_), BlockingClient(rpc, wallet=signer) as client:
        tx = client.dispute(job)
    if json_:
        print_json({"id": tx, "job": job, "stake": str(stake), "fee": str(stake - bond)})
    else:
        print_text(f"sent {tx}; the jury's verdict: inos job watch {job}")


def cancel(
    job: JobArgument,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    unsigned: UnsignedOption = None,
    json_: JsonOption = False,
) -> None:
    """Cancel a job of your own that is not claimed or past its deadline; the reward comes back."""
    net = load_network(network)
    job = find_id(rpc, job, "job")
    found = call_rpc(rpc, "job_get", {"id": job})
    state, height = found["state"], call_rpc(rpc, "chain_head")["height"]
    if state in CLOSED:
        fail("job-closed", f"job {job} is {state} already")
    if state != "open" and height < found["deadline"]:
        hint = f"cancel it while it is open, or from block {found['deadline']} on; the chain is at {height}"
        fail("job-not-open", f"job {job} is {state}", hint)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file, unsigned=unsigned)
    signer = _open_signer(opened, rpc)
    own = encode_address(net.hrp, signer.address)
    if own != found["poster"]:
        fail("not-the-poster", f"{found['poster']} posted job {job}, and this is {own}", "give the --wallet that did")
    with drafting(opened, as_json=json_), BlockingClient(rpc, wallet=signer) as client:
        tx = client.cancel_job(job)
    if json_:
        print_json({"id": tx, "job": job})
    else:
        print_text(f"sent {tx}; the reward comes back when it is mined")


def _save(
    client: BlockingClient, job: str, output: Path, *, as_json: bool, auto_dispute: bool = False
) -> tuple[int, ...]:
    """Fetch a job's product into a file; return its shape."""
    progress = make_progress("fetched", is_quiet=as_json)
    try:
        return client.save_result(job, output, auto_dispute=auto_dispute, on_progress=progress).shape
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror or error}")


def _read_mode(text: str | None) -> Mode | None:
    match text:
        case None | "checked" | "optimistic":
            return text
        case _:
            fail("bad-mode", f"{text!r} is not a mode of jobs", "write checked or optimistic")


def _open_signer(wallet: OpenWallet, rpc: str) -> Signer:
    """Return what signs for the account that pays, once the node is known to be on the wallet's network."""
    require_same_network(rpc, wallet.network)
    return wallet.open_signer()
