"""Votes on checkpoints are announced as they come, and requested by nodes that were away."""

from typing import Annotated, Final

from msgspec import Meta

from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.votes import MAX_COMMITTEE, Epoch, Vote

MAX_ANNOUNCED_VOTES: Final = 8
"""One notice holds at most this many votes; each costs its receiver a pairing."""
MAX_VOTES: Final = 2 * MAX_COMMITTEE
"""One answer holds at most this many votes: those of a full committee for two epochs."""


class AnnounceVotes(Notice, frozen=True, tag=46):
    """Announces votes that the sender has checked."""

    votes: Annotated[tuple[Vote, ...], Meta(min_length=1, max_length=MAX_ANNOUNCED_VOTES)]


class GetVotes(Request, frozen=True, tag=47):
    """Requests votes whose targets are of an epoch or above."""

    first_epoch: Epoch


class Votes(Reply, frozen=True, tag=48):
    """Carries evidence first, then whole epochs from the lowest on, as far as they fit."""

    votes: Annotated[tuple[Vote, ...], Meta(max_length=MAX_VOTES)]
