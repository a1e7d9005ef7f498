"""The server's work, whatever carries the messages: a round is opened, closed with what clients answered, and paid."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import structlog
from msgspec import Struct

from inos.client.blocking_client import BlockingClient
from inos.client.errors import ClientError
from inos.learn.errors import LearnError
from inos.learn.federated.admission import Candidate, Memory, Sketcher, admit
from inos.learn.federated.aggregation import MAX_UPDATES, RuleName, check_rule
from inos.learn.federated.models import Model
from inos.learn.federated.payments import SETTLE_S, Payer, list_bills
from inos.learn.federated.replies import Reader, Refusal, Reply, Signed
from inos.learn.federated.rounds import (
    PAYOUTS,
    Accepted,
    Federation,
    FederationSpec,
    Refused,
    RoundRecord,
    load_federation,
    make_federation,
    make_nonce,
    make_step,
)
from inos.learn.federated.updates import Terms, check_terms
from inos.learn.folder import SPEC
from inos.learn.spec import encode
from inos.primitives.units import Address

log = structlog.get_logger(__name__)


class Settings(Struct, frozen=True):
    """What a federation is asked to be; `inos.learn.federated.rounds.FederationSpec` is made of it."""

    members: tuple[Address, ...]
    rule: RuleName
    liars: int
    bits: Literal[7, 16]
    keep: int
    share: int


def make_settings(
    members: Sequence[Address], *, rule: str, liars: float, bits: int, keep: float, budget: int
) -> Settings:
    """Return settings after they were checked.

    Args:
        liars: a share of the members.
        keep: the share of entries that is sent.
        budget: the nano that a round costs at most.

    Raises:
        LearnError: "bad-members", "bad-rule", "bad-terms".
    """
    check_terms(bits, keep)
    if not 1 <= len(set(members)) == len(members) < MAX_UPDATES:
        raise LearnError("bad-members", f"a federation has 1 to {MAX_UPDATES - 1} members, each once",
                         hint="name the address of each member's account once")  # fmt: skip
    count = int(liars * len(members))
    name = check_rule(rule, count, len(members), keep)
    parts = max(1, round(keep * 1_000_000))
    return Settings(tuple(members), name, count, 7 if bits == 7 else 16, parts, budget // len(members))


class Coordinator:
    """Runs the rounds of one federation.

    Args:
        folder: the federation's; it is made if it is missing, and otherwise goes on.
        first: the first model; of a federation that goes on only its layers' names and sizes count.
        client: fetches updates from the mesh, and pays.
        publish: put everything that the records name into the mesh.
        depth: see `Payer`.

    Raises:
        LearnError: "wrong-run", "wrong-model"; "budget-too-small"; others as `Federation`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Settings,
        first: Model,
        client: BlockingClient | None = None,
        *,
        publish: bool = False,
        depth: int | None = None,
    ) -> None:
        if client is None and (settings.share or publish):
            raise LearnError("no-client", "payments and publishing need a client", hint="give client=")
        self._client, self._publish = client, publish
        self.federation = _open(Path(folder), settings, first)
        self.model = self.federation.read_model()
        self.refused: dict[int, list[Refusal]] = {}
        """Why updates were refused, by round."""
        self._memory = _remember(self.federation, self.model.sizes)
        self._reader = Reader(settings.members, self.model.sizes, client)
        self._payer = None
        if settings.share and client is not None:
            self._payer = self._open_payer(Path(folder) / PAYOUTS, client, depth)
        if publish and not self.federation.records:
            self._put([encode(self.federation.spec), first.data])

    def open_round(self) -> Terms:
        """Return what updates of the next round have in common.

        Raises:
            LearnError: "budget-missing": the account cannot pay the round.
        """
        if self._payer is not None:
            spec = self.federation.spec
            self._payer.check_balance(spec.share * len(spec.members) + self._payer.note)
        return self._make_terms()

    def close_round(self, replies: Sequence[Reply]) -> list[int]:
        """Accept or refuse each update, make the step, write the record, and pay.

        Returns:
            The numbers of the replies that were accepted.
        """
        number, spec = len(self.federation.records) + 1, self.federation.spec
        signed, refused = self._reader.read(self._make_terms(), replies)
        candidates = [Candidate(each.sender, each.row) for each in signed]
        base = np.concatenate(self.model.list_trained())
        kept, failed = admit(candidates, base, self._memory, spec.rule, spec.liars)
        nodes = {each.sender: replies[each.number].node for each in signed}
        refused += [Refusal(nodes[Address(sender)], Address(sender), why) for sender, why in failed.items()]
        step, model = make_step(spec, [each.row for each in kept]), self.model
        chosen = {each.sender for each in kept} if step is not None else set()
        accepted = [each for each in signed if each.sender in chosen]
        if step is not None:
            model = model.change(step)
            self._memory.add([*(each.row for each in signed), step])  # refused ones could be sent again too
        else:
            log.warning("too few updates: the model stays, and nobody is paid", round=number, updates=len(kept))
        self._finish(number, accepted, refused, model)
        return [each.number for each in accepted]

    def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Wait until all payments are done; it raises as `Payer.settle`."""
        if self._payer is not None:
            self._payer.settle(timeout_s)

    def close(self) -> None:
        """Close the file of payments. What waits in it is paid after the next start."""
        if self._payer is not None:
            self._payer.close()

    def _make_terms(self) -> Terms:
        return self.federation.make_terms(len(self.federation.records) + 1, self.model.id.hex())

    def _open_payer(self, path: Path, client: BlockingClient, depth: int | None) -> Payer:
        payer = Payer(path, client, depth)
        try:
            payer.check_share(self.federation.spec.share)
            for record in self.federation.records[-1:]:
                payer.pay(list_bills(record, self.federation.spec.share, payer.note))
        except BaseException:
            payer.close()
            raise
        return payer

    def _finish(self, number: int, accepted: Sequence[Signed], refused: Sequence[Refusal], model: Model) -> None:
        """Store what was accepted, write the record, then pay: in this order, so that a kill loses nothing."""
        self.refused[number] = list(refused)
        for each in refused:
            sender = "" if each.sender is None else each.sender.hex()
            log.info("update refused", round=number, node=each.node, sender=sender, code=each.why.code,
                     reason=each.why.message)  # fmt: skip
        files, taken = self.federation.folder, {each.sender for each in accepted}
        named = [Accepted(each.sender.hex(), files.put(each.data), each.proof) for each in accepted]
        files.put(model.data)
        reasons = {each.sender.hex(): each.why.code for each in refused if each.sender and each.sender not in taken}
        record = RoundRecord(
            run=self.federation.id, round=number, parent=self.federation.head, base=self.model.id.hex(),
            accepted=tuple(named), refused=tuple(Refused(*each) for each in sorted(reasons.items())),
            model=model.id.hex(),
        )  # fmt: skip
        self.federation.add(record)
        self.model = model
        if self._payer is not None:
            self._payer.pay(list_bills(record, self.federation.spec.share, self._payer.note))
        if self._publish:
            self._put([*(each.data for each in accepted), model.data, encode(record)])

    def _put(self, files: Iterable[bytes]) -> None:
        if self._client is None:
            return
        try:
            for data in files:
                self._client.put_bytes(data)
        except ClientError as error:
            log.warning("the round is not in the mesh", code=error.code, reason=error.message)


def _open(folder: Path, settings: Settings, first: Model) -> Federation:
    members = tuple(each.hex() for each in settings.members)
    wanted = (members, settings.rule, settings.liars, settings.bits, settings.keep, settings.share)
    if not (folder / SPEC).exists():
        return make_federation(folder, FederationSpec(1, make_nonce(), first.id.hex(), *wanted), first)
    found = load_federation(folder)
    spec = found.spec
    if (spec.members, spec.rule, spec.liars, spec.bits, spec.keep, spec.share) != wanted:
        raise LearnError(
            "wrong-run", f"{folder} has a federation of other members, rule, budget or terms",
            hint="give the same ones to go on, or another folder to begin anew",
        )  # fmt: skip
    different = found.read_model(0).compare(first)
    if different:
        raise LearnError(
            "wrong-model", f"{folder} has a federation of another model: {different}",
            hint="give the model that it began with, or another folder to begin anew",
        )  # fmt: skip
    return found


def _remember(federation: Federation, sizes: Sequence[int]) -> Memory:
    """Return the memory of all earlier rounds, made again from their files."""
    memory = Memory(Sketcher(sum(sizes)))
    for record in federation.records:
        rows = federation.read_rows(record, sizes)
        step = make_step(federation.spec, rows)
        memory.add(rows if step is None else [*rows, step])
    return memory
