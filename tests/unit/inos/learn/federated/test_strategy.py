"""Flower runs a federation: the strategy in place of FedAvg, clients with the mod, and clients that misbehave."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.blocking_client import BlockingClient
from inos.learn.errors import LearnError
from inos.learn.federated import verify_federation
from inos.primitives.units import NANO_PER_CREDIT
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from support.federations import MEMBERS

flwr_app = pytest.importorskip("flwr.app", reason="the extra `learn` is not installed")

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict  # noqa: E402
from flwr.clientapp import ClientApp  # noqa: E402
from flwr.serverapp.strategy import FedAvg  # noqa: E402

from inos.learn.federated.clients import UPDATE, SignedUpdates  # noqa: E402
from inos.learn.federated.local import LocalGrid  # noqa: E402
from inos.learn.federated.strategy import FedPaid  # noqa: E402

ADDRESSES = [key.address for key in MEMBERS]
FIRST = ArrayRecord([np.zeros((60, 40), np.float32), np.ones(50)])
Train = Callable[[Message, Context], Message]


def find_number(context: Context) -> int:
    return int(context.node_config["partition-id"])


def answer(message: Message, arrays: Any, **metrics: float) -> Message:
    content = {"arrays": ArrayRecord(list(arrays)), "metrics": MetricRecord({"num-examples": 10, **metrics})}
    return Message(RecordDict(content), reply_to=message)


def train_honestly(message: Message, context: Context) -> Message:
    """Move the weights towards 2, each client with noise of its own."""
    random = np.random.default_rng([find_number(context), int(message.content["config"]["server-round"])])
    before = message.content["arrays"].to_numpy_ndarrays()
    common = np.random.default_rng(int(message.content["config"]["server-round"]))
    after = [
        each
        + (0.3 * (2 - each) * (1 + common.normal(size=each.shape)) + 0.1 * random.normal(size=each.shape)).astype(
            each.dtype
        )
        for each in before
    ]
    return answer(message, after, loss=float(find_number(context)))


def make_app(
    train: Train = train_honestly, *, mod: Any = None, bad: Train | None = None, mods: bool = True
) -> ClientApp:
    """Return an app; `bad` is what client 0 runs."""
    signs = mod or SignedUpdates(lambda context: MEMBERS[find_number(context)])
    app = ClientApp(mods=[signs] if mods else [])

    @app.train()
    def run(message: Message, context: Context) -> Message:
        return (bad if bad and find_number(context) == 0 else train)(message, context)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        reported = 1e30 if find_number(context) == 0 else float(find_number(context))
        return Message(RecordDict({"metrics": MetricRecord({"num-examples": 1, "error": reported})}), reply_to=message)

    return app


def get_error(arrays: ArrayRecord) -> float:
    return float(np.mean([np.abs(each - 2).mean() for each in arrays.to_numpy_ndarrays()]))


def test_it_learns_like_fedavg_in_its_place(tmp_path: Path) -> None:
    errors = []
    for strategy, app in (
        (FedAvg(), make_app(mods=False)),
        (FedPaid(folder=tmp_path, members=ADDRESSES), make_app()),
    ):
        result = strategy.start(LocalGrid(app, 10), FIRST, num_rounds=4)
        errors.append(get_error(result.arrays))
    assert errors[1] < 1.1 * errors[0] < 0.6
    assert verify_federation(tmp_path).updates == 40
    assert result.arrays.to_numpy_ndarrays()[0].dtype == np.float32
    assert result.train_metrics_clientapp[4] == {"loss": 4.5}  # the median, and 1e30 does not move the next one
    assert result.evaluate_metrics_clientapp[4] == {"error": 5.5}


def send_nan(message: Message, context: Context) -> Message:
    arrays = message.content["arrays"].to_numpy_ndarrays()
    arrays[0][3, 4] = np.nan
    return answer(message, arrays)


def send_other_layers(message: Message, context: Context) -> Message:
    return answer(message, message.content["arrays"].to_numpy_ndarrays()[:1])


def send_other_types(message: Message, context: Context) -> Message:
    return answer(message, [each.astype(np.float64) for each in message.content["arrays"].to_numpy_ndarrays()])


def fail(message: Message, context: Context) -> Message:
    raise ValueError("the disk is full")


@pytest.mark.parametrize("bad", [send_nan, send_other_layers, send_other_types, fail])
def test_a_client_whose_training_went_wrong_sends_nothing(tmp_path: Path, bad: Train, capfd: Any) -> None:
    strategy = FedPaid(folder=tmp_path, members=ADDRESSES, fraction_evaluate=0)
    strategy.start(LocalGrid(make_app(bad=bad), 10), FIRST, num_rounds=1)
    assert verify_federation(tmp_path).updates == 9
    assert strategy.coordinator.refused == {1: []}


class Forging:
    """Signs as the mod does, and changes what is sent."""

    def __init__(self, alter: Callable[[RecordDict], Any]) -> None:
        self._alter = alter
        self._honest = SignedUpdates(lambda context: MEMBERS[find_number(context)])

    def __call__(self, message: Message, context: Context, call_next: Any) -> Message:
        reply = self._honest(message, context, call_next)
        if find_number(context) == 0 and message.metadata.message_type == "train":
            content = reply.content
            self._alter(content)
            return Message(content, reply_to=message)
        return reply


def set_field(name: str, value: Any) -> Callable[[RecordDict], None]:
    def alter(content: RecordDict) -> None:
        record = dict(content[UPDATE])
        record[name] = value
        content[UPDATE] = ConfigRecord(record)

    return alter


@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (lambda content: content.pop(UPDATE), "unknown-account"),
        (lambda content: content.update({UPDATE: MetricRecord({"x": 1})}), "unknown-account"),
        (set_field("sender", "text"), "unknown-account"),
        (set_field("sender", bytes(MEMBERS[4].address)), "wrong-sender"),
        (set_field("proof", b"bytes"), "bad-signature"),
        (set_field("data", 7), "not-an-update"),
        (set_field("data", b"x" * 100_000), "update-too-large"),
    ],
)
def test_bad_answers_do_not_stop_a_round(tmp_path: Path, alter: Any, code: str) -> None:
    strategy = FedPaid(folder=tmp_path, members=ADDRESSES, fraction_evaluate=0)
    strategy.start(LocalGrid(make_app(mod=Forging(alter)), 10), FIRST, num_rounds=1)
    assert [each.why.code for each in strategy.coordinator.refused[1]] == [code]
    assert verify_federation(tmp_path).updates == 9


def test_plain_weights_without_a_signature_are_refused(tmp_path: Path) -> None:
    strategy = FedPaid(folder=tmp_path, members=ADDRESSES, fraction_evaluate=0)
    result = strategy.start(LocalGrid(make_app(mods=False), 10), FIRST, num_rounds=1)
    assert {each.why.code for each in strategy.coordinator.refused[1]} == {"unknown-account"}
    assert get_error(result.arrays) == get_error(FIRST)


def test_a_client_without_the_strategy_says_what_is_missing(capfd: Any) -> None:
    replies = LocalGrid(make_app(), 1).send_and_receive(
        [Message(RecordDict({"arrays": FIRST, "config": ConfigRecord({"server-round": 1})}), 1, "train")]
    )
    assert "use inos.learn.federated.FedPaid" in replies[0].error.reason


def test_rounds_go_on_after_a_restart(tmp_path: Path) -> None:
    seen: list[int] = []

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
        seen.append(number)
        return MetricRecord({"error": get_error(arrays)})

    for rounds in (2, 5, 5):
        strategy = FedPaid(folder=tmp_path, members=ADDRESSES, fraction_evaluate=0)
        result = strategy.start(LocalGrid(make_app(), 10), FIRST, num_rounds=rounds, evaluate_fn=evaluate)
    assert seen == [0, 1, 2, 2, 3, 4, 5, 5]
    assert list(result.evaluate_metrics_serverapp) == [5]
    assert get_error(result.arrays) == result.evaluate_metrics_serverapp[5]["error"]
    assert verify_federation(tmp_path).rounds == 5


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"members": ["dinos1qqqq"]}, "bad-members"),
        ({"members": [b"short"]}, "bad-members"),
        ({"members": []}, "bad-members"),
        ({"budget": "a lot"}, "bad-budget"),
        ({"rule": "mean"}, "bad-rule"),
        ({"bits": 12}, "bad-terms"),
        ({"liars": 0.6}, "bad-rule"),
        ({"keep": 0.5}, "bad-rule"),
    ],
)
def test_what_cannot_be_is_refused_at_once(tmp_path: Path, options: dict[str, Any], code: str) -> None:
    given: dict[str, Any] = {"folder": tmp_path, "members": ADDRESSES}
    with pytest.raises(LearnError) as found:
        FedPaid(**(given | options))
    assert found.value.code == code
    assert not list(tmp_path.iterdir())


@pytest.fixture
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=1) as running:
        yield running


def test_members_are_paid_on_chain_and_updates_go_through_the_mesh(chain: TestChain, tmp_path: Path) -> None:
    hrp = chain.network.hrp
    members = [encode_address(hrp, address) for address in ADDRESSES]
    with BlockingClient(chain.url, wallet=chain.accounts[0].key) as client:
        mod = SignedUpdates(lambda context: MEMBERS[find_number(context)], mesh=client)
        strategy = FedPaid(
            folder=tmp_path, members=members, client=client, budget="5", publish=True, depth=0, fraction_evaluate=0
        )
        strategy.start(LocalGrid(make_app(mod=mod, bad=send_nan), 10), FIRST, num_rounds=2)
        for record in strategy.coordinator.federation.records:
            assert all(client.get_bytes(each.update) for each in record.accepted)
    fee, share = chain.network.params.account_fee, NANO_PER_CREDIT // 2
    assert [chain.get_balance(each) for each in members] == [0, *[2 * share - fee] * 9]
