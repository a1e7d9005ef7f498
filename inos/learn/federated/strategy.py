"""The server's side: a strategy for Flower that accepts, aggregates and pays signed updates."""

import os
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import structlog
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result

from inos.client.blocking_client import BlockingClient
from inos.learn.errors import LearnError
from inos.learn.federated.clients import UPDATE, to_layers, write_terms
from inos.learn.federated.coordinator import Coordinator, make_settings
from inos.learn.federated.metrics import combine_metrics
from inos.learn.federated.models import Model
from inos.learn.federated.replies import Reply
from inos.primitives import bech32m
from inos.primitives.units import ADDRESS_BYTES, Address, format_credits, parse_credits
from inos.wallet.addresses import decode_address

log = structlog.get_logger(__name__)


class FedPaid(FedAvg):
    """Aggregates signed updates of members so that some liars cannot bend the model, and pays for accepted ones.

    Use it in place of `FedAvg`; clients need `SignedUpdates` among their mods. The weights that clients claim
    ("num-examples") do not count, and metrics are medians, since clients can claim anything.

    Args:
        folder: where rounds are recorded. A federation that is there already goes on after its last round.
        members: addresses of the accounts that may send updates, as text or as 20 bytes.
        budget: credits that a round costs at most. An accepted update is paid this divided by the number of members,
            however many of them take part. "0" for no payments.
        client: pays, from an account that nothing else spends from; and fetches updates from the mesh.
        rule: "trimmed-mean", "median" or "krum".
        liars: the share of members that may send false updates.
        bits: 16 or 7, of an entry of an update.
        keep: the share of each layer's entries that is sent, the largest ones; below 1 with "krum" only.
        publish: put the first model, and accepted updates, model and record of each round into the mesh, where
            everybody can read them.
        depth: blocks above a payment after which it is done; None to wait for finality.
        options: those of `FedAvg`, such as `fraction_train`.

    Raises:
        LearnError: "bad-rule", "bad-terms", "bad-members", "bad-budget".
    """

    def __init__(
        self,
        *,
        folder: str | os.PathLike[str],
        members: Sequence[str | bytes],
        budget: str | Decimal = "0",
        client: BlockingClient | None = None,
        rule: str = "trimmed-mean",
        liars: float = 0.2,
        bits: int = 16,
        keep: float = 1.0,
        publish: bool = False,
        depth: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        hrp = None if client is None else client.get_network().hrp
        found = [_read_member(each, hrp) for each in members]
        try:
            nano = parse_credits(str(budget))
        except ValueError as error:
            raise LearnError("bad-budget", f"the budget: {error}", hint='write credits as "1.5"') from error
        self._settings = make_settings(found, rule=rule, liars=liars, bits=bits, keep=keep, budget=nano)
        self._folder, self._client, self._publish, self._depth = folder, client, publish, depth
        self._coordinator: Coordinator | None = None

    @property
    def coordinator(self) -> Coordinator:
        """Return what runs the rounds, and knows why updates were refused.

        Raises:
            LearnError: "not-started".
        """
        if self._coordinator is None:
            raise LearnError("not-started", "the federation is opened by start()", hint="call start first")
        return self._coordinator

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Callable[[int, ArrayRecord], MetricRecord | None] | None = None,
    ) -> Result:
        """Run the rounds that are missing up to round `num_rounds`, and wait until all payments are done.

        Arguments are those of `FedAvg.start`.

        Raises:
            LearnError: "wrong-model", "wrong-run": the folder has another federation; "budget-missing",
                "budget-too-small", "payments-open".
        """
        coordinator = Coordinator(
            self._folder, self._settings, Model(to_layers(initial_arrays)), self._client,
            publish=self._publish, depth=self._depth,
        )  # fmt: skip
        self._coordinator, done = coordinator, len(coordinator.federation.records)
        evaluate = evaluate_fn and (lambda number, arrays: evaluate_fn(number + done, arrays))
        try:
            left = max(0, num_rounds - done)
            result = super().start(grid, self._make_arrays(), left, timeout, train_config, evaluate_config, evaluate)
            coordinator.settle()
        finally:
            coordinator.close()
        result.arrays = self._make_arrays()
        for each in (
            result.train_metrics_clientapp, result.evaluate_metrics_clientapp, result.evaluate_metrics_serverapp
        ):  # fmt: skip
            shifted = {number + done: value for number, value in each.items()}
            each.clear()
            each.update(shifted)
        return result

    def summary(self) -> None:
        """Log what the federation is."""
        super().summary()
        spec, records = self.coordinator.federation.spec, self.coordinator.federation.records
        log.info(
            "federation", run=self.coordinator.federation.id, rounds=len(records), members=len(spec.members),
            rule=spec.rule, liars=spec.liars, bits=spec.bits, credits_per_update=format_credits(spec.share),
        )  # fmt: skip

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Send the model and the round's terms to the clients that Flower chooses."""
        terms = self.coordinator.open_round()
        asked = ConfigRecord({**config, **write_terms(terms)})
        messages: Iterable[Message] = super().configure_train(terms.round, self._make_arrays(), asked, grid)
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Close the round with what clients answered; metrics are medians over the accepted updates."""
        good, _ = self._check_and_log_replies(list(replies), is_train=True, validate=False)
        accepted = self.coordinator.close_round([_read_reply(each) for each in good])
        return self._make_arrays(), combine_metrics([good[number].content for number in accepted])

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Return the median of each metric that clients report."""
        good, _ = self._check_and_log_replies(list(replies), is_train=False, validate=False)
        return combine_metrics([each.content for each in good])

    def _make_arrays(self) -> ArrayRecord:
        return ArrayRecord({name: Array(each) for name, each in self.coordinator.model.layers.items()})


def _read_reply(message: Message) -> Reply:
    """Return what a message claims. What is missing or of a wrong type is left empty, and is refused later."""
    node, record = str(message.metadata.src_node_id), message.content.get(UPDATE)
    fields = dict(record) if isinstance(record, ConfigRecord) else {}
    sender, proof, data, name = (fields.get(each) for each in ("sender", "proof", "data", "id"))
    return Reply(
        node,
        sender if isinstance(sender, bytes) else b"",
        proof if isinstance(proof, str) else "",
        data if isinstance(data, bytes) else None if isinstance(name, str) else b"",
        name if isinstance(name, str) else "",
    )


def _read_member(member: str | bytes, hrp: str | None) -> Address:
    """Return an address that is given as text or as bytes.

    Raises:
        LearnError: "bad-members". WalletError: as `decode_address`.
    """
    if isinstance(member, str) and hrp is not None:
        return decode_address(hrp, member)
    try:
        data = bech32m.decode(member)[1] if isinstance(member, str) else bytes(member)
    except bech32m.Bech32mError as error:
        raise LearnError("bad-members", f"{member!r:.100} is no address: {error}", hint="copy it again") from error
    if len(data) != ADDRESS_BYTES:
        raise LearnError("bad-members", f"{member!r:.100} has {len(data)} bytes; an address has {ADDRESS_BYTES}",
                         hint="give text like dinos1..., or 20 bytes")  # fmt: skip
    return Address(data)
