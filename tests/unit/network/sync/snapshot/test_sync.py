"""The pure parts of sync: the block window, the transaction tracker, the wanted matrices."""

from inos.chain.checked import CheckedBlock
from inos.mesh.store import MatrixInfo
from inos.network.sync.blocks.window import Body, Window
from inos.network.sync.matrices.wanted import SLOW_S, Allocate, FetchHead, FetchRun, WantedMatrices
from inos.network.sync.relay.transactions import TransactionTracker
from inos.primitives.blocks import compute_block_id
from support.network_fakes import GENESIS_ID, WITNESS, make_chain

BLOCKS = make_chain(8)
CHECKED = CheckedBlock(BLOCKS[0], WITNESS)
IDS = [compute_block_id(block.header) for block in BLOCKS]
WANTED = [(id, block.header.parent, block.header.height) for id, block in zip(IDS, BLOCKS, strict=True)]


def fill(window, peer, ids):
    for id in ids:
        window.put(peer, Body(id, BLOCKS[IDS.index(id)], WITNESS, 100), 0.0)
        assert window.take_unchecked()[0].id == id
        window.set_checked(id, 0.0, 0.0, CHECKED)


def pop_all(window):
    popped = []
    while run := window.pop_ready(2):
        for ready in run:
            popped.append(ready.body.id)
            window.remove(ready.body.id)
    return popped


def test_blocks_are_shared_out_and_handed_on_in_order():
    window = Window(100, 10_000)
    assert window.want(WANTED, 0.0) == 8
    assert window.want(WANTED, 0.0) == 0
    assert window.take("a", 99, 3, 0.0) == IDS[:3]
    assert window.take("b", 5, 9, 0.0) == IDS[3:5]
    fill(window, "b", IDS[3:5])
    assert pop_all(window) == []
    fill(window, "a", IDS[:3])
    assert pop_all(window) == IDS[:5]


def test_what_a_peer_did_not_deliver_goes_to_another_and_to_it_again_later():
    window = Window(100, 10_000)
    window.want(WANTED[:2], 0.0)
    assert window.take("a", 9, 9, 0.0) == IDS[:2]
    assert window.take("b", 9, 9, 0.0) == []
    window.give_back("a", IDS[:2], 0.0)
    assert window.take("a", 9, 9, 1.0) == []
    assert window.take("b", 9, 1, 1.0) == IDS[:1]
    assert window.take("a", 9, 9, 6.0) == IDS[1:2]


def test_a_withheld_chain_holds_up_no_other():
    window = Window(100, 10_000)
    fork = [compute_block_id(block.header) for block in make_chain(3, nonce=9)]
    window.want([(fork[0], GENESIS_ID, 1), (fork[1], fork[0], 2)], 0.0)
    window.want(WANTED[:2], 0.0)
    fill(window, "a", IDS[:2])
    assert pop_all(window) == IDS[:2]
    assert len(window) == 2


def test_the_window_is_bounded_in_blocks_and_bytes_and_never_stuck():
    window = Window(4, 150)
    assert window.want(WANTED, 0.0) == 4
    window.take("a", 9, 9, 0.0)
    fill(window, "a", IDS[2:4])
    window.give_back("a", IDS[:2], 0.0)
    # Over its bytes only the block that lets the others go is asked for.
    assert window.take("b", 9, 9, 0.0) == IDS[:1]
    window.postpone(IDS[3], 10.0)
    assert window.want(WANTED[3:4], 9.0) == 0
    assert window.want(WANTED[3:4], 10.0) == 1
    window.keep([IDS[0]])
    assert len(window) == 1


def test_transactions_are_asked_of_one_peer_at_a_time():
    tracker = TransactionTracker(limit=8)
    tracker.announce("a", b"1")
    tracker.announce("b", b"1")
    assert tracker.take("a", 9) == [b"1"]
    assert tracker.take("b", 9) == []
    tracker.give_back("a", [b"1"])
    assert tracker.take("a", 9) == []
    assert tracker.take("b", 9) == [b"1"]
    tracker.settle(b"1")
    tracker.give_back("b", [b"1"])
    assert len(tracker) == 0


def test_one_peer_cannot_fill_the_tracker_and_its_leaving_cleans_up():
    tracker = TransactionTracker(limit=8)
    for number in range(100):
        tracker.announce("liar", b"%d" % number)
    assert len(tracker) == 2
    tracker.announce("b", b"true")
    assert len(tracker) == 3
    tracker.forget("liar")
    assert len(tracker) == 1


INFO = MatrixInfo(1, 16 * 40, 1024, b"\x03" * 32)


def begin(wants, id, peer="a"):
    question = wants.take(peer, 0.0, lambda id, limit: [])
    assert question == Allocate(id, INFO)
    assert wants.take("b", 0.0, lambda id, limit: [0]) is None  # not before there is room
    wants.set_begun(id)
    wants.release(peer, question, 0.0, is_lacking=False)


def test_runs_are_shared_out():
    wants = WantedMatrices(ahead_bytes=0)
    missing = [0, 1, 3]
    assert wants.add(b"m", INFO, 100.0)
    begin(wants, b"m")
    first, second, third = (wants.take(peer, 0.0, lambda id, limit: missing) for peer in "aba")
    assert [first, second, third] == [FetchRun(b"m", 0), FetchRun(b"m", 1), FetchRun(b"m", 3)]
    assert wants.take("b", 0.0, lambda id, limit: missing) is None
    wants.release("a", first, 0.0, is_lacking=True)
    assert wants.take("a", 0.5, lambda id, limit: missing) is None
    assert wants.take("b", 0.5, lambda id, limit: missing) == FetchRun(b"m", 0)


def test_a_slow_peers_run_is_asked_of_one_more():
    wants = WantedMatrices(ahead_bytes=0)
    wants.add(b"m", INFO, 100.0)
    begin(wants, b"m")
    assert wants.take("a", 0.0, lambda id, limit: [7]) == FetchRun(b"m", 7)
    assert wants.take("b", SLOW_S / 2, lambda id, limit: [7]) is None
    assert wants.take("a", SLOW_S, lambda id, limit: [7]) is None
    assert wants.take("b", SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)
    assert wants.take("c", 3 * SLOW_S, lambda id, limit: [7]) is None
    wants.release("a", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=True)
    assert wants.take("c", 3 * SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)
    wants.release("b", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=False)
    wants.release("c", FetchRun(b"m", 7), 3 * SLOW_S, is_lacking=False)
    assert wants.take("b", 3 * SLOW_S, lambda id, limit: [7]) == FetchRun(b"m", 7)


def test_an_unknown_matrix_is_first_asked_for_its_head():
    wants = WantedMatrices(ahead_bytes=0)
    wants.add(b"m", None, 100.0)
    assert wants.take("a", 0.0, lambda id, limit: []) == FetchHead(b"m")
    assert wants.take("b", 0.0, lambda id, limit: []) is None
    wants.release("a", FetchHead(b"m"), 0.0, is_lacking=True)
    assert wants.take("b", 0.0, lambda id, limit: []) == FetchHead(b"m")
    assert wants.expire(100.0) == [b"m"]
    assert len(wants) == 0


def test_what_is_fetched_ahead_of_need_fits_a_budget():
    size = 16 * 40 * 1024
    wants = WantedMatrices(ahead_bytes=2 * size)
    assert [wants.add(bytes([i]), INFO, 9.0, is_prefetch=True) for i in range(3)] == [True, True, False]
    assert wants.add(b"\x00", INFO, 9.0)
    assert wants.add(b"\x02", INFO, 9.0, is_prefetch=True)
