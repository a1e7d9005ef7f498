"""`--data-dir` in every command that talks to a node: it stands for the address of the node that runs there."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common.remote import find_rpc

HELP: Final = "The running node's data directory, in place of --rpc."
_RPC: Final = "--rpc"


def add_data_dir(command: Any) -> None:
    """Give `--data-dir` to a command and to all below it, where they take `--rpc` and have none."""
    for below in getattr(command, "commands", {}).values():
        add_data_dir(below)
    named = {name: parameter for parameter in command.params for name in parameter.opts}
    if _RPC not in named or "--data-dir" in named:
        return
    rpc = named[_RPC]
    rpc.callback = _find_address
    command.params.insert(command.params.index(rpc) + 1, _make_option())


def _make_option() -> Any:
    """Return the option, made by typer from a function that takes it alone."""

    def template(
        data_dir: Annotated[
            str | None,
            typer.Option(
                "--data-dir",
                envvar="INOS_DATA_DIR",
                metavar="DIR",
                help=HELP,
                expose_value=False,
                is_eager=True,
                callback=_keep_data_dir,
            ),
        ] = None,
    ) -> None:
        """Never run."""

    app = typer.Typer(add_completion=False)
    app.command()(template)
    made: Any = typer.main.get_command(app)
    return next(parameter for parameter in made.params if "--data-dir" in parameter.opts)


def _keep_data_dir(ctx: typer.Context, value: str | None) -> None:
    """Remember the directory; being eager, the option is read before --rpc."""
    ctx.meta[HELP] = value


def _find_address(ctx: Any, parameter: Any, value: str) -> str:
    data_dir = ctx.meta.get(HELP)
    return value if data_dir is None else find_rpc(value, Path(data_dir).expanduser())
