"""Tests a chain in a file: exported from one node, imported into another, interrupted anywhere, damaged anywhere."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from inos.bench.chains import make_chain, make_network
from inos.chain.ledger import Ledger
from inos.cli.main import app
from inos.core.errors import NodeError
from inos.core.verification.results import StoredResults
from inos.genesis import Network, load_network
from inos.mesh.store import MatrixStore
from inos.node.archive import export_chain, import_chain
from inos.node.archive.frames import (
    MAGIC,
    MAX_FRAME,
    End,
    FrameReader,
    FrameWriter,
    Head,
    Kind,
    SealedBlock,
    encode_matrix_head,
)
from inos.primitives.blocks import compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.clock import SystemClock
from inos.primitives.codec import decode, encode
from inos.primitives.errors import InosError, RuleViolation
from inos.primitives.matrices import DType
from inos.primitives.units import BlockId, Height, MatrixId, TimeMs
from support.field_changes import change_fields

BLOCKS = 9


def be_quiet(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of


@contextmanager
def open_stores(folder: Path, network: Network) -> Iterator[tuple[Ledger, MatrixStore]]:
    store = MatrixStore(folder / "matrices")
    results = StoredResults(store)
    ledger = Ledger.open(
        folder / "ledger", network.params, network.state, results=results, bls=get_bls(), is_durable=False
    )
    try:
        yield ledger, store
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Network, bytes]:
    """Return a folder with the chain `node` in it, its network, and the file to which it was exported."""
    folder = tmp_path_factory.mktemp("archive")
    chain = make_chain(folder / "node", BLOCKS, 2, network=write_network(folder))
    net = load_network(str(chain.network))
    with open_stores(folder / "node", net) as (ledger, store):
        found = export_chain(ledger.view, store, folder / "chain", be_quiet)
    assert (found.first, found.last, found.blocks, found.taken_up) == (1, BLOCKS, BLOCKS, 0)
    data = (folder / "chain").read_bytes()
    assert found.bytes == len(data)
    return folder, net, data


def write_network(folder: Path) -> Path:
    make_network(folder / "genesis.json", BLOCKS)
    return folder / "genesis.json"


def take_in(folder: Path, net: Network, file: Path) -> Any:
    with open_stores(folder, net) as (ledger, store):
        try:
            return import_chain(ledger, store, file, SystemClock(), be_quiet)
        finally:
            ledger.check()


def test_what_goes_out_comes_in_and_a_second_time_nothing_is_new(made: Any, tmp_path: Path) -> None:
    folder, net, _ = made
    found = take_in(tmp_path, net, folder / "chain")
    assert (found.height, found.blocks, found.known) == (BLOCKS, BLOCKS, 0)
    again = take_in(tmp_path, net, folder / "chain")
    assert (again.height, again.known) == (BLOCKS, BLOCKS)
    with open_stores(folder / "node", net) as (mine, _), open_stores(tmp_path, net) as (theirs, _):
        assert mine.view.tip == theirs.view.tip


@given(data=st.data())
def test_a_file_spoiled_anywhere_is_refused_and_costs_nothing_that_was_right(
    made: Any, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    _, net, whole = made
    folder = tmp_path_factory.mktemp("spoiled")
    at = data.draw(st.integers(0, len(whole) - 1))
    spoiled = bytearray(whole)
    if data.draw(st.booleans()):
        spoiled[at] ^= data.draw(st.integers(1, 255))
    else:
        del spoiled[at:]
    (folder / "file").write_bytes(spoiled)
    with pytest.raises(NodeError) as error:
        take_in(folder / "node", net, folder / "file")
    assert error.value.code in ("archive-damaged", "archive-truncated", "not-an-archive")
    (folder / "file").write_bytes(whole)
    assert take_in(folder / "node", net, folder / "file").height == BLOCKS


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99, 1.0])
def test_an_export_that_was_broken_off_is_gone_on_with(made: Any, tmp_path: Path, share: float) -> None:
    folder, net, whole = made
    part = tmp_path / "chain.part"
    part.write_bytes(whole[: int(share * len(whole))])
    with open_stores(folder / "node", net) as (ledger, store):
        found = export_chain(ledger.view, store, tmp_path / "chain", be_quiet)
    assert (tmp_path / "chain").read_bytes() == whole
    assert found.taken_up == (BLOCKS if share == 1.0 else found.taken_up)
    assert (found.taken_up > 0) == (share >= 0.3)
    assert not part.exists()


def test_a_part_of_another_chain_is_not_gone_on_with(made: Any, tmp_path: Path) -> None:
    folder, net, whole = made
    other = make_chain(tmp_path / "other", BLOCKS - 2, network=folder / "genesis.json", seed=2)
    assert other.tip
    with open_stores(tmp_path / "other", net) as (ledger, store):
        export_chain(ledger.view, store, tmp_path / "file.part", be_quiet)
    with open_stores(folder / "node", net) as (ledger, store):
        assert export_chain(ledger.view, store, tmp_path / "file", be_quiet).taken_up == 0
        with pytest.raises(NodeError) as error:
            export_chain(ledger.view, store, tmp_path / "file", be_quiet)
    assert error.value.code == "archive-exists"
    assert (tmp_path / "file").read_bytes() == whole


def test_a_file_of_protocol_1_says_what_it_is_and_makes_nothing(made: Any, tmp_path: Path) -> None:
    folder, _, whole = made
    (tmp_path / "old").write_bytes(b"INOSCHN1" + whole[len(MAGIC) :])
    place = ("--data-dir", str(tmp_path / "node"), "--network", str(folder / "genesis.json"))
    done = CliRunner().invoke(app, ["db", "import", str(tmp_path / "old"), *place])
    assert done.exit_code == 1
    assert f"[old-protocol]: {tmp_path / 'old'} is an exported chain of protocol 1, this program follows 2" in " ".join(
        done.output.split()
    )
    assert not (tmp_path / "node").exists()


def test_each_field_of_a_file_counts(made: Any, tmp_path: Path) -> None:
    """Each is changed alone, with checksums that fit: nothing of the block is kept, and the error is readable."""
    folder, net, _ = made
    with FrameReader(folder / "chain") as frames:
        whole = list(frames)
    first = next(at for at, frame in enumerate(whole) if frame.kind is Kind.BLOCK)
    kept = [frame.payload for frame in whole[: first + 1]]
    end = End(1, sum(frame.kind is Kind.MATRIX for frame in whole[:first]), decode_tip(kept[first]))
    plain = [*zip((frame.kind for frame in whole), kept, strict=False), (Kind.END, encode(end))]
    file, count = tmp_path / "chain", 0
    with open_stores(tmp_path / "node", net) as (ledger, store):
        for at, (kind, payload) in enumerate(plain):
            for path, changed in change_fields(payload):
                write_frames(file, [*plain[:at], (kind, changed), *plain[at + 1 :]])
                what = f"{kind.name} {path}"
                with pytest.raises(InosError) as refused:
                    import_chain(ledger, store, file, SystemClock(), be_quiet)
                assert refused.value.message, what
                count += 1
                if kind is not Kind.END:
                    assert ledger.view.tip.header.height == 0, f"{what} was stored"
        assert store.list_ids() == []
        ledger.check()
        write_frames(file, plain)
        assert import_chain(ledger, store, file, SystemClock(), be_quiet).height == 1
    assert count > 100


def decode_tip(payload: bytes) -> BlockId:
    return compute_block_id(decode(SealedBlock, payload, limit=MAX_FRAME).block.header)


def write_frames(path: Path, frames: Sequence[tuple[Kind, bytes]]) -> None:
    with path.open("wb") as file:
        file.write(MAGIC)
        writer = FrameWriter(file)
        for kind, payload in frames:
            writer.write(kind, payload)


def test_a_matrix_under_another_id_is_refused_and_not_kept(made: Any, tmp_path: Path) -> None:
    _, net, _ = made
    array = np.ones((16, 1024), np.int8)
    payload = encode_matrix_head(MatrixId(bytes(32)), DType.INT7, 16, 1024) + array.tobytes()
    write_frames(tmp_path / "chain", [(Kind.HEAD, encode(Head(net.genesis_id, 1))), (Kind.MATRIX, payload)])
    with open_stores(tmp_path / "node", net) as (ledger, store):
        with pytest.raises(NodeError, match="does not match its id"):
            import_chain(ledger, store, tmp_path / "chain", SystemClock(), be_quiet)
        assert store.list_ids() == []


@pytest.mark.parametrize("order", ["no head", "two heads", "head later", "no block", "nothing"])
def test_frames_in_another_order_are_refused(made: Any, tmp_path: Path, order: str) -> None:
    folder, net, _ = made
    with FrameReader(folder / "chain") as frames:
        head, *blocks, end = [(frame.kind, frame.payload) for frame in frames]
    orders = {
        "no head": [*blocks, end],
        "two heads": [head, head, *blocks, end],
        "head later": [blocks[0], head, *blocks[1:], end],
        "no block": [head, end],
        "nothing": [],
    }
    write_frames(tmp_path / "chain", orders[order])
    with open_stores(tmp_path / "node", net) as (ledger, store):
        with pytest.raises(NodeError) as refused:
            import_chain(ledger, store, tmp_path / "chain", SystemClock(), be_quiet)
        assert refused.value.code in ("archive-damaged", "archive-truncated")


def test_an_invalid_block_stops_it_and_what_came_before_stays(made: Any, tmp_path: Path) -> None:
    folder, net, _ = made
    bad = tmp_path / "bad"
    with FrameReader(folder / "chain") as frames, bad.open("wb") as file:
        file.write(MAGIC)
        writer, height = FrameWriter(file), 0
        for frame in frames:
            height += frame.kind is Kind.BLOCK
            payload = bytearray(frame.payload)
            if height == 5:
                payload[-40] ^= 1  # in the witness
            writer.write(frame.kind, bytes(payload))
    with open_stores(tmp_path / "node", net) as (ledger, store):
        with pytest.raises(RuleViolation):
            import_chain(ledger, store, bad, SystemClock(), be_quiet)
        assert ledger.view.tip.header.height == 4
    assert take_in(tmp_path / "node", net, folder / "chain").known == 4


def test_a_file_that_begins_later_says_what_is_missing(made: Any, tmp_path: Path) -> None:
    folder, net, _ = made
    late = tmp_path / "late"
    with FrameReader(folder / "chain") as frames, late.open("wb") as file:
        file.write(MAGIC)
        writer = FrameWriter(file)
        writer.write(Kind.HEAD, encode(Head(net.genesis_id, 2)))
        kept = [frame for frame in frames if frame.kind is Kind.BLOCK][1:]
        for frame in kept:
            writer.write(frame.kind, frame.payload)
    with pytest.raises(InosError) as error:
        take_in(tmp_path / "node", net, late)
    assert error.value.code == "archive-gap"


async def test_results_are_checked_with_the_matrices_that_come_along(lab: Any, tmp_path: Path) -> None:
    core = lab.open("worker")
    job = await lab.post_and_claim(core)
    await core.matrices.put(lab.y)
    await core.transactions.add(lab.submit(job))
    await lab.extend(core)
    lab.clock.now += 10**6
    files = {}
    for has_matrices in (True, False):
        path = tmp_path / f"with-{has_matrices}"
        made = export_chain(core.ledger, core.matrices.store, path, be_quiet, has_matrices=has_matrices)
        assert (made.matrices, made.absent) == ((3, 0) if has_matrices else (0, 3))
        files[has_matrices] = path
    with open_stores(tmp_path / "a", lab.network) as (ledger, store):
        with pytest.raises(NodeError) as error:
            import_chain(ledger, store, files[False], lab.clock, be_quiet)
        assert (error.value.code, ledger.view.tip.header.height) == ("matrices-missing", 2)
        found = import_chain(ledger, store, files[True], lab.clock, be_quiet)
        ledger.retry_held(TimeMs(0))
        assert (found.matrices, ledger.view.tip.id) == (3, core.ledger.tip.id)
    with open_stores(tmp_path / "b", lab.network) as (ledger, store):
        assert import_chain(ledger, store, files[True], lab.clock, be_quiet).height == 3
        assert ledger.view.get_block_id(Height(3)) == core.ledger.tip.id


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_as_typed(made: Any, tmp_path: Path) -> None:
    folder, _, whole = made
    network = ("--network", str(folder / "genesis.json"))
    place = ("--data-dir", str(folder / "node"))
    out = invoke("db", "export", str(tmp_path / "file"), *place, *network)
    assert (out.exit_code, f"{BLOCKS} blocks, 1 to {BLOCKS}" in out.stdout) == (0, True), out.output
    assert (tmp_path / "file").read_bytes() == whole
    new = ("--data-dir", str(tmp_path / "new"))
    wrong = invoke("db", "import", str(tmp_path / "file"), *new, "--network", "devnet", "--json")
    assert json.loads(wrong.stdout)["error"]["code"] == "other-genesis"
    (tmp_path / "text").write_text("hello")
    for name, code in (("text", "not-an-archive"), ("nothing", "archive-unreadable"), (".", "archive-unreadable")):
        wrong = invoke("db", "import", str(tmp_path / name), *new, *network, "--json")
        assert (wrong.exit_code, json.loads(wrong.stdout)["error"]["code"]) == (1, code)
    assert not (tmp_path / "new").exists()
    taken = invoke("db", "import", str(tmp_path / "file"), *new, *network, "--json")
    assert json.loads(taken.stdout) == {"first": 1, "blocks": BLOCKS, "known": 0, "matrices": 0, "height": BLOCKS}
    assert invoke("db", "check", *new, *network).exit_code == 0
    empty = invoke("db", "export", str(tmp_path / "none"), "--data-dir", str(tmp_path / "no"), *network, "--json")
    assert json.loads(empty.stdout)["error"]["code"] == "no-database"
