"""`inos wallet`: keys and wallets (`keys`), accounts on the chain (`account`), payments (`send`, `send_many`), voters
(`vote`).
"""

import typer

from inos.cli.wallet import account, import_key, keys, send, send_many, vote

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _wallet() -> None:
    """Create and restore wallets, show balances, send credits. Keys never leave this machine."""


app.command()(keys.create)
app.command()(keys.restore)
app.command()(import_key.import_key)
app.command()(keys.scan)
app.command("list")(keys.list_wallets)
app.command()(keys.address)
app.command()(account.balance)
app.command()(account.history)
app.command()(account.transaction)
app.command()(send.send)
app.command("send-many")(send_many.send_many)
app.command()(send.sign)
app.command()(send.broadcast)
app.command()(vote.vote)
app.command()(vote.unvote)
app.command()(vote.withdraw)
