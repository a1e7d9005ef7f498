"""`inos wallet`: the commands about keys, balances and transfers."""

from inos.cli.wallet.commands import app

__all__ = ["app"]
