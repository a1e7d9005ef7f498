"""Finds the block from whose state a new node starts: a final block, as recent as its peers can prove.

It starts with the checkpoint that the node was given, or with genesis, and follows the steps of finality that peers
send, each proven by its committee's signatures. All peers prove the same blocks unless voters with a third of the
weight signed two of them; then no block is believed, and an error says so.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import structlog

from inos.consensus.finality.epochs import compute_epoch
from inos.consensus.finality.trust import Step, Trust, begin_trust, begin_trust_at, follow_step
from inos.network.errors import LinkError, Misbehaviour, NetworkError, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import NetworkSettings
from inos.network.sync.block_status import is_known
from inos.network.sync.penalties import Penalise
from inos.network.wire.snapshot import MAX_FINALITY_PROOFS, FinalityProofs, GetFinalityProofs
from inos.primitives.clock import Clock
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId, StateRoot
from inos.primitives.votes import Checkpoint

log = structlog.get_logger("inos.network")

POLL_S: Final = 0.25
LOG_S: Final = 30.0
"""While something is waited for, it is logged this often."""
MIN_PEERS: Final = 2
"""At least this many peers are asked, if as many connect within PEERS_S."""
MAX_PEERS: Final = 8
PEERS_S: Final = 5.0


class CheckpointFinder:
    """Runs one search. Peers that lie are penalised; those that know less are not."""

    def __init__(
        self,
        node: NodePort,
        settings: NetworkSettings,
        clock: Clock,
        list_peers: Callable[[], Iterable[Peer]],
        penalise: Penalise,
    ) -> None:
        self._node = node
        self._limits = settings.limits
        self._given = settings.checkpoint
        self._clock = clock
        self._list_peers = list_peers
        self._penalise = penalise
        self._logged_at = clock.monotonic()

    async def find(self) -> BlockId | None:
        """Return the block to start from, or None if no block is final yet.

        Raises:
            NetworkError: "bad-checkpoint", "conflicting-finality".
        """
        if self._given is not None:
            await self._await_header(BlockId(self._given.id))
        await self._await_peers()
        proven: dict[int, Checkpoint] = {}
        for finals in await self._ask_all():
            for final in finals:
                other = proven.setdefault(final.epoch, final)
                if other != final:
                    raise make_conflict(other, final)
        if not proven:
            return None if self._given is None else BlockId(self._given.id)
        found = BlockId(proven[max(proven)].id)
        await self._await_header(found)
        return found

    async def _await_header(self, block: BlockId) -> None:
        ledger = self._node.ledger
        while (header := ledger.get_header(block)) is None:
            self._log(f"no peer has sent the header of checkpoint {block.hex()} yet")
            await asyncio.sleep(POLL_S)
        if self._given is not None and block == self._given.id:
            epoch = compute_epoch(self._node.params, header.height)
            if epoch != self._given.epoch:
                raise NetworkError(
                    "bad-checkpoint",
                    f"block {block.hex()} has height {header.height}, which is not the epoch that --checkpoint names",
                    hint="compare it with the output of inos status on a node that you trust",
                )

    async def _await_peers(self) -> None:
        """Wait until some peers are connected and their chains of headers are known."""
        began: float | None = None
        while True:
            peers = list(self._list_peers())
            is_learned = all(is_known(self._node.ledger, peer.best_id) for peer in peers)
            now = self._clock.monotonic()
            if peers and is_learned:
                began = began or now
                if len(peers) >= MIN_PEERS or now - began >= PEERS_S:
                    return
            self._log("the node waits for peers and their headers before it requests a state")
            await asyncio.sleep(POLL_S)

    async def _ask_all(self) -> list[list[Checkpoint]]:
        """Return the checkpoints that each peer proves to be final."""
        peers = list(self._list_peers())[:MAX_PEERS]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(peer)) for peer in peers]
        return [task.result() for task in tasks]

    async def _ask(self, peer: Peer) -> list[Checkpoint]:
        finals: list[Checkpoint] = []
        try:
            trust = await self._begin(peer)
            while trust is not None:
                steps = (await self._request_proofs(peer, trust.justified.epoch + 1)).steps
                for step in steps:
                    trust = await self._node.threads.check(partial(self._follow, trust, step))
                    await self._node.state_import.add_step(step)
                    if trust.finalized.epoch > 0:
                        finals.append(trust.finalized)
                if len(steps) < MAX_FINALITY_PROOFS:
                    return finals
        except RuleViolation as error:
            await self._penalise(peer, Misbehaviour(error.code, f"invalid proof of finality: {error.message}"))
        except Misbehaviour as fault:
            await self._penalise(peer, fault)
        except (RequestFailed, NotYet, LinkError) as error:
            log.info("no proof of finality from peer", peer=peer.name, code=error.code, reason=error.message)
        return []

    def _follow(self, trust: Trust, step: Step) -> Trust:
        ledger = self._node.ledger
        return follow_step(self._node.params, trust, step, ledger.bls, ledger.is_on_best_chain)

    async def _begin(self, peer: Peer) -> Trust | None:
        """Return the trust in the given checkpoint, or None if the peer cannot prove how it became final."""
        if self._given is None:
            header = self._node.ledger.get_header(self._node.genesis_id)
            if header is None:
                raise LookupError("this node has no genesis block")
            return begin_trust(self._node.genesis_id, StateRoot(header.state_root))
        steps = (await self._request_proofs(peer, self._given.epoch)).steps
        if not steps or steps[0].aggregate.link.target != self._given:
            return None
        return begin_trust_at(self._node.params, Checkpoint(self._given.epoch, self._given.id), steps[0])

    async def _request_proofs(self, peer: Peer, first: int) -> FinalityProofs:
        with peer.requests.open(FinalityProofs) as pending:
            await peer.send_request(pending, GetFinalityProofs(pending.request, first), self._limits.headers)
            reply = await pending.next(self._limits.headers)
        if not isinstance(reply, FinalityProofs):
            raise RequestFailed("not-found", "the peer sends no proofs of finality")
        return reply

    def _log(self, what: str) -> None:
        if self._clock.monotonic() - self._logged_at >= LOG_S:
            self._logged_at = self._clock.monotonic()
            log.warning(what)


def make_conflict(one: Checkpoint, other: Checkpoint) -> NetworkError:
    """Return the error for two final blocks of one epoch."""
    return NetworkError(
        "conflicting-finality",
        f"peers prove two final blocks for epoch {one.epoch}: {one.id.hex()} and {other.id.hex()}; "
        "voters with at least a third of the weight signed both",
        hint="ask a person you trust which of the two is right, and start with --checkpoint",
    )
