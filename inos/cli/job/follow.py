"""`inos job watch` and `receipt`: a job followed until it is closed, and the proof of its settlement."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from inos.cli.common.npy_files import check_writable
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption, TimeoutOption
from inos.cli.common.output import fail, print_json
from inos.client.blocking_client import BlockingClient
from inos.client.errors import RemoteError
from inos.client.receipt import Receipt, make_receipt
from inos.primitives.blocks import MAX_HEADER_BYTES, Header, compute_block_id
from inos.primitives.codec import decode

POLL_S: Final = 0.5
LOST_AFTER: Final = 6
"""Times in a row that neither chain nor pool has the job; after a reorganisation it takes a moment to be back."""
PERCENT_STEP: Final = 5
"""The share of rows that is made is shown in such steps, so that a large job is not a line every half second."""
CLOSED: Final = frozenset({"settled", "cancelled", "undecided"})


def watch(
    job: JobArgument,
    timeout: TimeoutOption = 3600.0,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Follow a job until it is closed, that is settled, cancelled or undecided, and print what happens to it."""
    until, last, unknown = time.monotonic() + timeout, "", 0
    with BlockingClient(rpc) as client:
        while True:
            found = _find(client, job)
            unknown = 0 if found is not None or _is_pending(client, job) else unknown + 1
            if unknown >= LOST_AFTER:
                hint = "an id is what inos job post printed; inos job list shows the jobs on the chain"
                fail("job-unknown", f"neither the chain nor this node's pool has job {job}", hint)
            state = "waiting to be mined" if found is None else str(found["state"])
            text = _describe_state(state, found)
            if text != last and not json_:
                print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
            last = text
            if found is not None and state in CLOSED:
                if json_:
                    print_json(found)
                return
            if time.monotonic() > until:
                fail("timeout", f"job {job} is still {state} after {timeout:g} s")
            time.sleep(POLL_S)


def receipt(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="R.json", help="The file to write the receipt to.")],
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=200, metavar="BLOCKS", help="Wait for so many blocks on top.")
    ] = 6,
    timeout: TimeoutOption = 600.0,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Write the receipt of a settled job: proof of its settlement, which `inos verify` checks without a node."""
    path = check_writable(output)
    with BlockingClient(rpc) as client:
        made = _make(client, job, depth, time.monotonic() + timeout, is_quiet=json_)
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror or error}")
    size = path.stat().st_size
    if json_:
        print_json({"job": job, "file": str(output), "bytes": size, "confirmations": len(made.confirmations)})
    else:
        print(f"written to {output}, {size} bytes; check it with: inos verify {output} --x X.npy --w W.npy --y Y.npy")


def _make(client: BlockingClient, job: str, depth: int, until: float, *, is_quiet: bool) -> Receipt:
    """Prove the job's record at the tip, and wait until that block is `depth` deep; again after a reorganisation."""
    version = client.version()
    while True:
        proven = client.call("job_prove", {"id": job})
        early = make_receipt(job, version.network, version.genesis, proven, ())
        if not is_quiet and depth:
            print(f"proven at block {proven['height']}, waiting for {depth} blocks on top ...", flush=True)
        while client.head().height < proven["height"] + depth:
            if time.monotonic() > until:
                fail("timeout", f"the block with the proof did not get {depth} blocks on top in time")
            time.sleep(POLL_S)
        page = client.call("chain_getRawHeaders", {"first": proven["height"], "limit": depth + 1})
        first, *after = page["headers"]
        if first == early.header and _is_chain(first, after):
            return msgspec.structs.replace(early, confirmations=tuple(after))


def _is_chain(first: str, after: list[str]) -> bool:
    headers = [decode(Header, bytes.fromhex(text), limit=MAX_HEADER_BYTES) for text in (first, *after)]
    return all(b.parent == compute_block_id(a) for a, b in pairwise(headers))


def _find(client: BlockingClient, job: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.call("job_get", {"id": job})
    except RemoteError as error:
        if error.code == "job-unknown":
            return None
        raise
    return found


def _is_pending(client: BlockingClient, job: str) -> bool:
    """Return whether the posting transaction waits in the node's pool, or was mined just now."""
    try:
        client.transaction(job)
    except RemoteError as error:
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
        if not done:
            return text
        return f"{text}; {100 * done // rows // PERCENT_STEP * PERCENT_STEP} % of its rows made by this node"
    if state == "delivered":
        return f"delivered by {found['worker']}, paid at height {until} unless it is shown wrong or disputed before"
    if state == "disputed":
        return f"disputed: a jury decides about the result of {found['worker']}"
    if state == "undecided":
        return f"undecided at height {found['closed_at']}: its jury came to no decision, and the reward was burned"
    return f"{state} at height {found['closed_at']}" + (f" by {found['worker']}" if found["worker"] else "")
