"""The first corpus: a few real encodings for each target. `python -m fuzz.seeds` writes it."""

import hashlib
import io
import json
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from fuzz.run import CORPUS
from fuzz.served import RAW, UPGRADE, join_input
from fuzz.targets import RECORDS, TARGETS, join_frames, make_handshake
from inos import work
from inos.functions import encode_spec
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.control import Bye, Hello, NotFound, Ping, Pong
from inos.network.wire.framing import split
from inos.network.wire.kademlia import Contact, FindNodes, FindProviders, Nodes, Provide, Provided, Providers
from inos.network.wire.limits import get_limit
from inos.network.wire.matrices import GetMatrix, GetRun, GetStrips, MatrixHead, OfferCopy
from inos.network.wire.messages import encode_message
from inos.network.wire.transactions import AnnounceTransactions, GetTransactions, Transactions
from inos.network.wire.votes import AnnounceVotes, GetVotes, Votes
from inos.primitives.blocks import Block, Header
from inos.primitives.codec import encode
from inos.primitives.matrices import STRIP_BYTES, DType, MatrixRef, Witness
from inos.primitives.transactions import Transfer, sign_transaction
from inos.primitives.units import U256_MAX
from inos.primitives.votes import Checkpoint, Link, Vote
from inos.programs import encode_program
from inos.wallet import keystore
from inos.wallet.addresses import encode_address
from inos.wallet.keystore import ScryptCost
from support.documents import ROOT
from support.functions import build, make_spec, write
from support.random_programs import make_program

HEADER: Final = Header(1, 7, 1, bytes(32), 10**12, bytes(32), bytes(32), b"\xff" * 32, bytes(20), 3, None)
HELLO: Final = Hello(1, 7, bytes(32), "inos/0.1", bytes(32), 5, bytes(32), 8646)
TX: Final = sign_transaction(b"\x05" * 32, 7, 0, 1, Transfer(bytes(20), 1))
REF: Final = MatrixRef(bytes(32), 16, 64, bytes(32))


def list_seeds() -> Iterator[tuple[str, bytes]]:
    """Yield each target's name with an input."""
    mined = work.mine(_make_matrix(1), _make_matrix(2), bytes(32), U256_MAX)
    win = mined.wins[0]
    yield "certificate", encode((win.seal, win.witness))
    for value in (HEADER, Block(HEADER, (TX,)), TX, REF, win.seal):
        yield "records", bytes([RECORDS.index(type(value))]) + encode(value)
    for message in list_messages():
        data = encode_message(message)
        frames = list(split(data, get_limit(type(message)).lane))
        yield "messages", data
        yield "framing", join_frames(frames)
        yield "session", join_frames(frames)
    everything = [f for m in list_messages() for f in split(encode_message(m), get_limit(type(m)).lane)]
    yield "session", join_frames(everything)
    yield "hello", encode(HELLO)
    yield from (("noise", data) for data in list_handshakes())
    info = keystore.KeystoreInfo(network="devnet", hrp="dinos", address=encode_address("dinos", win.seal.digest[:20]))  # type: ignore[arg-type]
    phrase = "test test test test test test test test test test test junk"
    yield "keystore", keystore.encode_keystore(keystore.Secret(phrase), "password", info, ScryptCost(n=2))
    yield "genesis", (Path(__file__).parents[2] / "genesis" / "data" / "devnet.json").read_bytes()
    for method, params in (
        ("chain_head", {}),
        ("chain_getBlock", {"block": 0}),
        ("state_getAccount", {"address": info.address, "prove": True}),
        ("tx_send", {"hex": encode(TX).hex()}),
        ("job_list", {"limit": 2, "order": "newest"}),
        ("mesh_put", {"data": "AAAA", "dtype": "int8", "rows": 1, "cols": 3}),
        ("mesh_put", {"data": "AAAA", "dtype": "bytes"}),
        ("mesh_putRows", {"id": "ab" * 32, "dtype": "bytes", "rows": 17, "cols": 3, "first": 16, "data": "AAAA"}),
    ):
        yield "rpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    yield "rpc", b'[{"jsonrpc":"2.0","id":null,"method":"rpc.discover"},{"jsonrpc":"2.0","method":"node_version"}]'
    yield from list_requests()
    for text in (info.address, f"{'ab' * 32}@127.0.0.1:8646", f"{'ab' * 32}@[::1]:1", "1.5", encode(TX).hex()):
        yield "text", text.encode()
    for array in (np.eye(3, dtype=np.int8), np.asfortranarray(np.eye(3, 2, dtype=np.int32)), np.zeros(3)):
        file = io.BytesIO()
        np.save(file, array)
        yield "npy", file.getvalue()
    fields = dict.fromkeys(("network", "genesis", "job", "record", "x", "w", "y"), "ab" * 32)
    block = {"header": encode(HEADER).hex(), "witness": None}
    rest = {"block": block, "confirmations": [block], "siblings": [], "steps": ["ab"], "soundness_bits": 128}
    yield "receipt", json.dumps(fields | rest | {"format": "inos receipt 2"}).encode()
    yield "pool", encode((TX, TX))
    yield from list_programs()
    yield from list_functions()
    vectors = json.loads((ROOT / "tests" / "vectors" / "workers.json").read_text(encoding="utf-8"))
    yield from (("worker", bytes.fromhex(each["encoded"])) for each in vectors["messages"])


def list_functions() -> Iterator[tuple[str, bytes]]:
    """Yield specs, modules, and calls to the host with pointers inside and outside the memory."""
    for args, seed in (((), None), ((b"a", b""), bytes(32))):
        yield "function", encode_spec(make_spec(args=args, seed=seed))
    for name in ("c", "assemblyscript"):
        yield "module", (ROOT / "examples" / "functions" / f"words-{name}.wasm").read_bytes()
    yield "module", build(write(0, 4), extra="(table 3 9 funcref)")
    for pointers in ((8, 64, 1, 32), (4090, 4095, 2, 4093), (2**32 - 1, 0, 1024, 2**32 - 4)):
        words = b"".join(value.to_bytes(4, "little") for value in pointers)
        yield (
            "wasi",
            join_frames([bytes([number]) + first + words for number in range(18) for first in (b"", bytes(4))]),
        )


def list_programs() -> Iterator[tuple[str, bytes]]:
    """Yield programs in both forms, and what was once accepted wrongly or cost too much."""
    for seed in (3, 6, 11):
        yield "program", encode_program(make_program(random.Random(seed)))
    kind, given, clamp = [4, 4, -64, 63], [[4, 4, -64, 63], [0]], [[5, -64, 63], [0]]
    deep: object = [1, [given], [clamp], [1]]
    for _ in range(5):
        yield "program", encode(deep)
        deep = [1, [given], [[[13, 1 << 20, deep, 1, 0], [0]]], [1]]
    empty = [1, [given], [], [0]]
    for hole in (
        [1, [[[True, 1, 0, 1], [0]]], [], [0]],
        [1, [[[1, 1, 0, 1.0], [0]]], [], [0]],
        [1, [[[10**12, 1, 0, 1], [0]]], [], [0]],
        [1, [[[1 << 16, 1 << 16, 0, 1], [0]]], [], [0]],
        [1, [given], [], []],
        [1, [[kind, [2, b"\x7f" * 16]]], [], [0]],
        [1, [given], [[[13, 1 << 40, empty, 1, 0], [0]]], [1]],
        [1, [given], [[[13, 1 << 20, empty, 0, 0], [0]]], [1]],
        [1, [given], [[[9, 15, [[16, -1]], [[1, 0]]], [0]]], [1]],
        [1, [given], [[[11, 0], [0] * 1025]], [1]],
    ):
        yield "program", encode(hole)
    text = {"inputs": [{"name": "x", "rows": 1, "cols": 2, "lo": 0, "hi": 9, "source": ["customer"]}]}
    text |= {"nodes": [{"op": "MUL", "operands": [0, 0], "attrs": [1]}], "outputs": [1]}
    yield "program_json", json.dumps({"program": text, "given": {"x": [[1, 9]]}}).encode()
    yield "program_json", json.dumps({"program": text, "given": {"x": [[True, float("nan")]]}}).encode()


def list_requests() -> Iterator[tuple[str, bytes]]:
    """Yield HTTP requests and frames of a WebSocket."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"chain_head"}'
    json_type = b"Content-Type: application/json\r\n"
    host = b"Host: localhost:8645\r\n"
    yield "http", b"GET / HTTP/1.1\r\n" + host + b"Accept: text/html\r\n\r\n"
    yield "http", b"POST / HTTP/1.1\r\n" + host + json_type + b"Content-Length: %d\r\n\r\n" % len(call) + call
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(call) + call + b"\r\n0\r\n\r\n"
    yield "http", b"POST / HTTP/1.1\r\n" + host + json_type + chunked
    packed = zlib.compress(call)
    head = b"Content-Encoding: deflate\r\nAuthorization: Bearer 00\r\nContent-Length: %d\r\n\r\n" % len(packed)
    yield "http", b"POST / HTTP/1.1\r\n" + host + json_type + head + packed
    yield "http", b"GET /explorer/index.html HTTP/1.1\r\n" + host + b"\r\nHEAD / HTTP/1.0\r\n" + host + b"\r\n"
    yield "http", UPGRADE.replace(b"\r\n\r\n", b"\r\nOrigin: http://localhost\r\n\r\n")
    subscribe = b'{"jsonrpc":"2.0","id":2,"method":"subscribe","params":["heads",0]}'
    yield "websocket", join_input([(0x81, call), (0x81, subscribe), (0x82, call)])
    yield "websocket", join_input([(0x01, call[:9]), (0x89, b"ping"), (0x80, call[9:]), (0x88, b"\x03\xe8bye")])
    yield "websocket", join_input([(0x8A, b""), (0xC1, call), (RAW, b"\x81\x85\x01\x02\x03\x04hello")])


def list_messages() -> Iterator[Message]:
    """Most kinds have one seed; the fuzzer finds the tags of the others by itself."""
    id = b"\x11" * 32
    yield Ping(1, bytes(32), 4)
    yield Pong(1, bytes(32), 4)
    yield NotFound(1, (id,))
    yield GetHeaders(2, (id, bytes(32)))
    yield Headers(1, (HEADER,))
    yield AnnounceBlock(HEADER)
    yield GetBlocks(3, (id,))
    yield BlockData(1, Block(HEADER, (TX,)), Witness(bytes(STRIP_BYTES), (), bytes(STRIP_BYTES), ()))
    yield AnnounceTransactions((id,))
    yield GetTransactions(4, (id,))
    yield Transactions(1, (TX,))
    yield GetMatrix(5, id)
    for dtype, cols in ((DType.INT7, 64), (DType.INT32, 64), (DType.BYTES, 1024)):
        yield MatrixHead(1, dtype, 16, cols, id)
        yield OfferCopy(6, dtype, 16, cols, id)
    yield GetStrips(6, id, 0, 2)
    yield GetRun(6, id, 0)
    yield FindNodes(7, id)
    yield Nodes(1, (Contact(id, "192.0.2.1", 8646), Contact(id, "2001:db8::1", 8646)))
    yield Provide(8, (id, bytes(32)))
    yield Provided(1, (21_600, 0))
    yield FindProviders(9, id)
    vote = Vote(Link(Checkpoint(2, id), Checkpoint(3, id)), bytes(48), bytes(96))
    yield AnnounceVotes((vote, vote))
    yield GetVotes(9, 3)
    yield Votes(9, (vote,))
    yield Providers(1, (Contact(id, "192.0.2.1", 8646),), (Contact(id, "192.0.2.2", 8646),))
    yield Bye("done")


def list_handshakes() -> Iterator[bytes]:
    """Return the next message of the other side for each step of the handshake."""
    a, b = make_handshake(1, is_initiator=True), make_handshake(3, is_initiator=False)
    first = a.write()
    b.read(first)
    second = b.write(encode(HELLO))
    a.read(second)
    for step, message in enumerate((first, second, a.write(encode(HELLO)))):
        yield bytes([step]) + message
        yield bytes([3 - step]) + message


def write_corpus(folder: Path = CORPUS) -> int:
    """Write every seed under its hash, like the fuzzer's own inputs, and return their number."""
    count = 0
    for target, data in list_seeds():
        assert target in TARGETS
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        (place / hashlib.sha1(data).hexdigest()).write_bytes(data)
        count += 1
    return count


def _make_matrix(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-64, 64, (16, 64), dtype=np.int8)


if __name__ == "__main__":
    print(f"{write_corpus()} seeds under {CORPUS}")
