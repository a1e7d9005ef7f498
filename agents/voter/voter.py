"""The voter votes once an epoch, on the checkpoint of this node's best chain, with the key in the data directory.

The journal decides last: a vote that is not on disk is not sent, and a vote that the journal refuses is not signed.
Votes under this key that arrive from other nodes and are not in the journal were signed elsewhere; they are added to it
first.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from inos.agents.signing import make_transaction
from inos.agents.status import VoterStatus
from inos.agents.voter.bonds import NO_BONDS, BondLimits, compute_next_lock
from inos.agents.voter.journal import Journal, Refused, Signed
from inos.chain.events import TipChanged, VoteAdded
from inos.consensus.finality import compute_epoch, compute_height, compute_mined, compute_span, is_open
from inos.consensus.params import Params
from inos.consensus.state import StateView
from inos.core.errors import NodeError
from inos.core.node_core import NodeCore
from inos.primitives.bls import BlsBackend
from inos.primitives.errors import InosError
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import (
    RegisterVoter,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
)
from inos.primitives.units import Address, Height, Nano, TxId
from inos.primitives.votes import Link, Vote, compute_vote_hash, make_possession_message

log: Final = structlog.get_logger("finality")

VOTE_DEPTH: Final = 2
"""A checkpoint is voted on when it has this many blocks above it: two checkpoints of one height seldom both get there,
and votes divided between them justify neither (decision 63)."""
RECENT_EPOCHS: Final = 2
"""A tip older than this many epochs is history, in which there is nothing to vote on."""
LOOK_S: Final = 2.0
MAX_ORDER_BYTES: Final = 1024
"""A registration transaction takes fewer bytes."""


def find_duty(params: Params, state: StateView, height: int, key: bytes) -> Link | None:
    """Return the link that a member signs at a tip, for the latest checkpoint that is deep enough, or None.

    Args:
        state: the state of the tip.
        height: the height of the tip.
    """
    finality = state.get_finality()
    if finality is None:
        return None
    for ballot in reversed(finality.ballots):
        depth = min(VOTE_DEPTH, compute_span(params, 1) - 1)
        if height < compute_height(params, ballot.link.target.epoch) + depth:
            continue
        is_member = any(member.key == key for member in state.get_committee(ballot.committee).members)
        return ballot.link if is_member and is_open(params, finality, ballot) else None
    return None


def make_signed(chain_id: int, link: Link) -> Signed:
    """Return the journal's entry for a link."""
    return Signed(link.source.epoch, link.target.epoch, compute_vote_hash(chain_id, link).hex())


class Voter:
    """Runs until cancelled.

    Args:
        secret: the BLS secret.
        journal: the opened journal of the same key.
        account: the secret of the account that registers; None if the user's wallet registers.
        limits: the node bonds this much by itself when the account has mined and can pay it; by default it waits for a
            command.
    """

    def __init__(
        self,
        core: NodeCore,
        bls: BlsBackend,
        secret: bytes,
        journal: Journal,
        account: bytes | None,
        limits: BondLimits = NO_BONDS,
    ) -> None:
        self._core = core
        self._bls = bls
        self._secret = secret
        self._journal = journal
        self._account = account
        self._limits = limits
        self.key = bls.compute_public_key(secret)
        self._began_in = compute_epoch(core.params, core.ledger.tip.header.height)
        self._is_new = not journal.signed
        self._locking: TxId | None = None
        self._sent: set[Link] = set()
        self._count = 0
        self._last_epoch = 0
        self._last_error = ""

    @property
    def address(self) -> Address | None:
        """Return the account that registered the key, or that would register it."""
        owner = self._core.ledger.state.get_key_owner(self.key)
        if owner is not None:
            return Address(owner.owner)
        return None if self._account is None else compute_address(compute_public_key(self._account))

    def get_status(self) -> VoterStatus:
        ledger, address = self._core.ledger, self.address
        voter = None if address is None else ledger.state.get_voter(address)
        is_registered = voter is not None and voter.key == self.key
        bond = voter.bond if voter is not None and is_registered else 0
        mined = self._get_mined(address)
        return VoterStatus(
            key=self.key,
            address=address,
            is_registered=is_registered,
            bond=bond,
            withdrawable_at=voter.leaves_at if voter is not None and is_registered else 0,
            mined=mined,
            weight=min(mined, bond * ledger.params.bond_leverage),
            votes_sent=self._count,
            last_voted_epoch=self._last_epoch,
            last_error=self._last_error,
        )

    def make_registration(self, address: Address, bond: Nano) -> RegisterVoter:
        """Return the payload that makes an account the voter of this node's key, or adds to its bond. No other account
        can send it."""
        message = make_possession_message(self.key, address, self._core.params.chain_id)
        return RegisterVoter(self.key, self._bls.prove_possession(self._secret, message), bond)

    async def register(self, bond: Nano) -> TxId:
        """Send the registration, or an addition to the bond, from the node's own account.

        Raises:
            NodeError: "no-account". RuleViolation, PoolRejected: as for any transaction.
        """
        address = compute_address(compute_public_key(self._get_account()))
        return await self._send(self.make_registration(address, bond))

    async def unbond(self) -> TxId:
        """Begin to leave. It raises the errors of `register`."""
        return await self._send(UnbondVoter())

    async def withdraw(self) -> TxId:
        """Withdraw the bond when its waiting time is over. It raises the errors of `register`."""
        return await self._send(WithdrawBond())

    async def run(self) -> None:
        """Vote until cancelled."""
        log.info("voting on finality", key=self.key.hex(), signed=len(self._journal.signed))
        async with self._core.events.subscribe() as events:
            while True:
                await self._step()
                await events.wait_for(TipChanged, VoteAdded, limit_s=LOOK_S)

    async def _step(self) -> None:
        try:
            await self._record_foreign_votes()
            await self._vote()
            await self._keep_bond()
        except InosError as error:
            if error.message != self._last_error:
                log.warning("vote failed", code=error.code, error=error.message)
            self._last_error = error.message

    async def _record_foreign_votes(self) -> None:
        """Add votes that were signed with this key elsewhere to the journal, so that none here contradicts them."""
        chain_id = self._core.params.chain_id
        heard = [make_signed(chain_id, vote.link) for vote in self._core.votes.pool.get_latest(self.key)]
        fresh = set(heard).difference(self._journal.signed)
        if fresh:
            await self._write(partial(self._journal.note, fresh))
            log.warning("this key votes elsewhere too", votes=len(fresh))

    async def _vote(self) -> None:
        core, ledger = self._core, self._core.ledger
        tip, state = ledger.tip, ledger.state
        age_ms = core.clock.now_ms() - tip.header.time_ms
        if age_ms > compute_span(core.params, RECENT_EPOCHS) * core.params.spacing_ms:
            return
        link = find_duty(core.params, state, tip.header.height, self.key)
        if link is None or link in self._sent:
            return
        if self._is_new and 0 < link.target.epoch <= self._began_in:
            return  # The journal is empty, and votes that this key may have signed before have had no time to arrive.
        await self._write(partial(self._journal.sign, make_signed(core.params.chain_id, link)))
        signature = self._bls.sign(self._secret, compute_vote_hash(core.params.chain_id, link))
        self._sent = {each for each in self._sent if each.target.epoch >= link.target.epoch} | {link}
        await core.votes.add(Vote(link, self.key, signature))
        self._count += 1
        self._last_epoch, self._last_error = link.target.epoch, ""
        log.info("voted", epoch=link.target.epoch, source=link.source.epoch)

    async def _write(self, call: Callable[[], object]) -> None:
        """Run a call of the journal off the event loop."""
        try:
            await self._core.threads.check(call)
        except Refused as error:
            raise NodeError(error.code, f"the journal refuses: {error.message}") from error

    async def _keep_bond(self) -> None:
        """Register once, and raise the bond as the account mines more, if the owner allows it.

        If the key was registered before and is not registered now, its owner unbonded it or it was slashed.
        """
        core, address = self._core, self.address
        if self._account is None or address != compute_address(compute_public_key(self._account)):
            return
        if self._locking is not None and core.mempool.has(self._locking):
            return
        state = core.ledger.state
        voter = state.get_voter(address)
        is_taken_back = voter is None and state.get_key_owner(self.key) is not None
        if is_taken_back or (voter is not None and voter.key != self.key):
            return
        spendable = state.get_account(address).balance - core.mempool.estimate_fee(MAX_ORDER_BYTES)
        lock = compute_next_lock(core.params, self._limits, self._get_mined(address), voter, spendable)
        if lock:
            self._locking = await self.register(lock)

    def _get_mined(self, address: Address | None) -> Nano:
        """Return what the account mined, at the tip."""
        ledger = self._core.ledger
        if address is None:
            return Nano(0)
        return compute_mined(ledger.params, ledger.state.get_account(address), Height(ledger.tip.header.height))

    def _get_account(self) -> bytes:
        if self._account is None:
            raise NodeError(
                "no-account",
                "this node has no account of its own to register with",
                hint="register with a wallet: inos wallet vote",
            )
        return self._account

    async def _send(self, payload: RegisterVoter | UnbondVoter | WithdrawBond) -> TxId:
        tx = make_transaction(self._core, self._get_account(), payload)
        await self._core.transactions.send(tx)
        log.info("transaction sent", payload=type(payload).__name__, tx=compute_tx_id(tx).hex())
        return compute_tx_id(tx)
