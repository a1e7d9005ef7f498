"""`inos job watch`: a job followed until it is closed."""

import time
from typing import Any, Final

from inos.cli.common.ids import find_id
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption, TimeoutOption
from inos.cli.common.output import fail, print_json, print_text
from inos.client.blocking_client import BlockingClient
from inos.client.errors import RemoteError

LOOK_S: Final = 1.0
"""The node is asked after every block, and at least this often: it may tell how far its own miner is."""
LOST_S: Final = 3.0
"""Neither chain nor pool has the job for so long; after a reorganisation it takes a moment to be back."""
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
    job = find_id(rpc, job, "job")
    until, last, seen_at = time.monotonic() + timeout, "", time.monotonic()
    with BlockingClient(rpc) as client, client.follow_tip() as wait_tip:
        while True:
            found = _find(client, job)
            if found is not None or _is_pending(client, job):
                seen_at = time.monotonic()
            elif time.monotonic() - seen_at >= LOST_S:
                hint = "an id is what inos job post printed; inos job list shows the jobs on the chain"
                fail("job-unknown", f"neither the chain nor this node's pool has job {job}", hint)
            state = "waiting to be mined" if found is None else str(found["state"])
            text = _describe_state(state, found)
            if text != last and not json_:
                print_text(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
            last = text
            if found is not None and state in CLOSED:
                if json_:
                    print_json(found)
                return
            if time.monotonic() > until:
                fail("timeout", f"job {job} is still {state} after {timeout:g} s")
            wait_tip(LOOK_S)


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
        done = found.get("rows_done")
        if not done or not found["x"]:
            return text
        percent = 100 * done // found["x"]["rows"] // PERCENT_STEP * PERCENT_STEP
        return f"{text}; {percent} % of its rows made by this node"
    if state == "delivered":
        return f"delivered by {found['worker']}, paid at height {until} unless it is shown wrong or disputed before"
    if state == "disputed":
        return f"disputed: a jury decides about the result of {found['worker']}"
    if state == "undecided":
        return f"undecided at height {found['closed_at']}: its jury came to no decision, and the reward was burned"
    return f"{state} at height {found['closed_at']}" + (f" by {found['worker']}" if found["worker"] else "")
