"""`inos job quote`, `watch` and `receipt`: before a product is ordered, while it is made, and after."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from inos.cli.common.npy_files import check_writable, open_matrix
from inos.cli.common.output import DEFAULT_RPC, CommandError, JsonOption, RpcOption, call_rpc, fail, print_json
from inos.client.client import Client
from inos.client.receipt import Receipt, make_receipt
from inos.primitives.blocks import MAX_HEADER_BYTES, Header, compute_block_id
from inos.primitives.codec import decode
from inos.primitives.units import format_credits

POLL_S: Final = 0.5
MAX_UNKNOWN: Final = 6
"""Looks in a row at which neither chain nor pool know a job: a reorganisation takes a moment to put it back."""
STEPS: Final = 20
"""Lines about a product being made, at most."""
CLOSED: Final = frozenset({"settled", "cancelled", "undecided"})

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id, 64 hex digits.")]


def quote(
    x: Annotated[str, typer.Argument(metavar="X.npy|M", help="X, or how many rows it has.")],
    w: Annotated[str, typer.Argument(metavar="W.npy|N", help="W, or how many rows it has.")],
    k: Annotated[int | None, typer.Argument(metavar="[K]", help="Columns of both, where no files are given.")] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", metavar="checked|optimistic", help="Its price in this mode.")
    ] = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """What a product would cost now: the burn, a reward as others paid lately, and how long it may take."""
    m, n, depth = _read_shape(x, w, k)
    found = call_rpc(rpc, "job_quote", {"m": m, "n": n, "k": depth} | ({} if mode is None else {"mode": mode}))
    if json_:
        print_json(found)
    else:
        print(describe_quote(found))


def describe_quote(quote: dict[str, Any]) -> str:
    """A quote for people, on several lines."""
    sample = quote["sample"]
    basis = f"as the last {sample} settled jobs paid" if sample else "a first guess: no job was settled yet"
    lines = [
        f"tickets   {quote['tickets']}",
        f"reward    {format_credits(int(quote['suggested_reward']))} credits, {basis}",
        f"burned    {describe_burn(quote)}",
        f"          {format_credits(int(quote['burn_per_tera']))} credits per 10^12 multiply-accumulates",
        f"mode      {quote['mode']}: {quote['mode_reason']}",
        f"takes     about {quote['expected_s']:.0f} s ({quote['expected_blocks']} blocks)",
    ]
    return "\n".join(lines)


def describe_burn(quote: dict[str, Any]) -> str:
    """What posting burns, and its parts, in one line."""
    parts = quote["burn_parts"]
    work, size, place = (format_credits(int(parts[name])) for name in ("work", "bytes", "place"))
    checking = f", {size} for the bytes every node fetches" if int(parts["bytes"]) else ""
    return f"{format_credits(int(quote['burn']))} credits ({work} for the work{checking}, {place} for the record)"


def watch(
    job: JobArgument,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to watch at most.")] = 3600.0,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Follow a job until it is closed: settled, cancelled or undecided, telling what happens to it."""
    until, last, unknown = time.monotonic() + timeout, "", 0
    while True:
        found = _find(rpc, job)
        unknown = 0 if found is not None or _is_pending(rpc, job) else unknown + 1
        if unknown >= MAX_UNKNOWN:
            hint = "an id is what inos job post printed; inos job list shows those on the chain"
            fail("job-unknown", f"neither the chain nor this node's pool knows job {job}", hint)
        state = "waiting to be mined" if found is None else found["state"]
        told = _describe_state(state, found)
        if told != last and not json_:
            print(f"{time.strftime('%H:%M:%S')}  {told}", flush=True)
        last = told
        if found is not None and state in CLOSED:
            if json_:
                print_json(found)
            return
        if time.monotonic() > until:
            fail("timeout", f"job {job} is still {state} after {timeout:g} s")
        time.sleep(POLL_S)


def receipt(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="R.json", help="Where to write it.")],
    depth: Annotated[int, typer.Option("--depth", min=0, max=200, help="Blocks to wait for on top.")] = 6,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")] = 600.0,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Write a receipt of a settled job: proof of its settlement, to be checked with `inos verify` and no node."""
    check_writable(output)
    made = asyncio.run(_make(rpc, job, depth, timeout, is_quiet=json_))
    try:
        output.expanduser().write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror or error}")
    size = output.expanduser().stat().st_size
    if json_:
        print_json({"job": job, "file": str(output), "bytes": size, "confirmations": len(made.confirmations)})
    else:
        print(f"written to {output}, {size} bytes; check it with: inos verify {output} --x X.npy --w W.npy --y Y.npy")


def history(job: JobArgument, rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """What happened to a job: posted, claimed, lapsed, disputed, settled."""
    found = call_rpc(rpc, "job_history", {"id": job})
    if json_:
        print_json(found)
        return
    for event in found["events"]:
        print(f"{event['height']:>8}  {_describe_event(event)}")


def record(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A worker's or a poster's.")],
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """How an address has dealt since genesis, as a worker and as a poster."""
    found = call_rpc(rpc, "job_trackRecord", {"address": address})
    if json_:
        print_json(found)
        return
    print(describe_worker(found["worker"]))
    print(describe_poster(found["poster"]))


def describe_worker(side: dict[str, Any]) -> str:
    """Lines for people."""
    if not side["claimed"]:
        return "as a worker   no claims"
    ended = ("settled", "lapsed", "challenged", "rejected", "undecided")
    under_way = side["claimed"] - sum(side[name] for name in ended)
    return (
        f"as a worker   {side['claimed']} claimed: {side['settled']} settled, {side['lapsed']} lapsed, "
        f"{side['challenged']} shown wrong, {under_way} under way\n"
        f"              {describe_juries(side)}\n"
        f"              {side['tickets']} tickets for {format_credits(int(side['earned']))} credits; "
        f"{format_credits(int(side['bonds_lost']))} credits of bonds lost"
    )


def describe_juries(side: dict[str, Any]) -> str:
    """What juries said, in one line."""
    return f"{side['disputed']} disputed: {side['rejected']} found not right, {side['undecided']} undecided"


def describe_poster(side: dict[str, Any]) -> str:
    """Lines for people."""
    if not side["posted"]:
        return "as a poster   no jobs"
    return (
        f"as a poster   {side['posted']} posted: {side['settled']} settled, {side['cancelled']} cancelled; "
        f"{side['lapsed']} claims lapsed, {side['challenged']} results shown wrong\n"
        f"              {describe_juries(side)}\n"
        f"              {side['tickets']} tickets for {format_credits(int(side['paid']))} credits; "
        f"{format_credits(int(side['burned']))} credits burned"
    )


def _describe_event(event: dict[str, Any]) -> str:
    kind, amount = event["event"], f"{format_credits(int(event['amount']))} credits"
    who = f" by {event['worker']}" if event["worker"] else ""
    match kind:
        case "posted":
            return f"posted, {amount} burned"
        case "settled":
            return f"settled: {amount} to {event['worker']}"
        case "lapsed" | "challenged":
            name = "lapsed" if kind == "lapsed" else "was shown wrong"
            return f"the claim{who.replace('by', 'of')} {name}: its bond of {amount} is lost"
        case "cancelled":
            return f"cancelled, {amount} returned"
        case "disputed":
            return f"disputed, {amount} at stake"
        case "upheld":
            return "a jury found the result right"
        case "rejected":
            return f"a jury did not find the result right: the bond of {amount} is lost"
        case "undecided":
            return f"its jury came to no decision: the reward of {amount} is burned"
        case _:
            return f"{kind}{who}, bond {amount}"


async def _make(rpc: str, job: str, depth: int, limit_s: float, *, is_quiet: bool) -> Receipt:
    """Prove against the tip, wait until it is buried; again where a reorganisation takes it off."""
    async with Client(rpc) as client, asyncio.timeout(limit_s):
        version = await client.version()
        while True:
            proven = await client.call("job_prove", {"id": job})
            early = make_receipt(job, version.network, version.genesis, proven, ())
            if not is_quiet and depth:
                print(f"proven against block {proven['height']}, waiting for {depth} blocks on top ...", flush=True)
            await _await_height(client, proven["height"] + depth)
            page = await client.call("chain_getRawHeaders", {"first": proven["height"], "limit": depth + 1})
            first, *after = page["headers"]
            if first == early.header and _is_chain(first, after):
                return msgspec.structs.replace(early, confirmations=tuple(after))


async def _await_height(client: Client, height: int) -> None:
    while True:
        if (await client.head()).height >= height:
            return
        await asyncio.sleep(POLL_S)


def _is_chain(first: str, after: list[str]) -> bool:
    headers = [decode(Header, bytes.fromhex(text), limit=MAX_HEADER_BYTES) for text in (first, *after)]
    return all(b.parent == compute_block_id(a) for a, b in pairwise(headers))


def _read_shape(x: str, w: str, k: int | None) -> tuple[int, int, int]:
    if k is not None:
        if not x.isdecimal() or not w.isdecimal():
            fail("bad-shape", f"{x!r} and {w!r} are not numbers of rows", "give two files, or three numbers M N K")
        return int(x), int(w), k
    left, right = open_matrix(Path(x)), open_matrix(Path(w))
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        fail("bad-shape", f"X has the shape {left.shape} and W {right.shape}", "both need equally many columns")
    return left.shape[0], right.shape[0], left.shape[1]


def _find(rpc: str, job: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = call_rpc(rpc, "job_get", {"id": job})
    except CommandError as error:
        if error.code == "job-unknown":
            return None
        raise
    return found


def _is_pending(rpc: str, job: str) -> bool:
    """Whether the posting transaction waits in the node's pool, or was mined just now."""
    try:
        call_rpc(rpc, "chain_getTransaction", {"id": job})
    except CommandError as error:
        if error.code == "transaction-unknown":
            return False
        raise
    return True


def _describe_state(state: str, found: dict[str, Any] | None) -> str:
    if found is None or state == "open":
        return state
    until = (found["claim"] or {}).get("expires_at", "?")
    if state == "claimed":
        text = f"claimed by {found['worker']}, to be delivered by height {until}"
        done, rows = found.get("rows_done"), found["x"]["rows"]
        # In steps, so that a large job is not a line each half second.
        return text if not done else f"{text}; {done * STEPS // rows * 100 // STEPS} % of its rows made here"
    if state == "delivered":
        return f"delivered by {found['worker']}, paid at height {until} unless it is shown wrong or disputed before"
    if state == "disputed":
        return f"disputed: a jury decides about the result of {found['worker']}"
    if state == "undecided":
        return f"undecided at height {found['closed_at']}: its jury came to no decision, and the reward was burned"
    return f"{state} at height {found['closed_at']}" + (f" by {found['worker']}" if found["worker"] else "")
