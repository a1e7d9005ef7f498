"""`inos top`: one node, live on the terminal."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from inos.cli.common.options import DEFAULT_RPC, JsonOption, NodeDirOption, RpcOption, TokenFileOption
from inos.cli.common.output import EXIT_INTERRUPTED, print_json, print_text
from inos.cli.common.remote import Remote, find_remote

if TYPE_CHECKING:
    from inos.top.board import Board

FRAME_S: Final = 0.25
"""Changes that come closer together are drawn in one frame."""


def command(
    rpc: RpcOption = DEFAULT_RPC,
    data_dir: NodeDirOption = None,
    token_file: TokenFileOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and exit.")] = False,
    json_: JsonOption = False,
) -> None:
    """Show a node live: peers, height, rates in tickets/s and GOP/s, the job it works on, what it earns.

    The miner and its earnings need the node's token: give --data-dir or --token-file. After a lost connection the
    display resumes. With --json it prints one object and exits. Ctrl-C ends it.
    """
    from inos.top.board import Board

    node = find_remote(rpc, token_file, data_dir)
    board = Board(node.url, has_token=node.token is not None)
    try:
        asyncio.run(_run(board, node, is_once=once or json_, is_quiet=json_))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if json_:
        print_json(board.to_json())


async def _run(board: "Board", node: Remote, *, is_once: bool, is_quiet: bool) -> None:
    from inos.top.feed import Feed

    changed = asyncio.Event()
    with _screen(board, is_once=is_once, is_quiet=is_quiet) as draw:
        async with asyncio.TaskGroup() as group:
            feed = group.create_task(Feed(board, node.token, changed.set).run())
            while True:
                await changed.wait()
                changed.clear()
                if is_once and not board.is_whole:
                    continue
                draw()
                if is_once:
                    feed.cancel()
                    return
                await asyncio.sleep(FRAME_S)


@contextlib.contextmanager
def _screen(board: "Board", *, is_once: bool, is_quiet: bool) -> Iterator[Callable[[], Any]]:
    """Yield what draws a frame: a live screen on a terminal, a line for every change elsewhere, nothing with --json.

    A line is printed only once everything was received: it may be read by a program, and half of a board misleads it.
    """
    if is_quiet:
        yield lambda: None
        return
    from rich.console import Console
    from rich.live import Live

    from inos.top.view import render, render_line

    console = Console()
    if is_once:
        yield lambda: console.print(render(board))
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            yield lambda: live.update(render(board), refresh=True)
    else:
        yield lambda: print_text(render_line(board), flush=True) if board.is_whole or board.problem else None
