"""Checked votes on checkpoints are announced to all peers, and new peers are asked for theirs.

Votes are announced to each peer at its own pace, in small notices, and not to the peer that sent them. Received votes
are checked in turns, with a queue for each peer, so that a flood from one peer delays its own votes only.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

import structlog

from inos.consensus.finality import compute_passed_epoch
from inos.core.bounded import BoundedSet, TokenBucket
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.peer import Peer
from inos.network.ports import NodePort
from inos.network.settings import TimeLimits
from inos.network.wire.base import Notice, Request
from inos.network.wire.limits import get_limit
from inos.network.wire.votes import MAX_ANNOUNCED_VOTES, MAX_VOTES, AnnounceVotes, GetVotes, Votes
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, RuleViolation
from inos.primitives.votes import Vote

log = structlog.get_logger("inos.network")

MAX_RECEIVED: Final = 64
"""At most this many notices of one peer wait to be checked; more are dropped, and requested when the peer connects
again."""
MAX_UNSENT: Final = 4096
"""At most this many votes wait to be announced to one peer; the oldest are dropped first."""
KNOWN: Final = 4096
"""This many votes are remembered as known to a peer."""
ASKED_EPOCHS: Final = 16
"""A new peer is asked for the votes of this many epochs below the tip's."""
COLLECT_S: Final = 0.05
"""The votes of an epoch arrive together; they are collected for this long before they are announced."""


class _PeerVotes:
    """Holds the votes that one peer knows, those that it has sent, and those that it is still to be told of."""

    def __init__(self, now: float) -> None:
        limit = get_limit(AnnounceVotes)
        self.received: deque[AnnounceVotes] = deque(maxlen=MAX_RECEIVED)
        self.has_received = asyncio.Event()
        self.unsent: OrderedDict[Vote, None] = OrderedDict()
        self.known: BoundedSet[Vote] = BoundedSet(KNOWN)
        self.budget = TokenBucket(limit.per_s / 2, limit.burst / 2, now)
        """This budget limits announcements to half of what the other side allows."""


class VoteRelay:
    """Relays votes for all peers."""

    def __init__(self, node: NodePort, limits: TimeLimits, clock: Clock) -> None:
        self._node, self._limits, self._clock = node, limits, clock
        self._peers: dict[Peer, _PeerVotes] = {}
        self._has_unsent = asyncio.Event()

    def handle_notice(self, peer: Peer, notice: Notice) -> bool:
        """Queue a notice of votes; return False if the notice is of another kind."""
        if not isinstance(notice, AnnounceVotes):
            return False
        state = self._peers.get(peer)
        if state is not None:
            state.received.append(notice)
            state.has_received.set()
        return True

    async def handle_request(self, peer: Peer, request: Request) -> bool:
        """Answer a request for votes; return False if the request is of another kind."""
        if not isinstance(request, GetVotes):
            return False
        votes = tuple(await self._node.votes.list_votes(request.first_epoch, MAX_VOTES))
        await peer.out.put(Votes(request.request, votes))
        state = self._peers.get(peer)
        if state is not None:
            for vote in votes:
                state.known.add(vote)
        return True

    def on_added(self, vote: Vote) -> None:
        """Queue a vote that the node has checked for all peers that do not know it."""
        for state in self._peers.values():
            if vote not in state.known:
                state.unsent[vote] = None
                if len(state.unsent) > MAX_UNSENT:
                    state.unsent.popitem(last=False)
        self._has_unsent.set()

    async def run(self) -> None:
        """Announce waiting votes, until cancelled."""
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            await asyncio.sleep(COLLECT_S)
            for peer, state in self._peers.items():
                self._announce(peer, state)
            if any(state.unsent for state in self._peers.values()):
                self._has_unsent.set()

    async def fetch_from(self, peer: Peer) -> None:
        """Request a new peer's votes and check those that it announces, for as long as it is connected.

        Raises:
            Misbehaviour: the peer sent a vote with an invalid signature.
        """
        state = self._peers[peer] = _PeerVotes(self._clock.monotonic())
        try:
            try:
                await self._ask(peer, state)
            except RequestFailed as error:
                log.debug("no votes from peer", peer=peer.name, code=error.code)
            while True:
                await state.has_received.wait()
                state.has_received.clear()
                while state.received:
                    await self._take(peer, state, state.received.popleft().votes)
        finally:
            del self._peers[peer]

    async def _ask(self, peer: Peer, state: _PeerVotes) -> None:
        """Request page by page; an epoch that fills a whole page is skipped."""
        passed = compute_passed_epoch(self._node.params, self._node.ledger.tip.header.height)
        first = max(0, passed - ASKED_EPOCHS)
        for _ in range(2 * ASKED_EPOCHS):
            with peer.requests.open(Votes) as pending:
                await peer.send_request(pending, GetVotes(pending.request, first), self._limits.transactions)
                reply = await pending.next(self._limits.transactions)
            if not isinstance(reply, Votes):
                return
            await self._take(peer, state, reply.votes)
            if len(reply.votes) < MAX_VOTES:
                return
            first = max(first + 1, reply.votes[-1].link.target.epoch)

    async def _take(self, peer: Peer, state: _PeerVotes, votes: Iterable[Vote]) -> None:
        for vote in votes:
            state.known.add(vote)
            state.unsent.pop(vote, None)
            if self._node.votes.has(vote):
                continue
            try:
                await self._node.votes.add(vote)
            except RuleViolation as error:
                raise Misbehaviour(error.code, error.message) from error
            except InosError as error:
                log.debug("vote not added", peer=peer.name, code=error.code)

    def _announce(self, peer: Peer, state: _PeerVotes) -> None:
        while state.unsent and state.budget.take(self._clock.monotonic()):
            batch = tuple(islice(state.unsent, MAX_ANNOUNCED_VOTES))
            if not peer.send(AnnounceVotes(batch)):
                return
            for vote in batch:
                del state.unsent[vote]
                state.known.add(vote)
