"""`inos finality`: what is final, and the signing journal that belongs to a voter's key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inos.cli.common.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_RPC,
    DataDirOption,
    DirNetworkOption,
    JsonOption,
    RpcOption,
)
from inos.cli.common.output import fail, print_json, print_progress, print_text
from inos.cli.common.remote import call_rpc
from inos.cli.common.stopped_node import choose_network
from inos.primitives.units import BlockId, Nano, format_credits

if TYPE_CHECKING:
    from inos.node.datadir import DataDir
    from inos.primitives.units import BlockId

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _finality() -> None:
    """Show what is final; export and import a voter's signing journal."""


@app.command()
def status(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show the last final and justified blocks, what is voted on, and the node's own voter."""
    found = call_rpc(rpc, "finality_status")
    if json_:
        print_json(found)
        return
    below = f"{found['unfinalized_blocks']} below the tip"
    print_text(f"final      block {found['final_height']}  {found['final']['id']}  ({below})")
    print_text(f"justified  block {found['justified_height']}  {found['justified']['id']}")
    for ballot in found["ballots"]:
        target = ballot["target"]
        print_text(
            f"voted on   epoch {target['epoch']}  {ballot['votes']} of {ballot['members']} votes received, "
            f"{_show(ballot['pot'])} credits in the pot"
        )
    print_text(f"voters     {found['voters']} registered, {len(found['slashable_keys'])} to be slashed")
    voter = found["voter"]
    if voter is not None:
        state = "registered" if voter["is_registered"] else "not registered"
        sent = f"{voter['votes_sent']} votes sent, the last one for epoch {voter['last_voted_epoch']}"
        print_text(f"own voter  {state}, {sent}")
        print_text(f"           key {voter['key']}")
        print_text(
            f"           bond {_show(voter['bond'])}, mined {_show(voter['mined'])} credits, {_show_part(found)}"
        )
        if voter["last_error"]:
            print_text(f"           {voter['last_error']}")


def _show(nano: str) -> str:
    return format_credits(Nano(int(nano)))


def _show_part(found: dict[str, Any]) -> str:
    """Show the own voter's weight as a part of what the network mined, of which more than half is needed to justify."""
    weight, mined = int(found["voter"]["weight"]), int(found["mined"])
    return f"which weigh {100 * weight / mined if mined else 0:.1f} % of the network's mining"


@app.command("export")
def export_journal(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write to. Default: the terminal.")
    ] = None,
    network: DirNetworkOption = None,
) -> None:
    """Write the signing journal in EIP-3076's interchange format, to be moved together with the key.

    The node must be stopped, and no node may start with this key again in the old place.
    """
    from inos.agents.voter.interchange import encode_interchange
    from inos.genesis import load_network
    from inos.node.voting import load_voter_secret, open_journal
    from inos.primitives.bls import get_bls

    net = load_network(choose_network(data_dir, network))
    with _open(data_dir, net.genesis_id) as data:
        secret = load_voter_secret(data, may_make=False)
        with open_journal(data, secret, net.genesis_id, get_bls()) as journal:
            text = encode_interchange(net.genesis_id, get_bls().compute_public_key(secret), journal.signed)
    if output is None:
        print_text(text, end="")
        return
    try:
        output.expanduser().write_text(text, "utf-8")
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror}")
    print_progress(f"written to {output}")


@app.command("import")
def import_journal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An EIP-3076 interchange, as `export` writes it.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    network: DirNetworkOption = None,
    json_: JsonOption = False,
) -> None:
    """Add the votes of an interchange to the signing journal, so that this key contradicts none of them."""
    from inos.agents.voter.interchange import decode_interchange
    from inos.genesis import load_network
    from inos.node.voting import load_voter_secret, open_journal
    from inos.primitives.bls import get_bls

    net = load_network(choose_network(data_dir, network))
    text = _read_interchange(file)
    with _open(data_dir, net.genesis_id) as data:
        secret = load_voter_secret(data, may_make=False)
        signed = decode_interchange(text, net.genesis_id, get_bls().compute_public_key(secret))
        with open_journal(data, secret, net.genesis_id, get_bls()) as journal:
            fresh = journal.note(signed)
            total = len(journal.signed)
    if json_:
        print_json({"read": len(signed), "new": fresh, "journal": total})
    else:
        print_text(f"{len(signed)} votes read, {fresh} of them new; the journal has {total} now")


def _read_interchange(file: Path) -> str:
    from inos.agents.voter.interchange import MAX_INTERCHANGE_BYTES

    try:
        with file.expanduser().open("rb") as stream:
            raw = stream.read(MAX_INTERCHANGE_BYTES + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        fail("file-unreadable", f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        fail("bad-interchange", f"{file} is not text")
    if len(raw) > MAX_INTERCHANGE_BYTES:
        fail("bad-interchange", f"{file} is larger than {MAX_INTERCHANGE_BYTES} bytes")
    return text


def _open(data_dir: Path, genesis: "BlockId") -> "DataDir":
    """Return the stopped node's data directory, which has a voter's key and is locked when it is entered."""
    from inos.node.datadir import DataDir

    path = data_dir.expanduser()
    if not path.is_dir():
        fail("no-data-dir", f"there is no node's data in {path}", "give the --data-dir the node was started with")
    if not (path / "voter.key").exists():
        fail("no-voter-key", f"there is no voter's key in {path}", "inos node --vote makes one")
    return DataDir(path, genesis)
