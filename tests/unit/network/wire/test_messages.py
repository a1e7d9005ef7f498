import asyncio

import pytest

from inos.consensus.finality.trust import Step
from inos.consensus.records import MAX_RECORD_BYTES, Ballot, Committee, Finality, Member
from inos.consensus.stateranges import Place, Records, StateRange
from inos.consensus.statetree import StateProof
from inos.network.errors import LinkError, Misbehaviour
from inos.network.peers.send_queue import SendQueue
from inos.network.wire.addresses import Addresses, AnnounceAddresses, DialMe, GetAddresses, KnownAddress
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.compact import (
    BlockTransactions,
    CompactAnswer,
    CompactBlock,
    CompactBody,
    GetBlockTransactions,
    GetCompactBlock,
    Prefilled,
    SetCompact,
)
from inos.network.wire.control import Bye, NotFound, Ping, Pong
from inos.network.wire.framing import Assembler, split
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.limits import LIMITS, Lane, get_limit
from inos.network.wire.matrices import (
    CopyAnswer,
    GetMatrix,
    GetRun,
    GetStrips,
    MatrixHead,
    OfferCopy,
    RunData,
    Strip,
    Strips,
)
from inos.network.wire.messages import KINDS, decode_message, encode_message
from inos.network.wire.skeleton import GetSkeleton, Skeleton
from inos.network.wire.snapshot import FinalityProofs, GetFinalityProofs, GetStateRange, StateRangeData
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions, Transactions
from inos.network.wire.votes import MAX_ANNOUNCED_VOTES, MAX_VOTES, AnnounceVotes, GetVotes, Votes
from inos.primitives.blocks import Block
from inos.primitives.votes import Aggregate, Checkpoint, Link, Vote
from support.network_fakes import GENESIS, WITNESS, make_tx

ID = b"\x05" * 32


def make_step() -> Step:
    checkpoint = Checkpoint(2**40, ID)
    link, proof = Link(checkpoint, checkpoint), StateProof((ID,) * 64)
    members = (Member(bytes(20), bytes(48), 2**64 - 1, 2**64 - 1),) * 128
    aggregate = Aggregate(link, bytes(16), bytes(96))
    finality = Finality(checkpoint, checkpoint, (Ballot(link, 2**40),) * 2, (2**40,) * 34)
    return Step(GENESIS, aggregate, 2**40, Committee(members), proof, finality, proof)


LONGEST = KnownAddress(ID, "1111:2222:3333:4444:5555:6666:7777:8888", 65_535, 2**32 - 1)
VOTE = Vote(Link(Checkpoint(2**64 - 2, bytes(32)), Checkpoint(2**64 - 1, bytes(32))), bytes(48), bytes(96))
CONTACT = Contact(ID, "f" * 45, 65_535)
COMPACT = CompactBody(
    GENESIS, WITNESS, 2**64 - 1, bytes(6 * 65_536), tuple(Prefilled(i, make_tx(0)) for i in range(64))
)
EXAMPLES = [
    Ping(2**63, ID, 7),
    Pong(1, ID, 7),
    Bye("full"),
    NotFound(1, (ID,) * 256),
    GetHeaders(1, (ID,) * 64),
    Headers(1, (GENESIS,) * 512),
    AnnounceBlock(GENESIS),
    GetBlocks(1, (ID,) * 16),
    BlockData(1, Block(GENESIS, (make_tx(0),)), WITNESS),
    AnnounceTransactions((ID,) * 1024),
    GetTransactions(1, (ID,) * 256),
    Transactions(1, (make_tx(0),) * 256),
    GetMatrix(1, ID),
    MatrixHead(1, 2, 2**20, 2**16, ID),
    GetStrips(1, ID, 2**28, 16),
    GetRun(1, ID, 2**26 - 1),
    OfferCopy(1, 2, 2**20, 2**16, ID),
    CopyAnswer(2**32 - 1, True),
    RunData(1, 2**26 - 1, bytes(1 << 20), (ID,) * 28),
    SetCompact(True),
    CompactBlock(COMPACT),
    GetCompactBlock(1, ID),
    CompactAnswer(1, COMPACT),
    GetBlockTransactions(1, ID, tuple(range(61_440, 65_536))),
    BlockTransactions(1, (make_tx(0),) * 4096),
    Strips(1, 0, (Strip(bytes(16_384), (ID,) * 28),) * 16),
    GetAddresses(2**32 - 1),
    Addresses(1, LONGEST.host, (LONGEST,) * 512),
    AnnounceAddresses((LONGEST,) * 10),
    DialMe(),
    FindNodes(2**32 - 1, ID),
    Nodes(2**32 - 1, (CONTACT,) * 20),
    Provide(2**32 - 1, (ID,) * 16),
    Provided(2**32 - 1, (2**32 - 1,) * 16),
    FindProviders(2**32 - 1, ID),
    AnnounceVotes((VOTE,) * MAX_ANNOUNCED_VOTES),
    GetVotes(2**32 - 1, 2**64 - 1),
    Votes(2**32 - 1, (VOTE,) * MAX_VOTES),
    Providers(2**32 - 1, (CONTACT,) * 20, (CONTACT,) * 20),
    GetSkeleton(2**32 - 1, (ID,) * 64, 512),
    Skeleton(2**32 - 1, ID, (ID,) * 64),
    GetStateRange(2**32 - 1, ID, Place(256, ID)),
    StateRangeData(2**32 - 1, StateRange((ID,) * 256, Records(((bytes(49), bytes(MAX_RECORD_BYTES)),)))),
    GetFinalityProofs(2**32 - 1, 2**63),
    FinalityProofs(2**32 - 1, (make_step(),) * 16),
]


def read(frames):
    assembler = Assembler()
    return [whole for frame in frames if (whole := assembler.add(frame)) is not None]


def test_every_kind_has_a_limit_and_an_example_within_it():
    assert set(LIMITS) == set(KINDS) == {type(example) for example in EXAMPLES}
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)
    assert set(tags) <= set(range(1, 128))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_the_largest_honest_message_goes_through(message):
    limit = get_limit(type(message))
    frames = list(split(encode_message(message), limit.lane))
    assert all(len(frame) <= 65_519 for frame in frames)
    ((kind, data),) = read(frames)
    assert kind is type(message)
    assert decode_message(data, limit=limit.max_bytes) == message


def test_too_large_is_seen_before_it_is_whole():
    limit = get_limit(Headers)
    frames = list(split(encode_message(Headers(1, ()))[:1] + b"\x06" + bytes(limit.max_bytes), limit.lane))
    with pytest.raises(Misbehaviour) as error:
        read(frames)
    assert error.value.code == "too-large"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", "bad-frame"),
        (b"\x80", "bad-frame"),
        (b"\x40" + bytes(10), "bad-frame"),
        (bytes(65_520), "bad-frame"),
        (b"\x00" + bytes(10), "short-piece"),
        (b"\x80\x94", "not-a-message"),
        (b"\x80\xc0\x01", "not-a-message"),
        (b"\x80\x92\x00", "unknown-message"),
        (b"\x80\x92\x7f", "unknown-message"),
        (b"\x83\x94\x01", "wrong-lane"),
        (b"\x80\x94\x01" + bytes(63), "too-large"),
    ],
)
def test_bad_frames(frame, code):
    with pytest.raises(Misbehaviour) as error:
        Assembler().add(frame)
    assert error.value.code == code
    assert error.value.penalty == 100


async def test_bulk_never_delays_what_is_urgent():
    lanes = SendQueue()
    bulk = next(example for example in EXAMPLES if isinstance(example, Strips))
    assert lanes.offer(bulk)
    first = await lanes.next_frame()
    assert first[0] & 0x03 == Lane.BULK
    assert lanes.offer(EXAMPLES[6])
    assert lanes.offer(Headers(1, ()))
    lane_order = [(await lanes.next_frame())[0] & 0x03 for _ in range(5)]
    assert lane_order[:2] == [Lane.CONSENSUS, Lane.BLOCKS]
    assert set(lane_order[2:]) == {Lane.BULK}


@pytest.mark.parametrize("message", [EXAMPLES[0], EXAMPLES[6], EXAMPLES[8], EXAMPLES[9], EXAMPLES[15]])
async def test_every_lane_is_bounded(message):
    lanes = SendQueue()
    taken = 0
    while lanes.offer(message):
        taken += 1
        assert taken < 2000
    assert 1 <= taken <= 1024
    assert lanes.count_bytes() <= 16 << 20
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await lanes.put(message)
    # One frame gone makes room again; a closed queue tells who waits.
    waiting = asyncio.ensure_future(lanes.put(message))
    for _ in range(6):
        await lanes.next_frame()
    await asyncio.wait_for(waiting, 60)
    while lanes.offer(message):
        pass
    waiting = asyncio.ensure_future(lanes.put(message))
    await asyncio.sleep(0)
    lanes.close()
    with pytest.raises(LinkError):
        await waiting
