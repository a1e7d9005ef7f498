"""The fuzz targets: each reads bytes as an attacker would send them and raises only the errors that it may.

A target returns, or raises AssertionError if an invariant is broken; any other exception is a finding.
"""

import asyncio
import atexit
import json
import random
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from fuzz.peers import run_session
from fuzz.served import Served, check_frames, make_frames
from inos.client.receipt import read_receipt
from inos.client.receipt_checks import check_receipt
from inos.consensus.records import Account, Claim, DisputeRecord, Job, Market
from inos.functions import InvalidFunction, decode_spec, encode_spec, inspect_module
from inos.functions.limits import LOG_BYTES
from inos.functions.preview1 import SIGNATURES
from inos.functions.wasi import Exited, Fault, OutputTooLarge, Wasi
from inos.genesis.loading import load_network, parse_genesis
from inos.network.errors import HandshakeFailed, Misbehaviour, NetworkError
from inos.network.identity import NodeIdentity, parse_peer_address
from inos.network.link import MAX_FRAME_BYTES
from inos.network.transport.noise import Handshake, make_prologue
from inos.network.wire.framing import Assembler
from inos.network.wire.limits import LIMITS, Lane, get_limit
from inos.network.wire.messages import KINDS, decode_hello, decode_message, encode_message
from inos.node.pool_file import load_pool
from inos.primitives.blocks import Block, Header, compute_block_id
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError, InosError, InvalidCertificate
from inos.primitives.matrices import MatrixRef, Seal, Witness
from inos.primitives.transactions import Transaction, compute_tx_id, is_transaction_signed
from inos.primitives.units import U256_MAX, Anchor, BlockId, parse_credits
from inos.programs import InvalidInput, InvalidProgram, check_program, decode_program, encode_program, run_program
from inos.programs.json_form import read_given, read_json
from inos.rpc.errors import INTERNAL_ERROR
from inos.rpc.methods import ALL_METHODS
from inos.rpc.methods.mesh.encoding import read_npy
from inos.rpc.server.dispatch import Caller, Dispatcher
from inos.rpc.server.turns import Turns
from inos.wallet import keystore
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.build import decode_transaction
from inos.wallet.errors import WalletError
from inos.work import verify
from inos.workers.errors import WorkerError
from inos.workers.limits import LIMITS as WORKER_LIMITS
from inos.workers.messages import WORKER_KINDS, decode_from_node, decode_from_worker, peek_kind
from inos.workers.messages import encode_message as encode_worker_message
from support.fake_node import FakeNode

Target = Callable[[bytes], None]

RECORDS: Final[tuple[Any, ...]] = (
    Header,
    Block,
    Transaction,
    Seal,
    Witness,
    MatrixRef,
    Account,
    Job,
    Claim,
    DisputeRecord,
    Market,
)
MAX_RECORD: Final = 1 << 20
MODULE_MEMORY: Final = 4096
NETWORK: Final = load_network("devnet")
PROLOGUE: Final = make_prologue(BlockId(bytes(32)))


def fuzz_records(data: bytes) -> None:
    """Read records of wire, disk and ids: they encode to the same bytes again, or are refused."""
    if not data:
        return
    kind = RECORDS[data[0] % len(RECORDS)]
    try:
        value = decode(kind, data[1:], limit=MAX_RECORD)
    except CodecError:
        return
    assert encode(value) == data[1:]
    if isinstance(value, Header):
        compute_block_id(value)
    if isinstance(value, Transaction):
        compute_tx_id(value)
        is_transaction_signed(value)


def fuzz_messages(data: bytes) -> None:
    """Read a message between nodes."""
    try:
        message = decode_message(data, limit=max(limit.max_bytes for limit in LIMITS.values()))
    except Misbehaviour:
        return
    assert type(message) in KINDS
    assert encode_message(message) == data


def fuzz_framing(data: bytes) -> None:
    """Read frames of any shape; no message may exceed the limit of its kind."""
    assembler = Assembler()
    for frame in split_frames(data):
        with suppress(Misbehaviour):
            whole = assembler.add(frame)
            if whole is not None:
                kind, body = whole
                assert len(body) <= get_limit(kind).max_bytes
    held = sum(len(part) for part in assembler._parts.values())
    most = [max(get_limit(kind).max_bytes for kind in KINDS if get_limit(kind).lane is lane) for lane in Lane]
    assert held <= sum(most)


def fuzz_hello(data: bytes) -> None:
    """Read the payload of the handshake."""
    with suppress(Misbehaviour):
        assert encode(decode_hello(data)) == data


def fuzz_noise(data: bytes) -> None:
    """Read handshake messages from a side that does not know the pattern, or stops following it half-way."""
    if not data:
        return
    mine, other = make_handshake(1, is_initiator=data[0] & 1 == 1), make_handshake(3, is_initiator=data[0] & 1 == 0)
    with suppress(HandshakeFailed):
        if data[0] & 1:
            first = other.read(mine.write()) if data[0] & 2 else mine.write()
            assert isinstance(first, bytes)
        elif data[0] & 2:
            mine.read(other.write())
            mine.write()
        mine.read(data[1:])
        if data[0] & 3 == 3:
            assert len(mine.remote_id) == 32


def fuzz_session(data: bytes) -> None:
    """Run a session with a peer that sends anything in any order, and limit the memory that the node uses for it."""
    run_session(split_frames(data))


def fuzz_certificate(data: bytes) -> None:
    """Read a seal and its witness, which are proven or refused."""
    with suppress(CodecError, InvalidCertificate):
        seal, witness = decode(cast(Any, tuple[Seal, Witness]), data, limit=1 << 18)
        verify(seal, witness, Anchor(bytes(32)), U256_MAX)


def fuzz_keystore(data: bytes) -> None:
    """Read a wallet file from an untrusted source."""
    with suppress(WalletError):
        keystore.read_info(data)


def fuzz_genesis(data: bytes) -> None:
    """Read a genesis file."""
    with suppress(InosError):
        parse_genesis(data.decode("utf-8", "replace"), "a file")


def fuzz_rpc(data: bytes) -> None:
    """Answer the body of a request: the answer is always well-formed and never an internal error."""
    answer = asyncio.run(Dispatcher(ALL_METHODS, _make_node(), Turns(32, 256)).process(data, Caller(True)))
    if answer is None:
        return
    for one in _as_list(json.loads(answer)):
        assert one["jsonrpc"] == "2.0"
        assert ("error" in one) != ("result" in one)
        assert one.get("error", {}).get("code") != INTERNAL_ERROR, one


def fuzz_http(data: bytes) -> None:
    """The bytes of HTTP requests: nothing fails inside the server, and no answer has status 500."""
    answer = _get_served().send(data, upgrade=False)
    # The library answers with the version that the caller wrote.
    assert answer == b"" or re.match(rb"HTTP/\d\.\d \d\d\d ", answer), answer[:100]
    assert b" 500 " not in answer[:20], answer[:200]


def fuzz_websocket(data: bytes) -> None:
    """Frames after a WebSocket's upgrade: answers are whole frames and never an internal error."""
    check_frames(_get_served().send(make_frames(data), upgrade=True))


def fuzz_text(data: bytes) -> None:
    """Read text that people type or paste."""
    text = data.decode("utf-8", "replace")
    with suppress(WalletError):
        assert encode_address("dinos", decode_address("dinos", text)) in (text.strip(), text.strip().lower())
    with suppress(NetworkError):
        assert parse_peer_address(str(parse_peer_address(text))) == parse_peer_address(text)
    with suppress(ValueError):
        assert parse_credits(text) >= 0
    with suppress(InosError):
        decode_transaction(text)


def fuzz_npy(data: bytes) -> None:
    """Read a matrix file that arrives over the RPC."""
    with suppress(InosError):
        array = read_npy(data)
        assert array.ndim == 2
        assert array.nbytes <= len(data)


def fuzz_receipt(data: bytes) -> None:
    """Read a receipt: an invalid one is never accepted, and none causes a crash."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r.json")
        path.write_bytes(data)
        with suppress(InosError):
            verdict = check_receipt(read_receipt(path), NETWORK)
            assert len(verdict.checks) == 9
            assert not verdict.is_paid


def fuzz_program(data: bytes) -> None:
    """Read a program, check it, and run it if it is small: what the checker accepts never fails."""
    with suppress(InvalidProgram):
        program = decode_program(data)
        assert encode_program(program) == data
        checked = check_program(program)
        if checked.cost.units > 1000 or checked.cost.peak_bytes > 1 << 20 or len(checked.given) != len(program.inputs):
            return
        for entry in ("lo", "hi"):
            inputs = [np.full(each.shape, getattr(each, entry), dtype=np.int64) for each in checked.given]
            for result, type_ in zip(run_program(checked, inputs), checked.results, strict=True):
                assert type_.lo <= result.min() <= result.max() <= type_.hi


def fuzz_program_json(data: bytes) -> None:
    """Read a program in the JSON form, with its inputs."""
    with suppress(InvalidProgram, InvalidInput):
        named = read_json(data)
        checked = check_program(named.program)
        assert len(read_given(named, checked.given)) == len(named.names)


def fuzz_function(data: bytes) -> None:
    """Read the spec of a function: it encodes to the same bytes again, or is refused."""
    with suppress(InvalidFunction):
        assert encode_spec(decode_spec(data)) == data


def fuzz_module(data: bytes) -> None:
    """Read the sections of a WebAssembly module."""
    with suppress(InvalidFunction):
        info = inspect_module(data)
        assert set(info.imports) <= SIGNATURES.keys()


def fuzz_wasi(data: bytes) -> None:
    """Call the host of functions in any order with any arguments: it touches no byte outside the memory."""
    names = sorted(name for name in SIGNATURES if hasattr(Wasi, name))
    memory = StrictMemory(data[:MODULE_MEMORY])
    spent: list[int] = []
    wasi = Wasi(memory, spent.append, args=(b"one",), stdin=bytes(100), seed=bytes(32), output_bytes=1000)
    for call in split_frames(data):
        name = names[call[0] % len(names)] if call else "sched_yield"
        params, _ = SIGNATURES[name]
        values = [int.from_bytes(call[1 + 4 * at : 5 + 4 * at], "little") for at in range(len(params))]
        try:
            assert 0 <= getattr(wasi, name)(*values) <= 76
        except (Fault, Exited, OutputTooLarge):
            continue
    assert min(spent, default=0) >= 0
    assert len(wasi.stdout) <= 1000
    assert len(wasi.log) <= LOG_BYTES


class StrictMemory:
    """A module's memory of 4 KiB: the host must have checked what it reads and writes."""

    def __init__(self, content: bytes) -> None:
        self._bytes = bytearray(content.ljust(MODULE_MEMORY, b"\0"))

    def check(self, start: int, length: int) -> None:
        if start + length > len(self._bytes):
            raise Fault

    def read(self, start: int, length: int) -> bytes:
        assert 0 <= start <= start + length <= len(self._bytes)
        return bytes(self._bytes[start : start + length])

    def write(self, start: int, data: bytes) -> None:
        assert 0 <= start <= start + len(data) <= len(self._bytes)
        self._bytes[start : start + len(data)] = data


def fuzz_worker(data: bytes) -> None:
    """Read a message between a node and a worker, from either side."""
    with suppress(WorkerError):
        kind = peek_kind(data)
        read = decode_from_worker if kind in WORKER_KINDS else decode_from_node
        message = read(data, limit=WORKER_LIMITS[kind].max_bytes)
        assert type(message) is kind
        assert encode_worker_message(message) == data


def fuzz_pool(data: bytes) -> None:
    """Read the mempool's file after a disk error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pool")
        path.write_bytes(data)
        assert isinstance(load_pool(path), Sequence)


TARGETS: Final[dict[str, Target]] = {
    name.removeprefix("fuzz_"): target
    for name, target in sorted(globals().items())
    if name.startswith("fuzz_") and callable(target)
}


def make_handshake(seed: int, *, is_initiator: bool) -> Handshake:
    """Return one side of a handshake, which is the same in every run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library rightly warns about fixed ephemeral keys
        ephemeral = bytes([seed + 1]) * 32
        return Handshake(NodeIdentity(bytes([seed]) * 32), PROLOGUE, is_initiator=is_initiator, ephemeral=ephemeral)


def split_frames(data: bytes) -> list[bytes]:
    """Return the frames of a stream, which writes two bytes of length before each, up to the first incomplete one."""
    frames: list[bytes] = []
    at = 0
    while at + 2 <= len(data) and len(frames) < 64:
        size = int.from_bytes(data[at : at + 2], "big")
        frames.append(data[at + 2 : at + 2 + size][:MAX_FRAME_BYTES])
        at += 2 + size
    return frames


def join_frames(frames: Sequence[bytes]) -> bytes:
    """Return the stream that `split_frames` reads."""
    return b"".join(len(frame).to_bytes(2, "big") + frame for frame in frames)


@cache
def _get_served() -> Served:
    served = Served()
    atexit.register(served.close)
    return served


def _make_node() -> Any:
    random.seed(1)
    return FakeNode(NETWORK)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
