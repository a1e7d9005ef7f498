"""Flower's quickstart with scikit-learn, on digits that come with it, and with one line changed on each side.

    pip install flwr scikit-learn
    python examples/federated.py                         # ten clients in this process; nothing is paid
    python examples/federated.py --liars 2               # two of them send 5 times the opposite of what they learned
    python examples/federated.py --liars 2 --fedavg      # the same with Flower's FedAvg, which learns nothing then
    python examples/federated.py --rpc http://127.0.0.1:8645 --wallet default --budget 1    # pay 1 credit a round

The changed lines are marked. Each client has its own part of the digits, its own code and its own account; the server
sees signed updates and no image. The federation stays in the folder `federation`, or in `--folder`, and goes on there.
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import inos
from inos.learn.federated import FedPaid, LocalGrid, SignedUpdates, verify_federation
from inos.primitives.units import format_credits
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, make_key

CLIENTS: Final = 10
TRAINED: Final = 1437
KEYS: Final = [make_key(bytes([42] * 31 + [number + 1])) for number in range(CLIENTS)]
"""The accounts of this example's clients, which everybody knows. Real clients name their own: docs/federated.md."""


def get_key(context: Context) -> Key:
    """Return the account of the client that a context belongs to."""
    return KEYS[int(context.node_config["partition-id"])]


# The client

client_app = ClientApp(mods=[SignedUpdates(get_key)])  # changed: it was ClientApp()


def load_part(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a client's images and labels; -1 has those on which the model is tested."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images, labels = (digits.data / 16)[order], digits.target[order]
    if number < 0:
        return images[TRAINED:], labels[TRAINED:]
    return images[number:TRAINED:CLIENTS], labels[number:TRAINED:CLIENTS]


def make_model(arrays: ArrayRecord | None = None) -> MLPClassifier:
    """Return the model, with the weights that the server sends."""
    model = MLPClassifier((32,), solver="sgd", learning_rate_init=0.1, momentum=0, batch_size=16, random_state=0)
    images, labels = load_part(-1)
    model.partial_fit(images[:1] * 0, labels[:1], classes=np.arange(10))
    if arrays is not None:
        layers = [each.astype(np.float64) for each in arrays.to_numpy_ndarrays()]
        model.coefs_, model.intercepts_ = layers[:2], layers[2:]
    return model


def pack(model: MLPClassifier) -> ArrayRecord:
    """Return a model's weights."""
    return ArrayRecord([each.astype(np.float32) for each in (*model.coefs_, *model.intercepts_)])


plain_app = ClientApp()  # for --fedavg


@plain_app.train()
@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Train for two epochs on the client's own part."""
    arrays = message.content["arrays"]
    model, (images, labels) = make_model(arrays), load_part(int(context.node_config["partition-id"]))
    for _ in range(2):
        model.partial_fit(images, labels)
    trained = pack(model)
    if context.node_config.get("is-liar"):
        trained = ArrayRecord([
            old - 5 * (new - old)
            for old, new in zip(arrays.to_numpy_ndarrays(), trained.to_numpy_ndarrays(), strict=True)
        ])  # fmt: skip
    metrics = MetricRecord({"num-examples": len(labels), "train-loss": float(model.loss_)})
    return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=message)


# The server


def serve(grid: Grid, rounds: int, strategy: FedAvg) -> Result:
    """Run a federation; this is the body of Flower's `ServerApp.main`."""
    images, labels = load_part(-1)

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
        return MetricRecord({"accuracy": float(make_model(arrays).score(images, labels))})

    return strategy.start(grid, pack(make_model()), rounds, train_config=ConfigRecord(), evaluate_fn=evaluate)


def make_strategy(
    folder: Path, client: inos.BlockingClient | None = None, budget: str = "0", depth: int | None = None
) -> FedAvg:
    """Return the strategy: this is the line that is changed."""
    members = [key.address for key in KEYS]
    return FedPaid(  # it was FedAvg(fraction_evaluate=0)
        folder=folder, members=members, client=client, budget=budget, depth=depth, fraction_evaluate=0
    )


def show_pay(client: inos.BlockingClient) -> None:
    """Print what each client has been paid."""
    hrp = client.get_network().hrp
    for number, key in enumerate(KEYS):
        address = encode_address(hrp, key.address)
        print(f"client {number} {address} has {format_credits(client.account(address).balance)} credits")


def main() -> int:
    """Run the federation with clients in this process, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--liars", type=int, default=0)
    parser.add_argument("--fedavg", action="store_true", help="use Flower's own strategy, for comparison")
    parser.add_argument("--folder", type=Path, default=Path("federation"))
    parser.add_argument("--rpc", help="a node; without one nothing is paid")
    parser.add_argument("--wallet", help="the name of the wallet that pays, and from which nothing else may")
    parser.add_argument("--key-file", type=Path, help="a file with a secret in hex, in place of --wallet")
    parser.add_argument("--depth", type=int, help="blocks above a payment that make it done, in place of finality")
    parser.add_argument("--budget", default="1", help="credits that a round costs at most")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")
    nodes = [{"partition-id": number, "is-liar": number < given.liars} for number in range(CLIENTS)]
    if given.fedavg:
        result = serve(LocalGrid(plain_app, nodes), given.rounds, FedAvg(fraction_evaluate=0))
    elif given.rpc is None:
        result = serve(LocalGrid(client_app, nodes), given.rounds, make_strategy(given.folder))
    else:
        wallet = make_key(bytes.fromhex(given.key_file.read_text())) if given.key_file else given.wallet
        with inos.BlockingClient(given.rpc, wallet=wallet) as client:
            strategy = make_strategy(given.folder, client, given.budget, given.depth)
            result = serve(LocalGrid(client_app, nodes), given.rounds, strategy)
            show_pay(client)
    print(f"accuracy {result.evaluate_metrics_serverapp[given.rounds]['accuracy']:.1%}")
    if not given.fedavg:
        print(f"verified: {verify_federation(given.folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
