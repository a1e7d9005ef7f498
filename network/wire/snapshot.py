"""Nodes that start from a recent state request a block's state in proven ranges, and the proofs of finality."""

from typing import Annotated, Final

from msgspec import Meta

from inos.consensus.finality.trust import Step
from inos.consensus.stateranges import Place, StateRange
from inos.network.wire.base import Reply, Request
from inos.primitives.matrices import Hash32
from inos.primitives.votes import Epoch

MAX_FINALITY_PROOFS: Final = 16


class GetStateRange(Request, frozen=True, tag=52):
    """Requests the part of the state after a recent checkpoint under one place of its tree; NotFound means it is not
    kept."""

    block: Hash32
    place: Place


class StateRangeData(Reply, frozen=True, tag=53):
    found: StateRange


class GetFinalityProofs(Request, frozen=True, tag=54):
    """Requests how the checkpoints from this epoch on were justified."""

    first: Epoch


class FinalityProofs(Reply, frozen=True, tag=55):
    """Carries proofs of finality in order. If there are MAX_FINALITY_PROOFS of them, there are more."""

    steps: Annotated[tuple[Step, ...], Meta(max_length=MAX_FINALITY_PROOFS)]
