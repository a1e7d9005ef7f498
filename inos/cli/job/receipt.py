"""`inos job receipt`: the proof that a job was settled, in one file."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from inos.cli.common.ids import find_id
from inos.cli.common.npy_files import check_writable
from inos.cli.common.options import DEFAULT_RPC, JobArgument, JsonOption, RpcOption, TimeoutOption
from inos.cli.common.output import fail, print_json, print_text
from inos.client.blocking_client import BlockingClient
from inos.client.errors import RemoteError
from inos.client.receipt import Receipt, ReceiptBlock, make_receipt
from inos.client.receipt_checks import MAX_STEP_BYTES
from inos.consensus.finality.trust import Step
from inos.consensus.records import job_key
from inos.primitives.blocks import MAX_HEADER_BYTES, Header, compute_block_id
from inos.primitives.codec import decode
from inos.primitives.units import JobId

LOOK_S: Final = 2.0
"""The node is asked after every block, and at least this often: votes make a block final between two blocks."""
DEPTH: Final = 6
WITNESSES_AT_ONCE: Final = 8
STEPS_AT_ONCE: Final = 16
STEP_DIGITS: Final = 2 << 20
"""So many hex digits of steps go into a receipt, the last ones: about 30 epochs of the largest committees."""
MAX_EPOCHS: Final = 256


def receipt(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="R.json", help="The file to write the receipt to.")],
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            min=0,
            max=200,
            metavar="BLOCKS",
            help="Wait for this many blocks on top. Default: until votes make the job's block final; 6 without votes.",
        ),
    ] = None,
    timeout: TimeoutOption = 600.0,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Write the receipt of a settled job: proof of its settlement, for `inos verify`.

    Where the network's voters make blocks final, the receipt holds their votes, and it is checked offline by anyone who
    believes a final block of some hours before. Elsewhere it holds the work on top, and its reader asks a node.
    """
    path = check_writable(output)
    job = find_id(rpc, job, "job")
    with BlockingClient(rpc) as client, client.follow_tip() as wait_tip:
        maker = _Maker(client, wait_tip, job, time.monotonic() + timeout, (lambda text: None) if json_ else print)
        made = maker.make_final() if depth is None and client.finality().final_height else maker.make_deep(depth)
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    except OSError as error:
        fail("file-unwritable", f"cannot write {output}: {error.strerror or error}")
    size = path.stat().st_size
    if json_:
        counts = {"confirmations": len(made.confirmations), "steps": len(made.steps)}
        print_json({"job": job, "file": str(output), "bytes": size} | counts)
    else:
        print_text(
            f"written to {output}, {size} bytes; check it with: inos verify {output} --x X.npy --w W.npy --y Y.npy"
        )


class _Maker:
    """Gathers a receipt's parts from a node, and begins again after a reorganisation."""

    def __init__(
        self,
        client: BlockingClient,
        wait_tip: Callable[[float], None],
        job: str,
        until: float,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._wait_tip = wait_tip
        self._job = job
        self._until = until
        self._say = say
        self._version = client.version()

    def make_final(self) -> Receipt:
        """Prove the record in the state of the last final block, once the job is settled there."""
        key = job_key(JobId(bytes.fromhex(self._job))).hex()
        settled_at = self._get_settled_at()
        self._say(f"settled at height {settled_at}, waiting until it is final ...")
        while True:
            final = self._client.finality().final
            try:
                proof = self._client.call("light_prove", {"key": key, "block": final.id})
                header = self._client.header(final.id)
            except RemoteError as error:
                if error.code not in ("state-not-kept", "block-unknown"):
                    raise
                self._wait("no node state was kept for a final block")
                continue
            if header.height >= settled_at and proof["value"] is not None:
                blocks = self._get_blocks(header.height, 1)
                if len(blocks) == 1 and _compute_id(blocks[0]) == final.id:
                    return self._finish(proof, blocks, self._get_steps(final.epoch))
            self._wait(f"block {settled_at} did not become final")

    def make_deep(self, depth: int | None) -> Receipt:
        """Prove the record at the tip, and wait for blocks on top."""
        depth = DEPTH if depth is None else depth
        while True:
            proven = self._client.call("job_prove", {"id": self._job})
            height = proven["height"]
            early = self._finish(proven["proof"], [ReceiptBlock(header=proven["header"], witness=proven["witness"])])
            if depth:
                self._say(f"proven at block {height}, waiting for {depth} blocks on top ...")
            while self._client.head().height < height + depth:
                self._wait(f"the block with the proof did not get {depth} blocks on top")
            blocks = self._get_blocks(height, depth + 1)
            if blocks and blocks[0].header == early.block.header and _is_chain(blocks):
                return self._finish(proven["proof"], blocks)

    def _finish(self, proof: dict[str, Any], blocks: list[ReceiptBlock], steps: tuple[str, ...] = ()) -> Receipt:
        return make_receipt(self._job, self._version.network, self._version.genesis, proof, blocks, steps)

    def _get_settled_at(self) -> int:
        found = self._client.job(self._job)
        if found.state != "settled" or found.closed_at is None:
            fail("job-open", f"job {self._job} is {found.state}; a receipt is for settled jobs")
        return found.closed_at

    def _get_blocks(self, first: int, count: int) -> list[ReceiptBlock]:
        """Return headers of the best chain with their witnesses."""
        headers = self._client.call("chain_getRawHeaders", {"first": first, "limit": count})["headers"]
        ids = [_compute_id(ReceiptBlock(header=header, witness=None)) for header in headers]
        witnesses: list[str | None] = []
        for at in range(0, len(ids), WITNESSES_AT_ONCE):
            page = self._client.call("light_witnesses", {"blocks": ids[at : at + WITNESSES_AT_ONCE]})
            witnesses += page["witnesses"]
        return [
            ReceiptBlock(header=header, witness=witness) for header, witness in zip(headers, witnesses, strict=True)
        ]

    def _get_steps(self, epoch: int) -> tuple[str, ...]:
        """Return the steps up to the one that makes the checkpoint of an epoch final, as many as have room."""
        steps: list[tuple[str, Step]] = []
        first = max(1, epoch - MAX_EPOCHS)
        while True:
            page = self._client.call("light_finalityProofs", {"first": first})["proofs"]
            steps += [(text, decode(Step, bytes.fromhex(text), limit=MAX_STEP_BYTES)) for text in page]
            if len(page) < STEPS_AT_ONCE:
                break
            first = steps[-1][1].aggregate.link.target.epoch + 1
        upto = next(
            (at for at, (_, step) in enumerate(steps) if step.aggregate.link.target.epoch > epoch), len(steps) - 1
        )
        room, chosen = STEP_DIGITS, []
        for text, _ in reversed(steps[: upto + 1]):
            room -= len(text)
            if room < 0:
                break
            chosen.append(text)
        return tuple(reversed(chosen))

    def _wait(self, why: str) -> None:
        if time.monotonic() > self._until:
            fail("timeout", f"{why} in time", "give a longer --timeout, or --depth to go by work alone")
        self._wait_tip(LOOK_S)


def _compute_id(block: ReceiptBlock) -> str:
    return compute_block_id(_decode(block)).hex()


def _is_chain(blocks: list[ReceiptBlock]) -> bool:
    headers = [_decode(block) for block in blocks]
    return all(b.parent == compute_block_id(a) for a, b in pairwise(headers))


def _decode(block: ReceiptBlock) -> Header:
    return decode(Header, bytes.fromhex(block.header), limit=MAX_HEADER_BYTES)
