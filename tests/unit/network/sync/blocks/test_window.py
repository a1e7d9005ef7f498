"""The window of wanted blocks, without any I/O."""

from hypothesis import given
from hypothesis import strategies as st

from inos.chain.checked import CheckedBlock
from inos.network.sync.blocks.window import Body, Window
from inos.primitives.blocks import compute_block_id
from support.network_fakes import GENESIS_ID, WITNESS, make_chain

BLOCKS = make_chain(8)
CHECKED = CheckedBlock(BLOCKS[0], WITNESS, ())
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


def test_a_pruned_peer_is_asked_for_nothing_that_it_lacks():
    window = Window(100, 10_000)
    window.want(WANTED, 0.0)
    assert window.take("pruned", 99, 9, 0.0, 4) == IDS[3:]
    assert window.find_lowest() == 1
    assert window.take("a", 99, 9, 0.0, 1) == IDS[:3]
    assert window.find_lowest() is None


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
    # Above its limit of bytes, the window requests only the block that the others wait for.
    assert window.take("b", 9, 9, 0.0) == IDS[:1]
    window.postpone(IDS[3], 10.0)
    assert window.want(WANTED[3:4], 9.0) == 0
    assert window.want(WANTED[3:4], 10.0) == 1
    window.keep([IDS[0]])
    assert len(window) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "take", "arrive", "give back", "reject", "remove", "postpone", "pop"]),
        st.integers(0, len(IDS) - 1),
        st.integers(1, 3),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_lowest_block_to_request_is_known_after_all_that_happens(steps):
    """The window remembers from where on blocks may have to be requested; going through all finds the same."""
    window, now = Window(6, 10_000), 0.0
    for what, place, count in steps:
        now += 1.0
        id, asked = IDS[place], window._slots.get(IDS[place])
        match what:
            case "want":
                window.want(WANTED[place : place + count], now)
            case "take":
                window.take("a", 99, count, now)
            case "arrive":
                window.put("a", Body(id, BLOCKS[place], WITNESS, 100), now)
            case "give back":
                window.give_back("a", [id], now)
            case "reject":
                window.reject("a", id, now)
            case "remove" if asked is not None:
                window.remove(id)
            case "postpone" if asked is not None:
                window.postpone(id, now + count)
            case "pop":
                while (taken := window.take_unchecked()) is not None:
                    window.set_checked(taken[0].id, now, now, CHECKED)
                window.pop_ready(count)
        heights = [slot.height for slot in window._slots.values() if slot.body is None and slot.asked is None]
        assert window.find_lowest() == min(heights, default=None)
        found = window.take("b", 99, 9, now)
        assert [window._slots[each].height for each in found] == sorted(heights)
        window.give_back("b", found, now - 10.0)
