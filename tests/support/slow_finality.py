"""A second, slow implementation of accounts, voters, committees and pots, written from docs/protocol.md, section 7.

It uses plain dictionaries and takes no rule from `consensus`; only the records' types are shared, to compare encodings.
`SlowRules` adds jobs and juries.
"""

from collections.abc import Iterable
from typing import Any

from inos.consensus.params import Params
from inos.consensus.records import (
    Account,
    Ballot,
    Committee,
    Finality,
    Market,
    Member,
    NetworkMined,
    Pot,
    Voter,
    VoterCount,
    VoterKey,
)
from inos.primitives.codec import encode
from inos.primitives.transactions import RegisterVoter, ReportVoter
from inos.primitives.units import BlockId
from inos.primitives.votes import Aggregate, Checkpoint, Link, list_members

EMPTY = dict.fromkeys(Account.__struct_fields__, 0)
STALL = 32


class SlowFinality:
    """The state before one block, and the block that is being built on it."""

    def __init__(self, params: Params, balances: dict[Any, Any], genesis: bytes) -> None:
        self.params = params
        self.height = 0
        self.accounts = {bytes(address): EMPTY | {"balance": int(balance)} for address, balance in balances.items()}
        self.market = {"minted": sum(map(int, balances.values())), "burned": 0, "escrowed": 0}
        self.network = {"mined": 0, "height": 0}
        self.pots: dict[int, int] = {}
        self.voters: dict[bytes, dict[str, Any]] = {}
        self.keys: dict[bytes, dict[str, Any]] = {}
        self.justified = self.finalized = Checkpoint(0, genesis)
        self.is_begun = False
        """There is a record of finality from the first block on."""
        self.ballots: list[Ballot] = []
        self.committees: dict[int, dict[str, Any]] = {}
        self.subsidy = int(params.subsidy_initial)
        self.fees = 0

    def get(self, address: bytes) -> dict[str, int]:
        return self.accounts.setdefault(bytes(address), dict(EMPTY))

    def halve(self, value: int, written: int, height: int | None = None) -> int:
        """A figure halves at every multiple of the half-life after the height at which it was written."""
        for each in range(written + 1, (self.height if height is None else height) + 1):
            value = value // 2 if each % self.params.reputation_half_life == 0 else value
        return value

    def read_mined(self, address: bytes, height: int | None = None) -> int:
        account = self.get(address)
        return self.halve(account["mined"], account["mined_height"], height)

    def burn(self, amount: int) -> None:
        self.market["burned"] += amount

    # The work of a block

    def get_epoch(self) -> int:
        """The epoch whose checkpoint this block leads to, or is."""
        return -(-self.height // self.params.epoch_blocks)

    def begin_finality(self, parent: BlockId, aggregate: Aggregate | None, beneficiary: bytes) -> None:
        """Pay and count the block's votes; then close the epoch that the parent ended, if it did."""
        if aggregate is not None:
            self._apply_aggregate(aggregate, beneficiary)
        epoch, rest = divmod(self.height - 1, self.params.epoch_blocks)
        if rest:
            return
        if not self.is_begun:
            self.is_begun = True
        else:
            self._open_ballot(Checkpoint(epoch, parent))
        self._choose_committee(epoch)

    def end(self, miner: bytes) -> None:
        """Divide subsidy and fees between the beneficiary and the epoch's pot, and count the block as mined."""
        account, put_aside, epoch = self.get(miner), self.subsidy // 64, self.get_epoch()
        account["balance"] += self.subsidy - put_aside + self.fees
        self.pots[epoch] = self.pots.get(epoch, 0) + put_aside
        self.market["minted"] += self.subsidy
        account.update(mined=self.read_mined(miner) + self.subsidy, mined_height=self.height)
        mined = self.halve(self.network["mined"], self.network["height"]) + self.subsidy
        self.network.update(mined=mined, height=self.height)

    # Checkpoints

    def _open_ballot(self, checkpoint: Checkpoint) -> None:
        dropped = [each for each in self.ballots if each.link.target.epoch < checkpoint.epoch - 1]
        self.ballots = [each for each in self.ballots if each not in dropped]
        voting = self.find_voting(checkpoint.epoch)
        if voting is not None and self._can_reach_quorum(self.committees[voting]):
            self.ballots.append(Ballot(Link(self.justified, checkpoint), voting))
        else:
            self.burn(self.pots.pop(checkpoint.epoch, 0))
        for each in dropped:
            self.burn(self.pots.pop(each.link.target.epoch, 0))

    def find_voting(self, epoch: int) -> int | None:
        """The epoch of the committee that votes on a checkpoint."""
        final = self.finalized.epoch
        is_latest = final == 0 or epoch > final + STALL
        allowed = [each for each in self.committees if is_latest or each <= final]
        return max(allowed, default=None)

    def _can_reach_quorum(self, committee: dict[str, Any]) -> bool:
        return self.is_quorum(committee, sum(member.weight for member in committee["members"]))

    @staticmethod
    def is_quorum(committee: dict[str, Any], weight: int) -> bool:
        whole = sum(member.weight for member in committee["members"])
        return 6 * weight > max(4 * whole, 3 * committee["mined"])

    def _choose_committee(self, epoch: int) -> None:
        height = epoch * self.params.epoch_blocks
        mined = self.halve(self.network["mined"], self.network["height"], height)
        weights = self._weigh(epoch, height, mined // 64)
        members = [
            Member(address, voter["key"], weights[address], self.read_mined(address, height))
            for address, voter in self.voters.items()
            if weights[address]
        ]
        members.sort(key=lambda member: (-member.weight, member.address))
        self._drop_committees()
        self.committees[epoch] = {"members": members[:512], "mined": mined if members else 0}
        seated = {member.address for member in self.committees[epoch]["members"]}
        for address, voter in self.voters.items():
            if voter["is_leaving"] and not voter["leaves_at"] and address not in seated:
                voter["leaves_at"] = self.height + self.params.unbonding_epochs * self.params.epoch_blocks

    def _weigh(self, epoch: int, height: int, room: int) -> dict[bytes, int]:
        wanted = {}
        for address, voter in self.voters.items():
            reach = voter["bond"] * self.params.bond_leverage
            wanted[address] = 0 if voter["is_leaving"] else min(self.read_mined(address, height), reach)
        final = self.finalized.epoch
        if not self.committees or final == 0 or epoch >= final + STALL:
            return wanted
        last = max(self.committees)
        before = {member.key: member for member in self.committees[last]["members"]}
        weights, heaviest = {}, sorted(wanted, key=lambda a: (-wanted[a], a))[:512]
        for address, voter in sorted(self.voters.items(), key=lambda item: (item[1]["changed_at"], item[0])):
            member = before.get(voter["key"])
            if member is None:
                weights[address] = free = 0
            else:
                then = last * self.params.epoch_blocks
                weighed = self.halve(member.weight, then, height)
                since = self.read_mined(address, height) - self.halve(member.mined, then, height)
                weights[address] = free = max(weighed, min(wanted[address], weighed + since))
            if member is None and address not in heaviest:
                continue
            step = min(abs(wanted[address] - free), room)
            weights[address] += step if wanted[address] > free else -step
            room -= step
        return weights

    def _drop_committees(self) -> None:
        """Keep those that ballots have, the latest one at or below the last final checkpoint, and all later ones."""
        used = {each.committee for each in self.ballots}
        oldest = max((each for each in self.committees if each <= self.finalized.epoch), default=0)
        self.committees = {
            epoch: committee for epoch, committee in self.committees.items() if epoch in used or epoch >= oldest
        }

    # Votes

    def list_aggregate_faults(self, aggregate: Aggregate) -> set[str]:
        """Return every rule that votes for one of the ballots break."""
        link = aggregate.link
        committee = self.committees[next(each.committee for each in self.ballots if each.link == link)]
        signed = sum(committee["members"][place].weight for place in list_members(aggregate.bits))
        faults = {
            "before-finality-start": link.target.epoch * self.params.epoch_blocks < self.params.finality_start,
            "wrong-source": link.source != self.justified,
            "already-justified": link.target.epoch <= self.justified.epoch,
            "too-little-weight": not self.is_quorum(committee, signed),
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _apply_aggregate(self, aggregate: Aggregate, beneficiary: bytes) -> None:
        link = aggregate.link
        ballot = next(each for each in self.ballots if each.link == link)
        members = self.committees[ballot.committee]["members"]
        pot, whole = self.pots.pop(link.target.epoch, 0), sum(member.weight for member in members)
        left, carried = pot, 0
        for place in list_members(aggregate.bits):
            member = members[place]
            if self.keys[member.key]["is_slashed"]:
                continue
            share = pot * member.weight // whole
            self.get(member.address)["balance"] += share - share // 8
            carried += share // 8
            left -= share
        self.get(beneficiary)["balance"] += carried
        self.burn(left)
        self.justified = link.target
        if link.target.epoch == link.source.epoch + 1:
            self.finalized = link.source

    # Orders of voters

    def list_register_faults(self, sender: bytes, payload: RegisterVoter) -> set[str]:
        voter, key = self.voters.get(sender), self.keys.get(payload.key)
        faults = {
            "bond-too-small": payload.bond < self.params.min_voter_bond,
            "nothing-mined": self.read_mined(sender) == 0,
            "key-already-used": key is not None and (key["owner"] != sender or key["is_slashed"]),
            "already-a-voter": voter is not None and voter["key"] != payload.key,
            "already-leaving": voter is not None and voter["is_leaving"],
            "too-many-voters": voter is None and len(self.voters) >= self.params.max_voters,
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def apply_register(self, sender: bytes, payload: RegisterVoter) -> None:
        account = self.get(sender)
        account["balance"] -= payload.bond
        account["bonded"] += payload.bond
        self.keys[payload.key] = {"owner": sender, "is_slashed": False}
        if sender not in self.voters:
            self.voters[sender] = {"key": payload.key, "bond": 0, "is_leaving": False, "leaves_at": 0}
        self.voters[sender]["bond"] += payload.bond
        self.voters[sender]["changed_at"] = self.height

    def list_unbond_faults(self, sender: bytes) -> set[str]:
        voter = self.voters.get(sender)
        if voter is None:
            return {"not-a-voter"}
        return {"already-leaving"} if voter["is_leaving"] else set()

    def apply_unbond(self, sender: bytes) -> None:
        self.voters[sender].update(is_leaving=True, changed_at=self.height)

    def list_withdraw_faults(self, sender: bytes) -> set[str]:
        voter = self.voters.get(sender)
        if voter is None:
            return {"not-a-voter"}
        return {"still-bonded"} if not voter["leaves_at"] or self.height < voter["leaves_at"] else set()

    def apply_withdraw(self, sender: bytes) -> None:
        account, bond = self.get(sender), self._remove_voter(sender)
        account["bonded"] -= bond
        account["balance"] += bond

    def list_report_faults(self, payload: ReportVoter) -> set[str]:
        return set() if self._find_owner(payload.key) is not None else {"unknown-voter"}

    def apply_report(self, sender: bytes, payload: ReportVoter) -> None:
        owner = self._find_owner(payload.key)
        assert owner is not None
        bond = self._remove_voter(owner)
        self.get(owner)["bonded"] -= bond
        self.get(sender)["balance"] += bond // 10
        self.burn(bond - bond // 10)
        mined = self.halve(self.network["mined"], self.network["height"]) - self.read_mined(owner)
        self.network.update(mined=mined, height=self.height)
        self.get(owner).update(mined=0, mined_height=0)
        self.keys[payload.key]["is_slashed"] = True

    def _find_owner(self, key: bytes) -> bytes | None:
        return next((address for address, voter in self.voters.items() if voter["key"] == key), None)

    def _remove_voter(self, address: bytes) -> int:
        bond = int(self.voters.pop(address)["bond"])
        return bond

    def encode_finality(self) -> dict[bytes, bytes]:
        """Return the records of this class as the state tree must have them."""
        records = {b"\x01" + a: encode(Account(**v)) for a, v in self.accounts.items() if v != EMPTY}
        records[b"\x05"] = encode(Market(**self.market))
        records |= {b"\x10" + a: encode(Voter(**v)) for a, v in self.voters.items()}
        records |= {b"\x11" + key: encode(VoterKey(**v)) for key, v in self.keys.items()}
        records |= {b"\x16" + _number(epoch): encode(Pot(amount)) for epoch, amount in self.pots.items()}
        records |= {
            b"\x14" + _number(epoch): encode(Committee(tuple(each["members"]), each["mined"]))
            for epoch, each in self.committees.items()
            if each["members"]
        }
        if self.voters:
            records[b"\x12"] = encode(VoterCount(len(self.voters)))
        if self.height:
            records[b"\x15"] = encode(NetworkMined(**self.network))
        if self.is_begun:
            ballots, epochs = tuple(self.ballots), tuple(sorted(self.committees))
            records[b"\x13"] = encode(Finality(self.justified, self.finalized, ballots, epochs))
        return records

    def sum_held(self, more: Iterable[int] = ()) -> int:
        """All balances, bonds, escrowed rewards and pots together."""
        accounts = sum(each["balance"] + each["bonded"] for each in self.accounts.values())
        return accounts + self.market["escrowed"] + sum(self.pots.values()) + sum(more)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")
