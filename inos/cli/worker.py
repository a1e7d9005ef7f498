"""`inos worker`: multiply for a node."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inos.cli.common.output import fail, print_text

if TYPE_CHECKING:
    from inos.primitives.units import Address
    from inos.workers.client import Worker
    from inos.workers.messages import Totals

UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
MEMORY_PART: Final = 4
"""By default a piece takes at most this part of the machine's memory."""
BITS: Final = 1_000_000 // 8


def command(
    join: Annotated[str, typer.Option("--join", metavar="URL", help="The RPC address of the node to work for.")],
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="The node's fleet.token: the worker is one of its own."),
    ] = None,
    pay: Annotated[
        str | None, typer.Option("--pay", metavar="ADDRESS", help="The address that a pool pays for the shares.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, max=256, metavar="N", help="Default: one for each processor."),
    ] = None,
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="The kernel; see: inos work backends.")
    ] = "auto",
    piece: Annotated[
        str | None,
        typer.Option(
            "--piece",
            metavar="SIZE",
            help="The most memory for a piece of a product, such as 2GiB; 0 takes fillers only. Default: a quarter.",
        ),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option("--line", metavar="DOWN/UP", help="The line's speed in Mbit/s, such as 100/20, if it is known."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Shown to the node's operator. Default: the host's.")
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="debug|info|warning|error", help="The least level that is logged.")
    ] = "info",
) -> None:
    """Multiply for a node: fillers for its lottery, and pieces of the products that it is paid for.

    A worker of the node's own fleet shows the token that the node left in its data directory as fleet.token. Another
    one names an address, and is paid by the node's pool for its shares; every ten minutes it computes again what the
    pool should have paid, and warns if that is more than the pool says. On the node's own machine operands are mapped
    from the node's files. The worker connects again whenever the node was away. Ctrl-C ends it.
    """
    from inos.node.logs import LEVELS, configure_logs
    from inos.workers.client import Worker, WorkerOptions

    if log_level not in LEVELS:
        fail("bad-setting", f"--log-level {log_level!r} is not one of {', '.join(LEVELS)}")
    if (token_file is None) == (pay is None):
        fail("bad-setting", "a worker has either a fleet's token or an address", "give --token-file, or --pay")
    configure_logs(log_level, "console")
    used = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    down, up = (0, 0) if line is None else parse_line(line)
    backend = _choose_backend(backend, threads)
    options = WorkerOptions(
        url=join,
        token=None if token_file is None else _read_token(token_file),
        address=None if pay is None else parse_address(pay),
        name=socket.gethostname() if name is None else name,
        backend=backend,
        shown_backend=backend,
        threads=threads or used,
        room=_get_room() if piece is None else parse_size(piece),
        down=down,
        up=up,
    )
    printer = _TotalsPrinter()
    if pay is None:
        asyncio.run(_run(Worker(options, _ignore).run()))
    else:
        asyncio.run(_run(_work_for_pool(Worker(options, printer.show), printer, join, pay.strip())))


async def _work_for_pool(worker: "Worker", printer: "_TotalsPrinter", join: str, pay: str) -> None:
    """Work, and check beside it what the pool pays."""
    from inos.cli.common.pool_watch import make_rpc_url, watch_pool

    url, address = make_rpc_url(join), parse_address(pay)
    watching = asyncio.ensure_future(watch_pool(url, address, pay, lambda: printer.shares))
    try:
        await worker.run()
    finally:
        watching.cancel()


async def _run(work: Coroutine[Any, Any, None]) -> None:
    """Work until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print_text("the worker ends")


class _TotalsPrinter:
    """Prints what a stranger has earned, when it changes."""

    def __init__(self) -> None:
        self._last: Totals | None = None

    @property
    def shares(self) -> int:
        """Return how many shares the node has acknowledged."""
        return 0 if self._last is None else self._last.shares

    def show(self, totals: "Totals") -> None:
        from inos.primitives.units import format_credits

        if totals != self._last:
            self._last = totals
            unpaid, paid = format_credits(totals.unpaid), format_credits(totals.paid)
            print_text(f"{totals.shares} shares, {totals.tickets} tickets, {unpaid} credits unpaid, {paid} paid")


def _ignore(totals: "Totals") -> None:
    """Show nothing to a worker that nobody pays."""


def parse_size(text: str) -> int:
    """Return the bytes of a size such as 512MiB."""
    found = re.fullmatch(r"([0-9]{1,12})\s?([KMGT]iB)?", text)
    if found is None:
        fail("bad-setting", f"--piece {text!r} is no size", "write 0, or a whole number with MiB or GiB")
    return int(found[1]) * UNITS[found[2] or ""]


def parse_line(text: str) -> tuple[int, int]:
    """Return bytes per second, down and up, of a line such as 100/20 (Mbit/s)."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if found is None:
        fail("bad-setting", f"--line {text!r} is no line", "write Mbit/s down and up, such as 100/20")
    return int(found[1]) * BITS, int(found[2]) * BITS


def parse_address(text: str) -> "Address":
    """Return the 20 bytes of an address of any network; the node says which one it is on."""
    from inos.wallet.addresses import decode_address

    return decode_address(text.strip().rpartition("1")[0], text)


def _read_token(path: Path) -> bytes:
    from inos.rpc.server.token import read_token

    return bytes.fromhex(read_token(path.expanduser()))


def _choose_backend(name: str, threads: int | None) -> str:
    """Return the name of the backend that is used: for "auto" the fastest, which may be a graphics card.

    Raises:
        InvalidBackend: it cannot run here.
    """
    from inos.work.backends import AUTO, get_backend
    from inos.work.backends.choice import choose_backend, has_card_libraries

    return choose_backend(threads)[0] if name == AUTO and has_card_libraries() else get_backend(name).name


def _get_room() -> int:
    """Return a quarter of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEMORY_PART
