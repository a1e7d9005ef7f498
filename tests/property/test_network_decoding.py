"""Any bytes from a link are a message or raise Misbehaviour, and raise no other error."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inos.network.errors import HandshakeFailed, LinkError, Misbehaviour, NetworkError
from inos.network.identity import NodeIdentity, parse_peer_address
from inos.network.transport.noise import Handshake
from inos.network.wire.addresses import Addresses, AnnounceAddresses, DialMe, GetAddresses, KnownAddress
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.control import Bye, NotFound, Ping, Pong
from inos.network.wire.framing import PIECE_BYTES, Assembler, split
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.limits import LIMITS, Lane
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
from inos.network.wire.messages import BY_TAG, decode_hello, decode_message, encode_message, peek_kind
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions, Transactions
from inos.primitives.blocks import Block, Header
from inos.primitives.matrices import STRIP_BYTES, Witness

ids = st.binary(min_size=32, max_size=32)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
headers = st.builds(Header, u32, u32, u64, ids, u64, ids, ids, ids, st.binary(min_size=20, max_size=20), u64, st.none())
witnesses = st.just(Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ()))
contacts = st.builds(Contact, ids, st.text("0123456789abcdef.:", min_size=2, max_size=45), st.integers(1, 65_535))
hosts = st.text(st.characters(max_codepoint=127), min_size=2, max_size=45)
known = st.builds(KnownAddress, ids, hosts, st.integers(1, 65_535), u32)
strips = st.builds(Strip, st.just(bytes(STRIP_BYTES)), st.lists(ids, max_size=28).map(tuple))


def some(values, most, least=0):
    return st.lists(values, min_size=least, max_size=most).map(tuple)


messages = st.one_of(
    st.builds(Ping, u64, ids, u64),
    st.builds(Pong, u64, ids, u64),
    st.builds(Bye, st.text(max_size=200)),
    st.builds(NotFound, u32, some(ids, 5)),
    st.builds(GetHeaders, u32, some(ids, 5)),
    st.builds(Headers, u32, some(headers, 3)),
    st.builds(AnnounceBlock, headers),
    st.builds(GetBlocks, u32, some(ids, 5, 1)),
    st.builds(BlockData, u32, st.builds(Block, headers, st.just(())), witnesses),
    st.builds(AnnounceTransactions, some(ids, 5, 1)),
    st.builds(GetTransactions, u32, some(ids, 5, 1)),
    st.builds(Transactions, u32, st.just(())),
    st.builds(GetMatrix, u32, ids),
    st.builds(MatrixHead, u32, st.integers(1, 2), u32, u32, ids),
    st.builds(GetStrips, u32, ids, u32, st.integers(1, 16)),
    st.builds(GetRun, u32, ids, st.integers(0, 2**26 - 1)),
    st.builds(OfferCopy, u32, st.integers(1, 2), u32, u32, ids),
    st.builds(CopyAnswer, u32, st.booleans()),
    st.builds(RunData, u32, st.integers(0, 2**26 - 1), st.just(bytes(16_384)), some(ids, 5)),
    st.builds(Strips, u32, u32, some(strips, 5, 1)),
    st.builds(FindNodes, u32, ids),
    st.builds(Nodes, u32, some(contacts, 20)),
    st.builds(Provide, u32, some(ids, 16, 1)),
    st.builds(Provided, u32, some(u32, 16, 1)),
    st.builds(FindProviders, u32, ids),
    st.builds(Providers, u32, some(contacts, 20), some(contacts, 20)),
    st.builds(GetAddresses, u32),
    st.builds(Addresses, u32, st.one_of(st.just(""), hosts), some(known, 5)),
    st.builds(AnnounceAddresses, some(known, 5, 1)),
    st.just(DialMe()),
)


@given(messages)
def test_encode_then_decode_is_the_same(message):
    data = encode_message(message)
    assert len(data) <= LIMITS[type(message)].max_bytes
    assert peek_kind(data) is type(message)
    assert decode_message(data, limit=len(data)) == message


def read_or_refuse(data):
    try:
        message = decode_message(data, limit=1 << 20)
    except Misbehaviour:
        return
    # An accepted message has one encoding, so it cannot be relayed under two.
    assert encode_message(message) == data


@given(st.binary(max_size=300))
def test_random_bytes(data):
    read_or_refuse(data)


@given(st.sampled_from(sorted(BY_TAG)), st.integers(0, 15), st.binary(max_size=200))
def test_random_bytes_behind_a_good_beginning(tag, length, rest):
    read_or_refuse(bytes([0x90 | length, tag]) + rest)


@given(messages, st.data())
def test_spoiled_messages(message, data):
    encoded = bytearray(encode_message(message))
    kind = data.draw(st.sampled_from(["flip", "cut", "grow", "splice"]))
    place = data.draw(st.integers(0, len(encoded) - 1))
    if kind == "flip":
        encoded[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del encoded[place:]
    elif kind == "grow":
        encoded += data.draw(st.binary(min_size=1, max_size=20))
    else:
        encoded[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    read_or_refuse(bytes(encoded))


@given(st.binary(max_size=600))
def test_random_hellos(data):
    try:
        decode_hello(data)
    except Misbehaviour:
        return


@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.integers(0, 255).map(lambda head: bytes([head]) + bytes(PIECE_BYTES)))
    )
)
def test_random_frames(frames):
    assembler = Assembler()
    try:
        for frame in frames:
            whole = assembler.add(frame)
            if whole is not None:
                read_or_refuse(whole[1])
    except Misbehaviour:
        return


@settings(max_examples=50)
@given(st.data())
def test_lanes_interleave_in_any_way_and_come_out_whole(data):
    sizes = {Lane.BLOCKS: (BlockData, 9), Lane.BULK: (Strips, 16)}
    sent = {}
    queues = {}
    for lane, (kind, tag) in sizes.items():
        size = data.draw(st.integers(1, min(LIMITS[kind].max_bytes - 2, 280_000)))
        sent[lane] = bytes([0x93, tag]) + bytes(size)
        queues[lane] = list(split(sent[lane], lane))
        assert all(len(frame) <= 65_519 for frame in queues[lane])
    assembler, came = Assembler(), {}
    while any(queues.values()):
        lane = data.draw(st.sampled_from([lane for lane, queue in queues.items() if queue]))
        whole = assembler.add(queues[lane].pop(0))
        if whole is not None:
            came[lane] = whole[1]
    assert came == sent


@settings(max_examples=50)
@given(st.binary(max_size=200), st.booleans())
def test_random_handshake_messages(message, is_initiator):
    side = Handshake(NodeIdentity(b"\x01" * 32), b"p", is_initiator=is_initiator)
    if is_initiator:
        side.write()
    try:
        side.read(message)
    except (HandshakeFailed, LinkError):
        return


@given(st.text(max_size=120))
def test_random_addresses(text):
    try:
        address = parse_peer_address(text)
    except NetworkError:
        return
    assert parse_peer_address(str(address)) == address
