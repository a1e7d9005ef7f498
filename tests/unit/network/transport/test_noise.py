"""The handshake against the Noise project's published vector, and what must make it fail."""

import pytest

from inos.network.errors import HandshakeFailed, LinkError
from inos.network.identity import NodeIdentity, compute_node_id
from inos.network.link import MAX_FRAME_BYTES
from inos.network.transport.memory import make_link_pair
from inos.network.transport.noise import Handshake, make_prologue

A, B = NodeIdentity(b"\x01" * 32), NodeIdentity(b"\x02" * 32)

# Noise_XX_25519_ChaChaPoly_SHA256 of the cacophony vector set.
VECTOR = {
    "prologue": "4a6f686e2047616c74",
    "init_static": "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
    "init_ephemeral": "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    "resp_static": "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    "resp_ephemeral": "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    "handshake_hash": "c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e",
}
MESSAGES = [
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b65285e08d6b68"
        "aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f8814c7194e83f23d"
        "bd8d162c9326ad",
    ),
    (
        "462e20412e20486179656b",
        "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b57f58c9fea0"
        "d4ec82a286427402f113e4b6ae769a1d95941d49b25030",
    ),
]
TRANSPORT = [
    ("4361726c204d656e676572", "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df"),
    ("4a65616e2d426170746973746520536179", "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5"),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "eb3f3515110702e047a6c9da4478b6ead94873c11c0f2d710ddb3f09fce024b3a58502ae3f",
    ),
]


def shake(initiator, responder):
    """Run a complete handshake; return the payloads that each side received."""
    first = responder.read(initiator.write())
    second = initiator.read(responder.write(b"from b"))
    third = responder.read(initiator.write(b"from a"))
    return first, second, third


@pytest.mark.filterwarnings("ignore:One of ephemeral keypairs is already set")
def test_published_vector():
    hexed = {name: bytes.fromhex(value) for name, value in VECTOR.items()}
    sides = [
        Handshake(
            NodeIdentity(hexed["init_static"]),
            hexed["prologue"],
            is_initiator=True,
            ephemeral=hexed["init_ephemeral"],
        ),
        Handshake(
            NodeIdentity(hexed["resp_static"]),
            hexed["prologue"],
            is_initiator=False,
            ephemeral=hexed["resp_ephemeral"],
        ),
    ]
    for number, (payload, message) in enumerate(MESSAGES):
        writer, reader = sides[number % 2], sides[1 - number % 2]
        assert writer.write(bytes.fromhex(payload)).hex() == message
        assert reader.read(bytes.fromhex(message)).hex() == payload
    assert sides[0].hash == sides[1].hash == hexed["handshake_hash"]
    for number, (payload, message) in enumerate(TRANSPORT, len(MESSAGES)):
        writer, reader = sides[number % 2], sides[1 - number % 2]
        assert writer.encrypt(bytes.fromhex(payload)).hex() == message
        assert reader.decrypt(bytes.fromhex(message)).hex() == payload


def test_both_sides_prove_their_key_and_carry_a_payload():
    prologue = make_prologue(b"\x09" * 32)
    a, b = Handshake(A, prologue, is_initiator=True), Handshake(B, prologue, is_initiator=False)
    assert shake(a, b) == (b"", b"from b", b"from a")
    assert a.remote_id == compute_node_id(B.public_key) == B.node_id
    assert b.remote_id == A.node_id
    assert a.hash == b.hash
    frame = bytes(range(256)) * 255
    assert b.decrypt(a.encrypt(frame)) == frame
    assert a.decrypt(b.encrypt(frame)) == frame


def test_another_genesis_fails():
    a = Handshake(A, make_prologue(b"\x09" * 32), is_initiator=True)
    b = Handshake(B, make_prologue(b"\x08" * 32), is_initiator=False)
    with pytest.raises(HandshakeFailed) as error:
        shake(a, b)
    assert error.value.code == "bad-handshake"


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_handshake_byte_fails(step, place):
    a, b = Handshake(A, b"p", is_initiator=True), Handshake(B, b"p", is_initiator=False)

    def spoil(message, number):
        changed = bytearray(message)
        if number == step:
            changed[place] ^= 1
        return bytes(changed)

    def finish():
        a.read(spoil(b.write(b"hello"), 1))
        b.read(spoil(a.write(b"hello"), 2))

    b.read(a.write())
    with pytest.raises(HandshakeFailed):
        finish()


def test_a_changed_repeated_or_reordered_frameis_refused():
    a, b = Handshake(A, b"p", is_initiator=True), Handshake(B, b"p", is_initiator=False)
    shake(a, b)
    first, second = a.encrypt(b"first"), a.encrypt(b"second")
    for wrong in (first[:-1] + bytes([first[-1] ^ 1]), second, first[:-1], b"", bytes(16)):
        with pytest.raises(LinkError) as error:
            b.decrypt(wrong)
        assert error.value.code == "bad-frame"
    assert b.decrypt(first) == b"first"
    with pytest.raises(LinkError):
        b.decrypt(first)


def test_a_key_of_low_orderis_refused():
    b = Handshake(B, b"p", is_initiator=False)
    b.read(bytes(32))
    with pytest.raises(HandshakeFailed):
        b.write()


async def test_memory_links_keep_order_and_frame_size_and_end_together():
    a, b = make_link_pair(A.node_id, B.node_id, (b"hello a", b"hello b"))
    assert (a.remote_id, b.remote_id) == (B.node_id, A.node_id)
    assert (a.remote_hello, b.remote_hello) == (b"hello b", b"hello a")
    assert (a.is_outbound, b.is_outbound) == (True, False)
    for number in range(3):
        await a.send(bytes([number]))
    assert [await b.receive() for _ in range(3)] == [b"\x00", b"\x01", b"\x02"]
    with pytest.raises(ValueError, match="65519"):
        await a.send(bytes(MAX_FRAME_BYTES + 1))
    await b.close()
    for end in (a, b):
        with pytest.raises(LinkError):
            await end.receive()
        with pytest.raises(LinkError):
            await end.send(b"x")
