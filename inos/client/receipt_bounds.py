"""What a receipt's block is bound to: a final checkpoint that the reader believes, or a node that the reader believes.

Genesis alone binds nothing: before anything is final only work vouches for a committee, and work convinces by being
the most there is, which one file cannot show.
"""

from typing import Final

from inos.client.blocking_client import BlockingClient
from inos.client.errors import ClientError
from inos.client.receipt_checks import Bound, Contents, Unproven
from inos.consensus.finality import compute_epoch, compute_height, is_checkpoint
from inos.consensus.finality.trust import Trust, begin_trust_at, follow_step
from inos.consensus.params import Params
from inos.genesis import Network
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.bls import Bls
from inos.primitives.codec import encode
from inos.primitives.errors import NotYet
from inos.primitives.units import BlockId
from inos.primitives.votes import Checkpoint

MIN_DEPTH: Final = 6
"""This many blocks on top count as safe if nothing is final."""


def bind_to_checkpoint(params: Params, height: int, block: BlockId, bls: Bls) -> Bound:
    """Return a bound by a final block that the reader believes.

    The receipt's block is believed if it is that block, if that block is among its confirmations, or if the receipt's
    steps lead from that checkpoint to one that makes the receipt's block final.

    Raises:
        ValueError: no epoch ends at this height.
    """
    if height < 1 or not is_checkpoint(params, height):
        raise ValueError(f"no epoch ends at height {height}; final blocks stand at multiples of {params.epoch_blocks}")
    believed = Checkpoint(compute_epoch(params, height), block)

    def check(contents: Contents) -> str:
        found = {compute_block_id(header): header.height for header in contents.headers}
        if found.get(block) == height:
            return f"block {height}, which you trust, is this block or follows it"
        try:
            final = _find_final(params, contents, believed, bls)
        except NotYet as error:
            raise Unproven(
                f"work alone vouches for a committee on the way, as before the first final block: {error.message}"
            ) from error
        if final is not None:
            return f"final: votes lead from block {height}, which you believe, to block {final}"
        raise Unproven(_explain(params, contents, height))

    return check


def bind_to_node(client: BlockingClient, network: Network) -> Bound:
    """Return a bound by what a node says, which is believed."""

    def check(contents: Contents) -> str:
        try:
            return ask(contents.headers[0])
        except ClientError as error:
            raise Unproven(f"the node does not tell: {error.message}") from error

    def ask(header: Header) -> str:
        version = client.version()
        if version.genesis != network.genesis_id.hex():
            raise ValueError(f"the node is on {version.network}, genesis {version.genesis[:16]}...")
        page = client.call("chain_getRawHeaders", {"first": header.height, "limit": 1})
        if page["headers"] != [encode(header).hex()]:
            raise ValueError(f"the node has another block at height {header.height}, or none")
        if client.finality().final_height >= header.height:
            return f"block {header.height} is final, the node says"
        depth = page["height"] - header.height
        if depth < MIN_DEPTH:
            raise Unproven(f"the node has only {depth} blocks on top; {MIN_DEPTH} are enough")
        return f"block {header.height} is on the best chain, under {depth} blocks, the node says"

    return check


def _find_final(params: Params, contents: Contents, believed: Checkpoint, bls: Bls) -> int | None:
    """Return the height of a block of the receipt that is final if `believed` is; None if the steps show none.

    Raises:
        RuleViolation: a step proves nothing. NotYet: "work-unknown".
    """
    trust: Trust | None = None
    finals: set[BlockId] = set()
    for step in contents.steps:
        if trust is None:
            if step.aggregate.link.target != believed:
                continue
            trust = begin_trust_at(params, believed, step)
        else:
            trust = follow_step(params, trust, step, bls, lambda block: False)
        finals.add(BlockId(trust.finalized.id))
    if trust is None:
        return None
    return next((header.height for header in contents.headers if compute_block_id(header) in finals), None)


def _explain(params: Params, contents: Contents, height: int) -> str:
    targets = [compute_height(params, step.aggregate.link.target.epoch) for step in contents.steps]
    if not targets:
        return "the receipt holds no votes, since nothing was final when it was written; give --node URL"
    if height not in targets:
        return f"the receipt's votes lead from blocks {targets[0]} to {targets[-1]}, and not from block {height}"
    return f"the votes do not start from the block {height} that you believe, or do not make the receipt's block final"
