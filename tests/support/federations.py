"""Members and updates of a small federation, without Flower."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inos.learn.federated.coordinator import Coordinator, Settings, make_settings
from inos.learn.federated.models import Model
from inos.learn.federated.replies import Reply
from inos.learn.federated.updates import Terms, make_update, sign_update
from inos.wallet.keys import Key, make_key

SIZES = (2400, 100)
NAMES = ("weight", "bias")


def make_member(number: int) -> Key:
    """Return a member's key."""
    return make_key(bytes([3] * 31 + [number + 1]))


MEMBERS = [make_member(number) for number in range(10)]


def make_model(seed: int = 0) -> Model:
    """Return a model of two trained layers and a counter."""
    random = np.random.default_rng(seed)
    return Model({
        "weight": random.normal(size=(60, 40)).astype(np.float32),
        "bias": random.normal(size=100).astype(np.float64),
        "steps": np.array(7),
    })  # fmt: skip


def settle_on(**options: Any) -> Settings:
    """Return settings of a federation of all members."""
    given: dict[str, Any] = {"rule": "trimmed-mean", "liars": 0.2, "bits": 16, "keep": 1.0, "budget": 0}
    return make_settings([key.address for key in MEMBERS], **(given | options))


def open_coordinator(folder: Path, client: Any = None, **options: Any) -> Coordinator:
    """Return the coordinator of a federation of all members."""
    more = {name: options.pop(name) for name in ("publish", "depth") if name in options}
    return Coordinator(folder, settle_on(**options), make_model(), client, **more)


def draw_changes(round: int, members: Sequence[Key] = MEMBERS) -> dict[bytes, NDArray[np.float64]]:
    """Return what training changes: something that all have in common in a round, and noise of each member's own."""
    random = np.random.default_rng([11, round])
    common = random.normal(size=sum(SIZES))
    return {key.address: 0.01 * (common + 0.5 * random.normal(size=common.size)) for key in members}


def make_reply(terms: Terms, key: Key, change: NDArray[np.float64], *, signer: Key | None = None) -> Reply:
    """Return a signed answer."""
    data, _ = make_update(terms, key.address, NAMES, np.split(change, [SIZES[0]]))
    return Reply(f"node of {key.address.hex()}", bytes(key.address), sign_update(signer or key, terms, data), data)


def answer_all(coordinator: Coordinator, *, without: int = 0) -> list[Reply]:
    """Return honest answers of all members but the first `without` ones for the next round."""
    terms = coordinator.open_round()
    changes = draw_changes(terms.round)
    return [make_reply(terms, key, changes[key.address]) for key in MEMBERS[without:]]
