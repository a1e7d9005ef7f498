"""`inos job`: products posted and fetched (`post`), outputs of tasks fetched (`outputs`), jobs shown (`show`), followed
(`follow`) and proven (`receipt`)."""

import typer

from inos.cli.job import follow, outputs, post, receipt, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _job() -> None:
    """Post a product to be multiplied, follow it, fetch its result and receipt. The product is X times W transposed."""


app.command()(show.quote)
app.command()(post.post)
app.command("list")(show.list_jobs)
app.command("show")(show.show_job)
app.command()(show.history)
app.command()(show.record)
app.command()(follow.watch)
app.command()(post.result)
app.command()(outputs.outputs)
app.command()(receipt.receipt)
app.command()(post.dispute)
app.command()(post.cancel)
