"""Tables for terminals of any width: a narrow one gets fewer columns, since a cut number misleads."""

from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

NARROW: Final = 70
"""Terminals with fewer columns get the narrow form."""


class ByWidth:
    """Shows one of two forms, by the width of the terminal that it is drawn on."""

    def __init__(self, wide: RenderableType, narrow: RenderableType) -> None:
        self._wide = wide
        self._narrow = narrow

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._wide if options.max_width >= NARROW else self._narrow
