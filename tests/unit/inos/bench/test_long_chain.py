"""Tests the chain that is written straight into a database: nodes take it for one that was synced."""

from pathlib import Path

from inos.bench.long_chain import REAL, make_long_chain
from inos.chain.checking import check_database
from inos.chain.ledger import Ledger
from inos.core.verification.results import StoredResults
from inos.genesis import load_network
from inos.mesh.store import MatrixStore
from inos.primitives.bls import get_bls
from inos.primitives.units import Height


def test_long_chain_is_whole_and_can_be_continued(tmp_path: Path) -> None:
    blocks = REAL + 20
    chain = make_long_chain(tmp_path, blocks, 10)
    network = load_network(str(chain.network))
    results = StoredResults(MatrixStore(tmp_path / "matrices"))
    ledger = Ledger.open(tmp_path / "ledger", network.params, network.state, results=results, bls=get_bls())
    try:
        assert (ledger.view.tip.id, ledger.view.tip.header.height) == (chain.tip, blocks)
        assert check_database(ledger, lambda what, done, of: None).blocks == blocks
        ids = [ledger.view.get_block_id(Height(height)) for height in (blocks - 10, blocks - 9)]
        assert [block is not None and ledger.view.get_witness(block) is not None for block in ids] == [False, True]
        context, _ = ledger.compute_next()
        assert context.parent_id == chain.tip
        assert ledger.view.tip.weight == blocks
    finally:
        ledger.close()
