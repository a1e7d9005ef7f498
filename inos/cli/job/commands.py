"""`inos job`: quote, post, list, show, history, record, watch, result, receipt, dispute, cancel."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from inos.cli.common import wallets as _wallets
from inos.cli.common.npy_files import check_writable, open_matrix
from inos.cli.common.output import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    JsonOption,
    NetworkOption,
    RpcOption,
    call_rpc,
    fail,
    print_json,
)
from inos.cli.common.progress import make_progress
from inos.cli.common.wallets import (
    IndexOption,
    PasswordFileOption,
    WalletDirOption,
    WalletOption,
    open_wallet,
    parse_amount,
)
from inos.cli.job import market as _market
from inos.client.client import DEFAULT_JOB_TIMEOUT_S, Client, Mode
from inos.client.disputing import fetch_or_dispute
from inos.client.models import Job
from inos.client.operands import check_shapes, to_operand
from inos.genesis import Network, load_network
from inos.primitives.units import Nano, format_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key

DEFAULT_WALLET = "default"
T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False)

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id, 64 hex digits.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before posting.")]


@app.callback()
def _job() -> None:
    """Post a product to be multiplied, list jobs, fetch a result. The product is X times W transposed."""


@app.command()
def post(
    x: Annotated[Path, typer.Argument(metavar="X.npy", help="m x k integers in -64 .. 63.")],
    w: Annotated[Path, typer.Argument(metavar="W.npy", help="n x k integers in -64 .. 63, one row per output.")],
    reward: Annotated[
        str | None,
        typer.Option("--reward", metavar="CREDITS", help="What the product is worth, e.g. 1.5; as quoted without."),
    ] = None,
    bond: Annotated[
        str | None, typer.Option("--bond", metavar="CREDITS", help="What a worker has at stake; the least without.")
    ] = None,
    max_burn: Annotated[
        str | None,
        typer.Option("--max-burn", metavar="CREDITS", help="Most to burn; 1.5 times today's price without."),
    ] = None,
    lifetime: Annotated[
        int | None, typer.Option("--lifetime", min=1, help="Blocks in which it can be done; as many as allowed.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="checked|optimistic",
            help="Checked by every node, or only where somebody doubts it: the cheaper without.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is settled.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="Y.npy", help="Write the result; implies --wait.")
    ] = None,
    timeout: TimeoutOption = DEFAULT_JOB_TIMEOUT_S,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Post a job. Both matrices and the balance are checked before anything is sent."""
    x8, w8 = to_operand(open_matrix(x), str(x)), to_operand(open_matrix(w), str(w))
    check_shapes(x8, w8)
    asked: dict[str, Any] = {"m": x8.shape[0], "n": w8.shape[0], "k": x8.shape[1], "mode": _read_mode(mode)}
    if reward is not None:
        asked["reward"] = str(parse_amount(reward, "the reward"))
    most = parse_amount(max_burn, "the highest burn") if max_burn is not None else None
    stake = parse_amount(bond, "the bond") if bond is not None else None
    if output is not None:
        output = check_writable(output)
    key = _unlock(rpc, network, wallet, wallet_dir, index, password_file)
    asked["poster"] = encode_address(load_network(network).hrp, key.address)
    offer = call_rpc(rpc, "job_quote", asked)
    nano = Nano(int(asked.get("reward", offer["suggested_reward"])))
    question = (
        f"Post {x} times {w} transposed for {format_credits(nano)} credits, and burn {_market.describe_burn(offer)}?\n"
        f"It is {offer['mode']}: {offer['mode_reason']}. Post it?"
    )
    _wallets.confirm_or_stop(question, yes=yes or json_)

    async def do(client: Client) -> Job | str:
        job = await client.post_job(
            x8,
            w8,
            reward_nano=nano,
            bond=stake,
            max_burn=most,
            lifetime=lifetime,
            mode=offer["mode"],
            on_progress=make_progress("sent", is_quiet=json_),
        )
        if not wait and output is None:
            return job
        _say(f"posted {job}, waiting for its result", as_json=json_)
        if output is not None:
            found = await client.wait_result(job, timeout)
            window = (await client.get_network()).params.challenge_window
            await fetch_or_dispute(client, found, window, lambda: _save(client, job, output, as_json=json_))
            return await client.job(job)
        return await client.wait_job(job, timeout)

    done = _run(rpc, key, do)
    if json_:
        print_json({"id": done} if isinstance(done, str) else msgspec.to_builtins(done))
    elif isinstance(done, str):
        print(f"posted {done}\nits result, once settled: inos job result {done} -o Y.npy")
    else:
        at = "" if done.closed_at is None else f" at height {done.closed_at}"
        print(f"{done.state} {done.id}{at} by {done.worker}")
        if output is not None:
            print(f"checked and written to {output}")


@app.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option("--state", help="open, claimed, delivered, disputed, settled, cancelled or undecided.")
    ] = None,
    poster: Annotated[str | None, typer.Option("--poster", metavar="ADDRESS", help="Whose jobs.")] = None,
    worker: Annotated[str | None, typer.Option("--worker", metavar="ADDRESS", help="Claimed or done by whom.")] = None,
    after: Annotated[str | None, typer.Option("--after", metavar="NEXT", help="Go on where a page ended.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 50,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the first job ever posted.")] = False,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """List jobs, the newest first."""
    order = "oldest" if oldest_first else "newest"
    filters = {"state": state, "poster": poster, "worker": worker, "after": after, "limit": limit, "order": order}
    page = call_rpc(rpc, "job_list", {name: value for name, value in filters.items() if value is not None})
    if json_:
        print_json(page)
        return
    for job in page["jobs"]:
        shape = f"{job['x']['rows']} x {job['x']['cols']} x {job['w']['rows']}"
        print(f"{job['id']}  {job['state']:<9}  {format_credits(int(job['reward'])):>12}  {shape}")
    if not page["jobs"]:
        print("no such jobs")
    if page["next"]:
        print(f"more with: --after {page['next']}")


app.command()(_market.quote)
app.command()(_market.watch)
app.command()(_market.receipt)
app.command()(_market.history)
app.command()(_market.record)


@app.command()
def show(job: JobArgument, rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show one job."""
    found = call_rpc(rpc, "job_get", {"id": job})
    if json_:
        print_json(found)
        return
    print(f"job       {found['id']}\nstate     {found['state']}")
    print(f"product   X {_shape(found['x'])} times W {_shape(found['w'])} transposed, {found['tickets']} tickets")
    print(f"reward    {format_credits(int(found['reward']))} credits")
    print(f"burned    {format_credits(int(found['burned']))} credits")
    print(f"mode      {found['mode']}, a bond of {format_credits(int(found['bond']))} credits")
    print(f"poster    {found['poster']}{_describe_dealings(rpc, found['poster'], 'poster')}")
    print(f"posted    at height {found['posted_at']}, deadline {found['deadline']}")
    if found["worker"]:
        print(f"worker    {found['worker']}{_describe_dealings(rpc, found['worker'], 'worker')}")
    if found["closed_at"]:
        print(f"closed    at height {found['closed_at']}")
    if found["y"]:
        print(f"result    {found['y']['id']}")


@app.command()
def result(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="Y.npy", help="Where to write it.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is settled.")] = False,
    timeout: TimeoutOption = DEFAULT_JOB_TIMEOUT_S,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Fetch a job's product, check it by Freivalds, and write it; an optimistic one as soon as it is delivered."""
    path = check_writable(output)

    async def do(client: Client) -> tuple[int, ...]:
        if wait:
            _say(f"waiting for {job}", as_json=json_)
            await client.wait_job(job, timeout)
        return await _save(client, job, path, as_json=json_)

    rows, cols = _run(rpc, None, do)
    if json_:
        print_json({"id": job, "file": str(output), "rows": rows, "cols": cols, "is_checked": True})
    else:
        print(f"checked and written to {output}: {rows} x {cols} int32")


@app.command()
def dispute(
    job: JobArgument,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    yes: YesOption = False,
    json_: JsonOption = False,
) -> None:
    """Ask a jury about a delivered result that is wrong, or whose bytes nobody serves; it takes a stake."""
    net = load_network(network)
    found = call_rpc(rpc, "job_get", {"id": job})
    if found["mode"] != "optimistic":
        fail("wrong-mode", f"job {job} is {found['mode']}: every node checks its result before it is paid")
    if found["state"] != "delivered":
        hint = "a result can be disputed between its delivery and its payment"
        fail("job-not-delivered", f"job {job} is {found['state']}", hint)
    bond = int(found["bond"])
    stake = build.compute_stake(net.params, bond, found["x"]["rows"], found["w"]["rows"], found["x"]["cols"])
    key = _unlock(rpc, network, wallet, wallet_dir, index, password_file)
    question = (
        f"Stake {format_credits(stake)} credits, of which {format_credits(stake - bond)} are the jury's fee, on job "
        f"{job} being wrong or unavailable?\nIf the jury finds it right, half of the fee is lost. Dispute it?"
    )
    _wallets.confirm_or_stop(question, yes=yes)

    async def do(client: Client) -> str:
        return await client.dispute(job)

    tx = _run(rpc, key, do)
    if json_:
        print_json({"id": tx, "job": job, "stake": str(stake), "fee": str(stake - bond)})
    else:
        print(f"sent {tx}; the jury's verdict: inos job watch {job}")


@app.command()
def cancel(
    job: JobArgument,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Take back the reward of your own job that nobody has claimed, or that is past its deadline."""
    found = call_rpc(rpc, "job_get", {"id": job})
    state, height = found["state"], call_rpc(rpc, "chain_head")["height"]
    if state in _market.CLOSED:
        fail("job-closed", f"job {job} is {state} already")
    if state != "open" and height < found["deadline"]:
        hint = f"a job can be cancelled while nobody has it, or from block {found['deadline']} on; now is {height}"
        fail("job-not-open", f"job {job} is {state}", hint)
    key = _unlock(rpc, network, wallet, wallet_dir, index, password_file)
    own = encode_address(load_network(network).hrp, key.address)
    if own != found["poster"]:
        fail("not-the-poster", f"{found['poster']} posted job {job}, and this is {own}", "give the --wallet that did")

    async def do(client: Client) -> str:
        return await client.cancel_job(job)

    tx = _run(rpc, key, do)
    if json_:
        print_json({"id": tx, "job": job})
    else:
        print(f"sent {tx}; the reward comes back when it is mined")


async def _save(client: Client, job: str, output: Path, *, as_json: bool) -> tuple[int, ...]:
    try:
        y = await client.save_result(job, output, on_progress=make_progress("fetched", is_quiet=as_json))
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror or error}")
    return y.shape


def _read_mode(text: str | None) -> Mode | None:
    match text:
        case None | "checked" | "optimistic":
            return text
        case _:
            fail("bad-mode", f"{text!r} is no mode of jobs", "write checked or optimistic")


def _unlock(
    rpc: str, network: str, wallet: str, wallet_dir: Path | None, index: int, password_file: Path | None
) -> Key:
    """The key that pays, after the node's network was found to be the one meant."""
    net: Network = load_network(network)
    opened = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file)
    _wallets.require_same_network(rpc, net)
    return opened.unlock()


def _run(rpc: str, key: Key | None, do: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        async with Client(rpc, wallet=key) as client:
            return await do(client)

    return asyncio.run(run())


def _say(text: str, *, as_json: bool) -> None:
    if not as_json:
        print(text, flush=True)


def _describe_dealings(rpc: str, address: str, side: str) -> str:
    """An address's record in a few words."""
    record = call_rpc(rpc, "job_trackRecord", {"address": address})[side]
    begun = record["posted"] if side == "poster" else record["claimed"]
    return f" ({record['settled']} of {begun} settled, {record['lapsed']} lapsed, {record['challenged']} shown wrong)"


def _shape(ref: dict[str, Any]) -> str:
    return f"{ref['rows']} x {ref['cols']}"
