"""Accepted updates are paid once, over kills and restarts, and the record's id is on chain beside the payments."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.client.blocking_client import BlockingClient
from inos.client.errors import ClientError, RemoteError
from inos.learn.errors import LearnError
from inos.learn.federated import payments
from inos.learn.federated.coordinator import Coordinator
from inos.learn.federated.payments import Payer, compute_record_address
from inos.learn.federated.rounds import PAYOUTS
from inos.primitives.transactions import list_receivers
from inos.primitives.units import NANO_PER_CREDIT
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from inos.wallet.build import decode_transaction
from support.federations import MEMBERS, answer_all, draw_changes, make_reply, open_coordinator

BUDGET = 10 * NANO_PER_CREDIT
SHARE = BUDGET // len(MEMBERS)


@pytest.fixture
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=2, instant=False) as running:
        yield running


@pytest.fixture
def client(chain: TestChain) -> Iterator[BlockingClient]:
    with BlockingClient(chain.url, wallet=chain.accounts[0].key) as found:
        yield found


def start(folder: Path, client: BlockingClient, budget: int = BUDGET, publish: bool = False) -> Coordinator:
    return open_coordinator(folder, client, budget=budget, depth=1, publish=publish)


def read_pay(chain: TestChain) -> list[int]:
    """Return what each member has, and the fee for its new account."""
    fee = chain.network.params.account_fee
    owned = [chain.get_balance(encode_address(chain.network.hrp, key.address)) for key in MEMBERS]
    return [each + fee if each else 0 for each in owned]


def settle(chain: TestChain, coordinator: Coordinator, blocks: int = 2) -> None:
    for _ in range(blocks):
        chain.mine()
        if coordinator._payer is not None:
            coordinator._payer.step()


def test_accepted_updates_are_paid_and_refused_ones_are_not(
    chain: TestChain, client: BlockingClient, tmp_path: Path
) -> None:
    coordinator = start(tmp_path, client)
    try:
        rider = make_reply(coordinator.open_round(), MEMBERS[0], draw_changes(1)[MEMBERS[0].address] * 50)
        coordinator.close_round([rider, *answer_all(coordinator, without=1)])
        settle(chain, coordinator)
        assert read_pay(chain) == [0, *[SHARE] * 9]
        note = encode_address(chain.network.hrp, compute_record_address(coordinator.federation.head))
        (entry,) = client.history(note).entries
        assert entry.balance > 0
        paid = chain.call("chain_getTransaction", id=entry.id)
        receivers = list_receivers(decode_transaction(paid["hex"]).payload)
        assert len(receivers) == 10
        assert compute_record_address(coordinator.federation.head) in receivers
        assert MEMBERS[0].address not in receivers
    finally:
        coordinator.close()


def test_a_second_update_and_another_account_bring_no_second_share(
    chain: TestChain, client: BlockingClient, tmp_path: Path
) -> None:
    coordinator = start(tmp_path, client)
    try:
        replies = answer_all(coordinator)
        coordinator.close_round([*replies, *replies])
        settle(chain, coordinator)
        assert read_pay(chain) == [SHARE] * 10
    finally:
        coordinator.close()


class Killed(Exception):
    """The server is gone."""


@pytest.mark.parametrize("place", ["record", "list_bills", "add", "step", "sent", "done"])
def test_a_kill_neither_loses_a_payment_nor_makes_one_twice(
    chain: TestChain, client: BlockingClient, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = start(tmp_path, client)
    real_add = payments.Payouts.add
    added = []

    def die(*_: object, **__: object) -> None:
        raise Killed

    async def die_at_the_fifth(*args: object, **kwargs: object) -> object:
        added.append(args)
        if len(added) == 5:
            raise Killed
        return await real_add(*args, **kwargs)  # type: ignore[arg-type]

    async def send_and_die(*args: object) -> None:
        await payments.Payouts._make_batch(*args)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        match place:
            case "record":
                patch.setattr(coordinator.federation, "add", die)
            case "list_bills":
                patch.setattr("inos.learn.federated.coordinator.list_bills", die)
            case "add":
                patch.setattr(payments.Payouts, "add", die_at_the_fifth)
            case "step":
                patch.setattr(payments.Payer, "step", die)
            case "sent":
                patch.setattr(payments.Payouts, "step", send_and_die)
        if place == "done":
            coordinator.close_round(answer_all(coordinator))
        else:
            with pytest.raises(Killed):
                coordinator.close_round(answer_all(coordinator))
        coordinator.close()
    for restart in range(3):
        coordinator = start(tmp_path, client)
        try:
            if restart == 0 and place == "record":
                assert not coordinator.federation.records
                coordinator.close_round(answer_all(coordinator))
            settle(chain, coordinator, blocks=3)
            assert read_pay(chain) == [SHARE] * 10
        finally:
            coordinator.close()


def test_a_server_without_the_budget_does_not_ask_clients_to_work(chain: TestChain, tmp_path: Path) -> None:
    poor = chain.accounts[1]
    chain.send(poor, chain.accounts[0], "9990")
    chain.mine()
    with BlockingClient(chain.url, wallet=poor.key) as client:
        coordinator = start(tmp_path, client, budget=9 * NANO_PER_CREDIT)
        try:
            coordinator.close_round(answer_all(coordinator))
            with pytest.raises(LearnError, match="more are still to be paid") as found:
                coordinator.open_round()
            assert found.value.code == "budget-missing"
            settle(chain, coordinator)
            assert read_pay(chain) == [9 * NANO_PER_CREDIT // 10] * 10
        finally:
            coordinator.close()


def test_a_share_below_what_can_be_paid_is_refused(client: BlockingClient, tmp_path: Path) -> None:
    with pytest.raises(LearnError, match=r"would be paid 0\.0000001 credits") as found:
        start(tmp_path, client, budget=1000)
    assert found.value.code == "budget-too-small"


def test_the_file_of_payments_belongs_to_one_server(client: BlockingClient, tmp_path: Path) -> None:
    coordinator = start(tmp_path, client)
    try:
        with pytest.raises(ClientError) as found:
            Payer(tmp_path / PAYOUTS, client)
        assert found.value.code == "payouts-unusable"
    finally:
        coordinator.close()


def test_payments_wait_while_the_node_does_not_answer(
    chain: TestChain, client: BlockingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = start(tmp_path, client)
    try:

        async def refuse(*_: object) -> None:
            raise RemoteError(-1, "node-stopping", "the node stops")

        with monkeypatch.context() as patch:
            patch.setattr(payments.Payouts, "_send", refuse)
            coordinator.close_round(answer_all(coordinator))
        with pytest.raises(LearnError, match="11 payments are not done") as found:
            coordinator.settle(0)
        assert found.value.code == "payments-open"
        settle(chain, coordinator, blocks=3)
        coordinator.settle()
        assert read_pay(chain) == [SHARE] * 10
    finally:
        coordinator.close()


def test_updates_go_through_the_mesh_by_their_ids(chain: TestChain, client: BlockingClient, tmp_path: Path) -> None:
    coordinator = start(tmp_path, client, budget=0, publish=True)
    replies = answer_all(coordinator)
    by_id = [
        type(each)(each.node, each.sender, each.proof, None, client.put_bytes(each.data or b"").id.hex())
        for each in replies[:8]
    ]
    bad = type(replies[8])("", replies[8].sender, "", None, "no id")
    missing = type(replies[9])("", replies[9].sender, "", None, "00" * 32)
    huge = type(replies[8])("", replies[8].sender, "", None, client.put_bytes(bytes(100_000)).id.hex())
    assert coordinator.close_round([*by_id, bad, missing, huge]) == list(range(8))
    assert [each.why.code for each in coordinator.refused[1]] == ["bad-id", "update-missing", "update-too-large"]
    record = coordinator.federation.records[0]
    for name in (record.model, *(each.update for each in record.accepted)):
        assert client.get_bytes(name) == coordinator.federation.folder.get(name)
    assert client.get_bytes(coordinator.federation.head)
    assert client.get_bytes(coordinator.federation.id)
