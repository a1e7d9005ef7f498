"""The `inos` command: names and one-line helps; the module of a command is loaded when the command is called."""

import importlib
import io
import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from inos.cli.common.data_dirs import add_data_dir
from inos.cli.common.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    CommandError,
    print_error,
    print_text,
    to_inos_error,
)

COMMANDS: Final = {
    "bench": "Measure this machine: products, sync, matrices, links between nodes, signatures.",
    "completion": "Print the completion script of a shell: bash, zsh or fish.",
    "db": "Check, compact, export, import or recheck a stopped node's database.",
    "devnet": "Start a network of several nodes on this machine, with paid jobs and a live view.",
    "doctor": "Check this machine and its node, and say how to fix what is wrong.",
    "evolve": "Evolve genomes in islands, here or by miners; show and replay lineages.",
    "faucet": "Give away credits of a test network by a web page, within limits.",
    "finality": "Show what is final; export and import a voter's signing journal.",
    "function": "Check and run WebAssembly commands that give the same answer everywhere, here or by miners.",
    "genesis": "List networks, show one's parameters and genesis id, make a devnet of your own.",
    "job": "Post a product to be multiplied, follow it, fetch its result and receipt.",
    "learn": "Show, replay and go on with training whose every step is verified.",
    "light": "Follow headers, seals and votes only, and answer for accounts with proof.",
    "matmul": "Multiply two files of numbers, on this machine or by paid jobs.",
    "mesh": "Show and manage the matrices that a node stores: put, get, pin, drop, quota.",
    "node": "Run one node, mining or only following.",
    "peers": "Show a node's peers, reachability, known addresses and bans; lift bans.",
    "program": "Check, price and run programs of integer matrix operations, here or by miners.",
    "rpc": "Call any RPC method of a node.",
    "snapshot": "Copy a node's data, also while it runs; another node can start on the copy.",
    "status": "Show a node's sync, peers, tip and health.",
    "top": "Show a node live: peers, height, rates, the job it works on, what it earns.",
    "verify": "Check the receipt of a product, without a node.",
    "wallet": "Create and restore wallets, show balances, send credits.",
    "work": "Mine, verify and inspect matrices on this machine, without a node.",
    "worker": "Multiply for a node, on its machine or another one.",
}
"""Help texts stand here, so that `inos --help` imports none of the commands."""

UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
"""What typer raises for wrong usage; it exports only subclasses of it."""


def load_command(name: str) -> Any:
    """Return the command of `inos.cli.<name>`: a group from its `app`, or a single one from its `command`."""
    module = importlib.import_module(f"inos.cli.{name}")
    if hasattr(module, "app"):
        command: Any = typer.main.get_group(module.app)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name, cls=getattr(module, "NodeCommand", TyperCommand))(module.command)
        command = typer.main.get_command(app)
    add_data_dir(command)
    command.name = name
    command.help = command.help or COMMANDS[name]
    return command


class LazyGroup(TyperGroup):
    """A group whose commands are stubs until one is called, and which prints errors for people."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, text in COMMANDS.items():
            self.add_command(TyperCommand(name, help=text))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except typer.Abort:  # Ctrl-C or the end of input at a prompt
            print_error(CommandError("aborted", "stopped at a prompt; nothing was done"), as_json=as_json)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except UsageError as error:
            if not as_json:
                raise
            hint = "" if error.ctx is None else f"{error.ctx.command_path} --help shows the usage"
            print_error(CommandError("usage", error.format_message(), hint=hint), as_json=True)
            raise typer.Exit(EXIT_USAGE) from None
        except Exception as error:
            known = to_inos_error(error)
            if known is None:
                raise
            print_error(known, as_json=as_json)
            raise typer.Exit(EXIT_FAILED) from None


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print_text(f"inos {version('inos')}")
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _inos(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """INOS is a chain whose miners earn blocks by multiplying matrices that people pay for.

    Every command has its own --help.
    """


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    _prepare_streams()
    for name in ("COLUMNS", "LINES"):
        if os.environ.get(name, "1") in ("", "0"):  # set so by some editors and CI systems; it would hide all text
            del os.environ[name]
    try:
        app(prog_name="inos")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has read enough
        _silence_output()
        sys.exit(EXIT_FAILED)
    except OSError as error:  # the terminal, or the file in its place, cannot be written
        _silence_output()
        print_text(f"error [output]: the output cannot be written: {error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _prepare_streams() -> None:
    """Treat a closed input as an empty one, and print a question mark for what the output's encoding lacks."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_output() -> None:
    """Redirect the output to nowhere, so that the interpreter's last flush does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
