"""`inos function`: WebAssembly commands, on this machine (`local`) and by miners (`calls`)."""

import typer

from inos.cli.function import calls, local

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _function() -> None:
    """Check and run WebAssembly commands that give the same answer on every machine."""


app.command()(local.check)
app.command("run")(local.run_function)
app.command()(calls.deploy)
app.command()(calls.call)
