"""Options and arguments that several commands take, as annotated types, each with its name and help text.

An annotated type says nothing about the default: it stands in the command's signature, most often one of the
constants below.
"""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

DEFAULT_RPC: Final = "http://127.0.0.1:8645"
DEFAULT_NETWORK: Final = "devnet"
DEFAULT_DATA_DIR: Final = Path("~/.inos/node")
DEFAULT_WALLET: Final = "default"

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
NetworkOption: TypeAlias = Annotated[
    str,
    typer.Option("--network", envvar="INOS_NETWORK", metavar="NAME|FILE", help="A preset's name or a genesis file."),
]

# The node a command talks to

RpcOption: TypeAlias = Annotated[
    str, typer.Option("--rpc", envvar="INOS_RPC", metavar="URL", help="The RPC address of the node to talk to.")
]
TokenFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="The node's rpc.token file, which protected methods need."),
]
NodeDirOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="INOS_DATA_DIR",
        metavar="DIR",
        help="The running node's data directory; its address and token are read there.",
    ),
]
DataDirOption: TypeAlias = Annotated[
    Path, typer.Option("--data-dir", envvar="INOS_DATA_DIR", metavar="DIR", help="The node's data directory.")
]
DirNetworkOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--network", envvar="INOS_NETWORK", metavar="NAME|FILE", help="Default: the network of the data directory."
    ),
]
TimeoutOption: TypeAlias = Annotated[
    float, typer.Option("--timeout", min=1, metavar="SECONDS", help="Longest time to wait.")
]

# Wallets

WalletOption: TypeAlias = Annotated[str, typer.Option("--wallet", "-w", metavar="NAME", help="The wallet's name.")]
WalletDirOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--wallet-dir",
        envvar="INOS_WALLET_DIR",
        metavar="DIR",
        help="The directory with the wallets. Default: ~/.local/share/inos/wallets.",
        show_default=False,
    ),
]
IndexOption: TypeAlias = Annotated[
    int, typer.Option("--index", min=0, metavar="N", help="Which of the wallet's addresses to use, counted from 0.")
]
PasswordFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Read the wallet's password from a file instead of asking."),
]
FeeOption: TypeAlias = Annotated[
    str | None, typer.Option("--fee", metavar="CREDITS", help="The transaction's fee. Default: the node's estimate.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
QrOption: TypeAlias = Annotated[bool, typer.Option("--qr", help="Draw a QR code too.")]
UnsignedOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--unsigned",
        metavar="FILE",
        help="Send nothing; write the transaction to a file, for those who sign it: inos wallet sign FILE",
    ),
]

# Jobs

JobArgument: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its first digits.")]

# Measuring and multiplying on this machine

BackendOption: TypeAlias = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="The kernel to multiply with; see: inos work backends")
]
ThreadsOption: TypeAlias = Annotated[
    int | None, typer.Option("--threads", min=1, metavar="N", help="Threads to use. Default: one per processor.")
]
RoundsOption: TypeAlias = Annotated[
    int, typer.Option("--rounds", min=1, metavar="N", help="How often each figure is measured.")
]
SourcesOption: TypeAlias = Annotated[
    int, typer.Option("--sources", min=1, max=8, metavar="N", help="How many nodes serve the data.")
]
KeepOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--keep", metavar="DIR", help="Keep the chain in this directory, and reuse one that is there."),
]
