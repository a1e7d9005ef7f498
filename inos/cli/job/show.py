"""`inos job quote`, `list`, `show`, `history`, `record`: prices, jobs, and how their posters and workers have done."""

from pathlib import Path
from typing import Annotated, Any

import typer

from inos.cli.common.ids import SHOWN_DIGITS, find_id, shorten
from inos.cli.common.npy_files import open_matrix
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.remote import call_rpc
from inos.primitives.units import format_credits


def quote(
    x: Annotated[str, typer.Argument(metavar="X.npy|M", help="X, or its number of rows.")],
    w: Annotated[str, typer.Argument(metavar="W.npy|N", help="W, or its number of rows.")],
    k: Annotated[
        int | None, typer.Argument(metavar="K", help="The number of columns of both, if no files are given.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="checked|optimistic", help="Its price in this mode. Default: the cheaper one."),
    ] = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show what a product would cost now: the burn, a reward as paid lately, and how long it may take."""
    m, n, depth = _read_shape(x, w, k)
    found = call_rpc(rpc, "job_quote", {"m": m, "n": n, "k": depth} | ({} if mode is None else {"mode": mode}))
    if json_:
        print_json(found)
    else:
        print_text("\n".join(describe_quote(found)))


def describe_quote(quote: dict[str, Any]) -> list[str]:
    """Return a quote as lines of text."""
    low, typical, fast = (format_credits(int(quote["rewards"][name])) for name in ("low", "typical", "fast"))
    if quote["sample"]:
        jobs = "the last settled job" if quote["sample"] == 1 else f"the last {quote['sample']} settled jobs"
        basis = f"per ticket as in {jobs}; low {low}, fast {fast}"
    else:
        basis = "a default, since no job was settled yet"
    return [
        f"tickets   {quote['tickets']}",
        f"reward    {typical} credits, {basis}",
        f"burned    {describe_burn(quote)}",
        f"          {format_credits(int(quote['burn_per_tera']))} credits per 10^12 multiply-accumulates",
        f"mode      {quote['mode']}: {quote['mode_reason']}",
        f"takes     {describe_duration(quote)}",
    ]


def describe_duration(quote: dict[str, Any]) -> str:
    """Return how long a job may take, or that nobody mines."""
    if not quote["is_mined"]:
        return "nobody mines here: no block came lately; start a miner with inos node --mine auto"
    return f"about {quote['expected_s']:.0f} s ({quote['expected_blocks']} blocks)"


def describe_burn(quote: dict[str, Any]) -> str:
    """Return what posting burns, and its parts, in one line."""
    parts = quote["burn_parts"]
    work, size, place = (format_credits(int(parts[name])) for name in ("work", "bytes", "place"))
    checking = f", {size} for the bytes every node fetches" if int(parts["bytes"]) else ""
    return f"{format_credits(int(quote['burn']))} credits ({work} for the work{checking}, {place} for the record)"


def list_jobs(
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="open|claimed|delivered|disputed|settled|cancelled|undecided",
            help="Only jobs in this state.",
        ),
    ] = None,
    poster: Annotated[
        str | None, typer.Option("--poster", metavar="ADDRESS", help="Only jobs that this account posted.")
    ] = None,
    worker: Annotated[
        str | None,
        typer.Option("--worker", metavar="ADDRESS", help="Only jobs that this account claimed."),
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="NEXT", help="Continue behind the page that printed NEXT.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=200, metavar="N", help="List at most this many jobs.")
    ] = 50,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the first job ever posted.")] = False,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    order = "oldest" if oldest_first else "newest"
    filters = {"state": state, "poster": poster, "worker": worker, "after": after, "limit": limit, "order": order}
    page = call_rpc(rpc, "job_list", {name: value for name, value in filters.items() if value is not None})
    if json_:
        print_json(page)
        return
    if page["jobs"]:
        print_text(f"{'JOB':<{SHOWN_DIGITS}}  {'STATE':<9}  {'CREDITS':>11}  ROWS x DEPTH x COLUMNS, OR UNITS")
    for job in page["jobs"]:
        reward = format_credits(int(job["reward"]))
        print_text(f"{shorten(job['id'])}  {job['state']:<9}  {reward:>11}  {_describe_size(job)}")
    if not page["jobs"]:
        print_text("no such jobs")
    if page["next"]:
        print_text(f"more with: --after {page['next']}")


def show_job(job: JobArgument, rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show one job."""
    found = call_rpc(rpc, "job_get", {"id": find_id(rpc, job, "job")})
    if json_:
        print_json(found)
        return
    print_text(f"job       {found['id']}\nstate     {found['state']}")
    print_text("\n".join(_describe_work(found)))
    print_text(f"reward    {format_credits(int(found['reward']))} credits")
    print_text(f"burned    {format_credits(int(found['burned']))} credits")
    print_text(f"mode      {found['mode']}, a bond of {format_credits(int(found['bond']))} credits")
    print_text(f"poster    {found['poster']}{_describe_record(rpc, found['poster'], 'poster')}")
    print_text(f"posted    at height {found['posted_at']}, deadline {found['deadline']}")
    if found["worker"]:
        print_text(f"worker    {found['worker']}{_describe_record(rpc, found['worker'], 'worker')}")
    if found["closed_at"]:
        print_text(f"closed    at height {found['closed_at']}")
    if found["y"]:
        print_text(f"result    {found['y']['id']}")
    for output in found["outputs"] or ():
        print_text(f"output    {output}")


def _describe_size(job: dict[str, Any]) -> str:
    if job["task"]:
        return f"{job['kind']}, {job['units']} units"
    return f"{job['x']['rows']} x {job['x']['cols']} x {job['w']['rows']}"


def _describe_work(job: dict[str, Any]) -> list[str]:
    """Return what a job asks for, as lines of text."""
    if task := job["task"]:
        return [
            f"{task['kind']:<9} {task['spec']}",
            f"price of  {task['units']} units, {task['tickets']} of them tickets",
            *(f"input     {each}" for each in task["inputs"]),
        ]
    shapes = [f"{job[name]['rows']} x {job[name]['cols']}" for name in ("x", "w")]
    return [f"product   X {shapes[0]} times W {shapes[1]} transposed, {job['tickets']} tickets"]


def history(job: JobArgument, rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show what happened to a job: posted, claimed, lapsed, delivered, challenged, settled, cancelled."""
    found = call_rpc(rpc, "job_history", {"id": find_id(rpc, job, "job")})
    if json_:
        print_json(found)
        return
    for event in found["events"]:
        print_text(f"{event['height']:>8}  {_describe_event(event)}")


def record(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address of a worker or a poster.")],
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Show what became of all jobs that an account claimed or posted."""
    found = call_rpc(rpc, "job_trackRecord", {"address": address})
    if json_:
        print_json(found)
        return
    print_text(describe_worker(found["worker"]))
    print_text(describe_poster(found["poster"]))


def describe_worker(side: dict[str, Any]) -> str:
    """Return a worker's track record as three lines of text."""
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
    """Return what juries said, in one line."""
    return f"{side['disputed']} disputed: {side['rejected']} found not right, {side['undecided']} undecided"


def describe_poster(side: dict[str, Any]) -> str:
    """Return a poster's track record as three lines of text."""
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
    by = f" by {event['worker']}" if event["worker"] else ""
    of = f" of {event['worker']}" if event["worker"] else ""
    match kind:
        case "posted":
            return f"posted, {amount} burned"
        case "settled":
            return f"settled: {amount} to {event['worker']}"
        case "lapsed":
            return f"the claim{of} lapsed: its bond of {amount} is lost"
        case "challenged":
            return f"the result{of} was shown wrong: its bond of {amount} is lost"
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
            return f"{kind}{by}, bond {amount}"


def _describe_record(rpc: str, address: str, side: str) -> str:
    """Return an address's track record in a few words, in parentheses."""
    record = call_rpc(rpc, "job_trackRecord", {"address": address})[side]
    begun = record["posted"] if side == "poster" else record["claimed"]
    return f" ({record['settled']} of {begun} settled, {record['lapsed']} lapsed, {record['challenged']} shown wrong)"


def _read_shape(x: str, w: str, k: int | None) -> tuple[int, int, int]:
    """Return m, n and k of three numbers, or of two files."""
    if k is not None:
        if not x.isdecimal() or not w.isdecimal():
            fail("bad-shape", f"{x!r} and {w!r} are not numbers of rows", "give two files, or three numbers M N K")
        return int(x), int(w), k
    left, right = open_matrix(Path(x)), open_matrix(Path(w))
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        fail("bad-shape", f"X has the shape {left.shape} and W {right.shape}", "both need equally many columns")
    return left.shape[0], right.shape[0], left.shape[1]
