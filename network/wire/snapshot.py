"""A block's state in proven ranges, and the steps by which finality went, for nodes that begin near the end."""

from typing import Annotated, Final

from msgspec import Meta

from inos.consensus.finality.trust import Step
from inos.consensus.stateranges import Place, StateRange
from inos.network.wire.base import Reply, Request
from inos.primitives.matrices import Hash32
from inos.primitives.votes import Epoch

MAX_STEPS: Final = 16


class GetStateRange(Request, frozen=True, tag=52):
    """What does the state after a recent checkpoint have under this node of its tree? A NotFound: not kept here."""

    block: Hash32
    place: Place


class StateRangeData(Reply, frozen=True, tag=53):
    found: StateRange


class GetSteps(Request, frozen=True, tag=54):
    """How were the checkpoints from this epoch on justified?"""

    first: Epoch


class Steps(Reply, frozen=True, tag=55):
    """In order. MAX_STEPS of them mean: there are more."""

    steps: Annotated[tuple[Step, ...], Meta(max_length=MAX_STEPS)]
