"""`inos completion`: the script with which a shell completes commands and options."""

from enum import StrEnum
from typing import Annotated, Final

import typer

_FIRST_TAB: Final = '[[ "$funcstack[1]" = _inos ]] && _inos_completion "$@"'
"""zsh reads the script from fpath at the first Tab, and the script must answer that Tab as well."""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(shell: Annotated[Shell, typer.Argument(help="The shell to print the script for.")]) -> None:
    """Print the completion script of a shell.

    bash: inos completion bash > ~/.local/share/bash-completion/completions/inos
    zsh:  inos completion zsh > ~/.zfunc/_inos   (and: fpath+=~/.zfunc; autoload -Uz compinit; compinit)
    fish: inos completion fish > ~/.config/fish/completions/inos.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # public, but not in __all__

    print(get_completion_script(prog_name="inos", complete_var="_INOS_COMPLETE", shell=shell.value))
    if shell is Shell.ZSH:
        print(_FIRST_TAB)
