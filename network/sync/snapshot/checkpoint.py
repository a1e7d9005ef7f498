"""Finds the block whose state a new node begins with: a final one, as recent as its peers can prove.

It begins with the checkpoint the node was given, or with genesis, and follows the steps of finality that peers hand
out, each proven by its committee's signatures. What several peers prove can only be the same, unless a third of the
voters' weight signed both; then nothing is believed, and it is said plainly.
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
from inos.network.wire.snapshot import MAX_STEPS, GetSteps, Steps
from inos.primitives.clock import Clock
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId, StateRoot
from inos.primitives.votes import Checkpoint

log = structlog.get_logger("inos.network")

LOOK_S: Final = 0.25
SAY_S: Final = 30.0
"""What is waited for is logged so often."""
MIN_PEERS: Final = 2
"""Peers asked, where so many come within PEERS_S."""
MAX_PEERS: Final = 8
PEERS_S: Final = 5.0


class CheckpointFinder:
    """One search. Peers that lie are punished; those that know less are not."""

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
        self._said_at = clock.monotonic()

    async def find(self) -> BlockId | None:
        """The block to begin with; None where nothing is final yet.

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
            self._say(f"no peer has given the header of checkpoint {block.hex()} yet")
            await asyncio.sleep(LOOK_S)
        if self._given is not None and block == self._given.id:
            epoch = compute_epoch(self._node.params, header.height)
            if epoch != self._given.epoch:
                raise NetworkError(
                    "bad-checkpoint",
                    f"block {block.hex()} is at height {header.height}, not where --checkpoint says",
                    hint="compare it with inos status of a node you trust",
                )

    async def _await_peers(self) -> None:
        """Until some peers are here and their chains of headers are known."""
        began: float | None = None
        while True:
            peers = list(self._list_peers())
            is_learned = all(is_known(self._node.ledger, peer.best_id) for peer in peers)
            now = self._clock.monotonic()
            if peers and is_learned:
                began = began or now
                if len(peers) >= MIN_PEERS or now - began >= PEERS_S:
                    return
            self._say("peers, and their headers, are waited for before a state is asked for")
            await asyncio.sleep(LOOK_S)

    async def _ask_all(self) -> list[list[Checkpoint]]:
        """What each peer proves to be final."""
        peers = list(self._list_peers())[:MAX_PEERS]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(peer)) for peer in peers]
        return [task.result() for task in tasks]

    async def _ask(self, peer: Peer) -> list[Checkpoint]:
        finals: list[Checkpoint] = []
        try:
            trust = await self._begin(peer)
            while trust is not None:
                steps = (await self._ask_steps(peer, trust.justified.epoch + 1)).steps
                for step in steps:
                    trust = await self._node.run_check(partial(self._follow, trust, step))
                    await self._node.add_step(step)
                    if trust.finalized.epoch > 0:
                        finals.append(trust.finalized)
                if len(steps) < MAX_STEPS:
                    return finals
        except RuleViolation as error:
            await self._penalise(peer, Misbehaviour(error.code, f"finality that does not follow: {error.message}"))
        except Misbehaviour as fault:
            await self._penalise(peer, fault)
        except (RequestFailed, NotYet, LinkError) as error:
            log.info("finality not learned", peer=peer.name, code=error.code, reason=error.message)
        return []

    def _follow(self, trust: Trust, step: Step) -> Trust:
        ledger = self._node.ledger
        return follow_step(self._node.params, trust, step, ledger.bls, ledger.is_on_best_chain)

    async def _begin(self, peer: Peer) -> Trust | None:
        """Trust in what the node was given; None where the peer cannot tell how that came to be final."""
        if self._given is None:
            header = self._node.ledger.get_header(self._node.genesis_id)
            if header is None:
                raise LookupError("this node has no genesis")
            return begin_trust(self._node.genesis_id, StateRoot(header.state_root))
        steps = (await self._ask_steps(peer, self._given.epoch)).steps
        if not steps or steps[0].aggregate.link.target != self._given:
            return None
        return begin_trust_at(self._node.params, Checkpoint(self._given.epoch, self._given.id), steps[0])

    async def _ask_steps(self, peer: Peer, first: int) -> Steps:
        with peer.requests.open(Steps) as pending:
            await peer.send_request(pending, GetSteps(pending.request, first), self._limits.headers)
            reply = await pending.next(self._limits.headers)
        if not isinstance(reply, Steps):
            raise RequestFailed("not-found", "the peer gives no steps of finality")
        return reply

    def _say(self, what: str) -> None:
        if self._clock.monotonic() - self._said_at >= SAY_S:
            self._said_at = self._clock.monotonic()
            log.warning(what)


def make_conflict(one: Checkpoint, other: Checkpoint) -> NetworkError:
    """Two final blocks where there can be one."""
    return NetworkError(
        "conflicting-finality",
        f"peers prove two final blocks for epoch {one.epoch}: {one.id.hex()} and {other.id.hex()}; at least a third of "
        "the voters' weight signed both",
        hint="ask somebody you trust which of them is right, and begin with --checkpoint",
    )
