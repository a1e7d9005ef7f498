"""`inos job`: the commands about paid products."""

from inos.cli.job.commands import app

__all__ = ["app"]
