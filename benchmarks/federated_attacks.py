"""What attacks on federated learning gain: accuracy against FedAvg under the same attack, and paid updates.

    python benchmarks/federated_attacks.py [--clients 10] [--attackers 2] [--rounds 15] [--rule krum] [ATTACK ...]

Each client has some of scikit-learn's digits and trains a network of 64-32-10 by SGD for one epoch in a round. Both
kinds of aggregation see the same clients with the same data; FedAvg's updates are neither signed nor refused.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inos.learn.federated.coordinator import Coordinator, make_settings
from inos.learn.federated.models import Model
from inos.learn.federated.replies import Reply
from inos.learn.federated.updates import Terms, make_update, sign_update
from inos.wallet.keys import Key, make_key

SHAPES: Final = ((64, 32), (32,), (32, 10), (10,))
NAMES: Final = tuple(str(number) for number in range(len(SHAPES)))
TRAINED: Final = 1437
RATE: Final = 0.1
BATCH: Final = 16

Floats = NDArray[np.float64]


class Digits(NamedTuple):
    """Training data of each client, and what the model is tested on."""

    parts: list[tuple[Floats, NDArray[np.int64]]]
    test: tuple[Floats, NDArray[np.int64]]


class Past(NamedTuple):
    """What attackers know: the updates of all clients in each earlier round, and now's of the honest ones."""

    rounds: list[list[Floats]]
    honest: list[Floats]


class Outcome(NamedTuple):
    """How an attack ended.

    Attributes:
        accuracy, fedavg: of the two models.
        paid, honest_paid: accepted updates of the attackers and of the others.
        reasons: why updates of attackers were refused.
        wrongly: updates of the others that were refused.
    """

    accuracy: float
    fedavg: float
    paid: int
    honest_paid: int
    reasons: Counter[str]
    wrongly: Counter[str]


def split_digits(clients: int, skew: float | None, seed: int) -> Digits:
    """Return digits for clients: even parts, or parts whose classes follow a Dirichlet distribution of `skew`."""
    from sklearn.datasets import load_digits

    random, digits = np.random.default_rng(seed), load_digits()
    order = random.permutation(len(digits.target))
    x, y = (digits.data / 16)[order], digits.target[order].astype(np.int64)
    chosen: list[list[int]] = [[] for _ in range(clients)]
    if skew is None:
        chosen = [list(each) for each in np.array_split(np.arange(TRAINED), clients)]
    else:
        for digit in range(10):
            places = np.flatnonzero(y[:TRAINED] == digit)
            cuts = (np.cumsum(random.dirichlet([skew] * clients)) * len(places)).astype(int)[:-1]
            for mine, each in zip(chosen, np.split(places, cuts), strict=True):
                mine += list(each)
    return Digits([(x[each], y[each]) for each in chosen], (x[TRAINED:], y[TRAINED:]))


def train(weights: Floats, x: Floats, y: NDArray[np.int64], random: np.random.Generator) -> Floats:
    """Return what one epoch of SGD changes."""
    w1, b1, w2, b2 = layers = [each.copy() for each in _cut(weights)]
    order = random.permutation(len(x))
    for first in range(0, len(x), BATCH):
        chosen = order[first : first + BATCH]
        hidden = np.maximum(x[chosen] @ w1 + b1, 0)
        error = _softmax(hidden @ w2 + b2)
        error[np.arange(len(chosen)), y[chosen]] -= 1
        error /= len(chosen)
        back = (error @ w2.T) * (hidden > 0)
        for layer, gradient in zip(
            layers, (x[chosen].T @ back, back.sum(0), hidden.T @ error, error.sum(0)), strict=True
        ):
            layer -= RATE * gradient
    return np.concatenate([each.reshape(-1) for each in layers]) - weights


def score(weights: Floats, test: tuple[Floats, NDArray[np.int64]]) -> float:
    """Return the share of right guesses."""
    w1, b1, w2, b2 = _cut(weights)
    return float(((np.maximum(test[0] @ w1 + b1, 0) @ w2 + b2).argmax(1) == test[1]).mean())


def _softmax(scores: Floats) -> Floats:
    grown = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(grown / grown.sum(1, keepdims=True))


def _cut(weights: Floats) -> list[Floats]:
    ends = np.cumsum([int(np.prod(each)) for each in SHAPES])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(weights, ends), SHAPES, strict=True)]


def _blur(update: Floats, share: float, random: np.random.Generator) -> Floats:
    """Return an update with noise of a share of its length."""
    noise = random.normal(size=update.shape)
    return update + noise * share * np.linalg.norm(update) / np.linalg.norm(noise)


Attack = Callable[[int, Floats, Floats, Past, np.random.Generator], Floats]
"""An attacker's number, its honest update, the model, what it knows -> what it sends."""


def _resend(share: float, other: bool = False, first: bool = False) -> Attack:
    def attack(number: int, own: Floats, model: Floats, past: Past, random: np.random.Generator) -> Floats:
        if not past.rounds:
            return own
        return _blur(past.rounds[0 if first else -1][-1 - number if other else number], share, random)

    return attack


def _mix(number: int, own: Floats, model: Floats, past: Past, random: np.random.Generator) -> Floats:
    """Send the mean of all clients' last updates, which anybody reads off two models, with a tenth of noise."""
    return _blur(np.mean(past.rounds[-1], 0), 0.1, random) if past.rounds else own


def _hide(number: int, own: Floats, model: Floats, past: Past, random: np.random.Generator) -> Floats:
    """Send the honest mean less one standard deviation of each entry ("a little is enough", arXiv 1902.06156)."""
    return _blur(np.mean(past.honest, 0) - np.std(past.honest, 0), 0.2, random)


ATTACKS: Final[dict[str, Attack]] = {
    "none": lambda number, own, model, past, random: own,
    "flipped labels": lambda number, own, model, past, random: own,  # `run` flips them
    "flipped sign": lambda number, own, model, past, random: -own,
    "flipped sign, 5 times": lambda number, own, model, past, random: -5 * own,
    "100 times": lambda number, own, model, past, random: 100 * own,
    "random": lambda number, own, model, past, random: random.normal(0, own.std(), own.shape),
    "colluding, against the mean": lambda number, own, model, past, random: _blur(
        -np.mean(past.honest, 0), 0.5, random
    ),
    "colluding, hidden": _hide,
    "resent": _resend(0),
    "resent, 1 % noise": _resend(0.01),
    "resent, 10 % noise": _resend(0.1),
    "resent, 30 % noise": _resend(0.3),
    "another's, resent": _resend(0, other=True),
    "another's, 10 % noise": _resend(0.1, other=True),
    "the first update again": _resend(0, first=True),
    "the last step, 10 % noise": _mix,
    "the model itself": lambda number, own, model, past, random: 0.1 * model,
}


def run(
    name: str,
    *,
    clients: int = 10,
    attackers: int = 2,
    rounds: int = 15,
    rule: str = "trimmed-mean",
    bits: int = 16,
    keep: float = 1.0,
    skew: float | None = None,
    seed: int = 0,
) -> Outcome:
    """Train with an attack by both ways of aggregation. The first clients are the attackers."""
    random, digits = np.random.default_rng(seed), split_digits(clients, skew, seed)
    if name == "flipped labels":
        digits.parts[:attackers] = [(x, 9 - y) for x, y in digits.parts[:attackers]]
    first = np.concatenate([random.normal(0, 0.1 if len(shape) > 1 else 0, shape).reshape(-1) for shape in SHAPES])
    keys = [make_key(bytes([7] * 31 + [number + 1])) for number in range(clients)]
    settings = make_settings(
        [key.address for key in keys], rule=rule, liars=attackers / clients, bits=bits, keep=keep, budget=0
    )
    pasts: tuple[list[list[Floats]], list[list[Floats]]] = ([], [])
    rests = [[np.zeros(int(np.prod(shape))) for shape in SHAPES] for _ in keys]
    averaged, names = first, [key.address.hex() for key in keys[:attackers]]
    with tempfile.TemporaryDirectory() as folder:
        layers = dict(zip(NAMES, _cut(first), strict=True))
        coordinator = Coordinator(Path(folder), settings, Model(layers))
        for _ in range(rounds):
            model = np.concatenate(coordinator.model.list_trained())
            updates = _train_all(ATTACKS[name], digits, model, pasts[0], attackers, random)
            terms = coordinator.open_round()
            coordinator.close_round([
                _send(terms, key, update, rest) for key, update, rest in zip(keys, updates, rests, strict=True)
            ])  # fmt: skip
            averaged = averaged + np.mean(_train_all(ATTACKS[name], digits, averaged, pasts[1], attackers, random), 0)
        final = np.concatenate(coordinator.model.list_trained())
        records = coordinator.federation.records
    paid = Counter(each.sender in names for record in records for each in record.accepted)
    refused = [(each.sender in names, each.reason) for record in records for each in record.refused]
    return Outcome(
        score(final, digits.test), score(averaged, digits.test), paid[True], paid[False],
        Counter(reason for is_attacker, reason in refused if is_attacker),
        Counter(reason for is_attacker, reason in refused if not is_attacker),
    )  # fmt: skip


def _train_all(
    attack: Attack, digits: Digits, model: Floats, past: list[list[Floats]], attackers: int, random: np.random.Generator
) -> list[Floats]:
    """Return the clients' updates of a round, and remember them."""
    updates = [train(model, x, y, random) for x, y in digits.parts]
    known = Past(past[:], updates[attackers:])
    updates[:attackers] = [attack(number, updates[number], model, known, random) for number in range(attackers)]
    past.append(updates)
    return updates


def _send(terms: Terms, key: Key, update: Floats, rest: list[Floats]) -> Reply:
    """Return a client's signed answer, and keep in `rest` what quantising lost."""
    changes = [part.reshape(-1) + lost for part, lost in zip(_cut(update), rest, strict=True)]
    data, rest[:] = make_update(terms, key.address, NAMES, changes)
    return Reply(key.address.hex(), bytes(key.address), sign_update(key, terms, data), data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run attacks and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("clients", 10), ("attackers", 2), ("rounds", 15), ("bits", 16), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rule", default="trimmed-mean")
    parser.add_argument("--keep", type=float, default=1.0)
    parser.add_argument("--skew", type=float)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"by default all: {', '.join(ATTACKS)}")
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    print(
        "| attack | accuracy | FedAvg | attackers' updates paid | others' paid | why not |\n|---|---|---|---|---|---|"
    )
    for name in given.pop("attacks") or ATTACKS:
        found = run(name, **given)
        shares = [
            f"{paid} of {count * given['rounds']}"
            for paid, count in (
                (found.paid, given["attackers"]),
                (found.honest_paid, given["clients"] - given["attackers"]),
            )
        ]
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.reasons.most_common())
        print(f"| {name} | {found.accuracy:.1%} | {found.fedavg:.1%} | {' | '.join(shares)} | {reasons} |", flush=True)


if __name__ == "__main__":
    main()
