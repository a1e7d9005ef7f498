"""`inos wallet`: keys and wallets (`keys`), accounts on the chain (`account`), payments (`send`, `send_many`),
signing elsewhere (`sign`), voters (`vote`).
"""

import typer

from inos.cli.wallet import (
    account,
    contacts,
    export_key,
    import_key,
    keys,
    message,
    replace,
    request,
    send,
    send_many,
    sign,
    vote,
    watch,
)

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _wallet() -> None:
    """Create and restore wallets, show balances, send credits. Keys never leave this machine."""


app.command()(keys.create)
app.command()(keys.restore)
app.command()(import_key.import_key)
app.command()(export_key.export_key)
app.command()(export_key.public_key)
app.command()(watch.watch)
app.command()(watch.multisig)
app.command()(watch.connect)
app.command()(keys.scan)
app.command("list")(keys.list_wallets)
app.command()(keys.address)
app.command()(request.request)
app.command()(account.balance)
app.command()(account.history)
app.command()(account.transaction)
app.add_typer(contacts.app, name="contacts")
app.command()(send.send)
app.command("send-many")(send_many.send_many)
app.command()(replace.bump)
app.command()(replace.cancel)
app.command()(sign.sign)
app.command()(sign.combine)
app.command()(sign.broadcast)
app.command("sign-message")(message.sign_text)
app.command("verify-message")(message.verify_text)
app.command()(vote.vote)
app.command()(vote.unvote)
app.command()(vote.withdraw)
