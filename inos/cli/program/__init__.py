"""`inos program`: programs of integer matrix operations, on this machine (`local`) and by miners (`calls`)."""

import typer

from inos.cli.program import calls, local

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _program() -> None:
    """Check, price and run programs of integer matrix operations, on this machine or by miners."""


app.command()(local.check)
app.command()(local.cost)
app.command()(local.run)
app.command()(calls.deploy)
app.command()(calls.call)
