"""`inos evolve`: islands of genomes, on this machine and by miners."""

import typer

from inos.cli.evolve import looking, running

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _evolve() -> None:
    """Evolve genomes in islands, on this machine or by miners; look at lineages, and compute them again."""


app.command()(running.run)
app.command()(running.join)
app.command()(looking.show)
app.command()(looking.replay)
