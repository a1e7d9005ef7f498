"""Where the commands of `inos evolve` find islands and records: a folder of this machine, or an id in the mesh."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias

import typer

from inos.cli.common.output import fail
from inos.client.blocking_client import BlockingClient
from inos.evolve.files import ChainedFiles, Files, FolderFiles, MeshFiles
from inos.evolve.island import FILES_FOLDER, STATE_FILE, read_state

SourceArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="FOLDER|ID", help="An island's folder, or the id of a record in the mesh.")
]
MeshOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--rpc", metavar="URL", help="Share files with the mesh by this node, and ask it for tasks. An id needs it."
    ),
]


NeighbourOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--neighbour", metavar="FOLDER", help="Another island on this machine whose files are read."),
]


class Source(NamedTuple):
    """A lineage's head, and where its files are. The head is None if the island has computed nothing yet."""

    head: bytes | None
    files: Files
    client: BlockingClient | None


@contextmanager
def open_source(text: str, rpc: str | None, neighbours: list[Path] | None = None) -> Iterator[Source]:
    """Open an island's folder, or a record of the mesh. Files of neighbours are read too.

    Raises:
        CommandError: "no-island".
    """
    folder = Path(text).expanduser()
    id = _read_id(text)
    if (folder / STATE_FILE).exists():
        head, places = read_state(folder).head, [FolderFiles(folder / FILES_FOLDER)]
    elif id is not None and rpc is not None:
        head, places = id, []
    else:
        fail("no-island", f"{text} is no island's folder, nor a record's id with --rpc", "inos evolve run makes one")
    places += [FolderFiles(each / FILES_FOLDER) for each in neighbours or ()]
    if rpc is None:
        yield Source(head, ChainedFiles(*places), None)
        return
    with BlockingClient(rpc) as client:
        yield Source(head, ChainedFiles(*places, MeshFiles(client)), client)


def _read_id(text: str) -> bytes | None:
    try:
        id = bytes.fromhex(text)
    except ValueError:
        return None
    return id if len(id) == 32 else None
