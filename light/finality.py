"""Each source proves what is final by the steps that committees signed; two proofs that contradict are detected."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from inos.consensus.codes import Code
from inos.consensus.finality.trust import Step, Trust, begin_trust, begin_trust_at, follow_step
from inos.genesis import Network
from inos.light.errors import Lie, LightError
from inos.light.headers import Headers
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.units import BlockId, StateRoot
from inos.primitives.votes import Checkpoint

MAX_STEPS: Final = 16
MAX_KEPT: Final = 1024
"""This many justified checkpoints above the last final one are remembered for each source."""

MAX_PROVEN: Final = 4096
"""The final checkpoints of other sources are compared with this many."""


class StepSource(Protocol):
    """Tells how finality proceeded, as a node does."""

    @property
    def url(self) -> str: ...

    async def get_steps(self, first: int) -> list[Step]: ...


class FinalityTracker:
    """Follows finality for all sources. A checkpoint that is justified and not final may be abandoned, so several are
    kept.

    Args:
        checkpoint: a final block that the user of this client trusts.
        is_best: says whether a block is on the heaviest chain, and its work was checked.
    """

    def __init__(
        self,
        network: Network,
        checkpoint: Checkpoint | None,
        headers: Headers,
        bls: Bls,
        is_best: Callable[[BlockId], bool],
    ) -> None:
        self._params = network.params
        self._given = checkpoint
        self._headers = headers
        self._bls = bls
        self._is_best = is_best
        genesis = begin_trust(network.genesis_id, StateRoot(network.state.header.state_root))
        self._begun: dict[str, Trust] = {} if checkpoint is not None else {"": genesis}
        self._known: dict[str, dict[Checkpoint, Trust]] = {}
        self._proven: dict[int, tuple[Checkpoint, str]] = {}
        """This maps epochs to final checkpoints, each with the node that proved it first."""
        self.final: Checkpoint | None = None
        """This is the last final checkpoint; it is None before there is one."""
        self.justified_epoch = 0

    async def follow(self, source: StepSource) -> None:
        """Learn what a source can prove.

        Raises:
            Lie: its proof does not show what it says. LightError: "conflicting-finality", or it does not answer.
            NotYet: "work-unknown".
        """
        trusts = self._known.get(source.url)
        if trusts is None:
            begun = await self._begin(source)
            if begun is None:
                return
            trusts = self._known.setdefault(source.url, {begun.justified: begun})
        first = min(each.epoch for each in trusts) + 1
        while True:
            steps = await source.get_steps(first)
            for step in steps:
                await self._take(source, trusts, step)
            if len(steps) < MAX_STEPS:
                return
            first = max(first, steps[-1].aggregate.link.target.epoch) + 1

    async def _begin(self, source: StepSource) -> Trust | None:
        if self._given is None:
            return self._begun[""]
        steps = await source.get_steps(self._given.epoch)
        self._add_final(self._given, "--checkpoint")
        if not steps or steps[0].aggregate.link.target != self._given:
            return None
        try:
            return begin_trust_at(self._params, self._given, steps[0])
        except RuleViolation as error:
            raise self._make_lie(source, steps[0], error) from error

    async def _take(self, source: StepSource, trusts: dict[Checkpoint, Trust], step: Step) -> None:
        link = step.aggregate.link
        if link.target in trusts:
            return
        before = trusts.get(link.source)
        try:
            if before is None:
                raise RuleViolation(Code.WRONG_SOURCE, f"epoch {link.source.epoch} was never shown to be justified")
            follow = partial(follow_step, self._params, before, step, self._bls, self._is_best)
            trust = await asyncio.to_thread(follow)
        except RuleViolation as error:
            raise self._make_lie(source, step, error) from error
        trusts[link.target] = trust
        self.justified_epoch = max(self.justified_epoch, trust.justified.epoch)
        if trust.finalized.epoch > 0:
            self._add_final(trust.finalized, source.url)
        for old in sorted(trusts, key=lambda each: each.epoch):
            if old.epoch >= trust.finalized.epoch and len(trusts) <= MAX_KEPT:
                break
            del trusts[old]

    def _add_final(self, final: Checkpoint, by: str) -> None:
        known = self._proven.setdefault(final.epoch, (final, by))
        if known[0] != final:
            raise LightError(
                "conflicting-finality",
                f"two final blocks are proven for epoch {final.epoch}: {known[0].id.hex()} by {known[1]} and "
                f"{final.id.hex()} by {by}; at least a third of the voters' weight signed both",
                hint="ask a source you trust which of them is right, and start again with --checkpoint",
            )
        if self.final is None or final.epoch > self.final.epoch:
            self.final = final
        if len(self._proven) > MAX_PROVEN:
            del self._proven[min(self._proven)]

    def _make_lie(self, source: StepSource, step: Step, error: RuleViolation) -> Lie:
        epoch = step.aggregate.link.target.epoch
        text = f"its step does not justify epoch {epoch}: [{error.code}] {error.message}"
        return Lie("lied-about-finality", source.url, text)
