"""A second, slow implementation of jobs and juries, written from docs/protocol.md, sections 4 and 5.

For every order, it lists all rules that the order would break. Blocks are far below their limits of cost and bytes, so
no work at the start of a block is put off.
"""

from itertools import zip_longest
from typing import Any, assert_never

import msgspec

from inos.consensus.params import Params
from inos.consensus.records import Claim, DisputeRecord, Job, JobState, Juror, ProductWork, Queued, TaskWork
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash, compute_stream
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    Dispute,
    JobMode,
    JuryReveal,
    JuryVote,
    Payload,
    PostJob,
    PostTask,
    RegisterVoter,
    ReportVoter,
    SubmitOutcome,
    SubmitResult,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
)
from inos.primitives.units import BlockId
from inos.primitives.votes import Aggregate
from support.slow_finality import EMPTY, SlowFinality

OPEN, CLAIMED, SETTLED, CANCELLED, DELIVERED, DISPUTED, UNDECIDED = JobState
CLOSED = {SETTLED, CANCELLED, UNDECIDED}


class SlowRules(SlowFinality):
    """The whole state.

    Args:
        wrong: results that Freivalds' check refuses, or whose challenge holds.
    """

    def __init__(self, params: Params, balances: dict[Any, Any], genesis: bytes, wrong: set[bytes]) -> None:
        super().__init__(params, balances, genesis)
        self.wrong = wrong
        self.jobs: dict[bytes, dict[str, Any]] = {}
        self.claims: dict[bytes, dict[str, Any]] = {}
        self.disputes: dict[bytes, dict[str, Any]] = {}

    def read_reputation(self, address: bytes) -> int:
        account = self.get(address)
        return self.halve(account["reputation"], account["reputation_height"])

    def write_reputation(self, address: bytes, value: int) -> None:
        self.get(address).update(reputation=value, reputation_height=self.height if value else 0)

    # Prices and fees

    def compute_burn(self, payload: PostJob | PostTask, difficulty: int) -> int:
        """What a job burns: work, bytes if it is checked, its place."""
        if isinstance(payload, PostTask):
            work = -(-self.subsidy * self.params.burn_per_mille * payload.units // (1000 * difficulty))
            return work + self.params.job_fee
        m, n, k = payload.x.rows, payload.w.rows, payload.x.cols
        tickets = -(-m // 16) * -(-n // 16) * -(-k // 1024)
        work = -(-self.subsidy * self.params.burn_per_mille * tickets // (1000 * difficulty))
        size = 0
        if payload.mode == JobMode.CHECKED:
            whole = 1000 * self.params.max_checked_block_bytes
            size = -(-self.subsidy * self.params.byte_burn_per_mille * _count_bytes(m, n, k) // whole)
        return work + size + self.params.job_fee

    def compute_size_fee(self, work: Any) -> int:
        if isinstance(work, PostTask | TaskWork):
            mib = max(1, -(-work.units // 4096))
        else:
            mib = -(-_count_bytes(work.x.rows, work.w.rows, work.x.cols) // 2**20)
        return self.params.jury_size * mib * self.params.jury_mib_fee

    def compute_jury_fee(self, job: dict[str, Any]) -> int:
        return max(self.compute_size_fee(job["work"]), -(-int(job["bond"]) // 8))

    # What the start of a block does

    def begin(self, parent: BlockId, aggregate: Aggregate | None, beneficiary: bytes) -> None:
        """Do what comes before the transactions of the next block."""
        self.height += 1
        self.fees = 0
        if self.height % self.params.subsidy_decay_interval == 0:
            self.subsidy = max(int(self.params.subsidy_tail), self.subsidy * 99 // 100)
        self._run_queues()
        for job_id in sorted(self.disputes, key=lambda each: (self._get_jury_height(self.disputes[each]), each)):
            if self._get_jury_height(self.disputes[job_id]) <= self.height:
                self._draw(job_id, parent) if not self.disputes[job_id]["drawn_at"] else self._count(job_id)
        self.begin_finality(parent, aggregate, beneficiary)

    def _run_queues(self) -> None:
        """Rounds over lapses, deadlines, results due and removals, each in key order."""
        lapses = self._list_due(lambda job_id, job: job["state"] == CLAIMED and self.claims[job_id]["expires_at"] + 1)
        deadlines = self._list_due(lambda _, job: job["state"] == OPEN and job["deadline"] + 1)
        payments = self._list_due(lambda job_id, job: job["state"] == DELIVERED and self.claims[job_id]["expires_at"])
        removals = self._list_due(
            lambda _, job: job["state"] in CLOSED and job["closed_at"] + self.params.job_retention
        )
        for lapse, deadline, payment, removal in zip_longest(lapses, deadlines, payments, removals):
            if lapse is not None:
                self._lapse(lapse)
            if deadline is not None:
                self._cancel(deadline)
            if payment is not None:
                self._pay(payment)
            if removal is not None:
                del self.jobs[removal]

    def _list_due(self, get_height: Any) -> list[bytes]:
        heights = {job_id: get_height(job_id, job) for job_id, job in self.jobs.items()}
        due = [(height, job_id) for job_id, height in heights.items() if height is not False and height <= self.height]
        return [job_id for _, job_id in sorted(due)]

    def _lapse(self, job_id: bytes) -> None:
        claim, job = self._end_claim(job_id), self.jobs[job_id]
        self.write_reputation(claim["worker"], self.read_reputation(claim["worker"]) * 3 // 4)
        self.get(job["poster"])["balance"] += claim["bond"] // 2
        self.burn(claim["bond"] - claim["bond"] // 2)
        self._reopen(job_id)

    def _end_claim(self, job_id: bytes) -> dict[str, Any]:
        """Take the bond out of what the worker has bonded; the caller says where it goes."""
        claim = self.claims.pop(job_id)
        worker = self.get(claim["worker"])
        worker["bonded"] -= claim["bond"]
        worker["open_claims"] -= 1
        return claim

    def _reopen(self, job_id: bytes) -> None:
        """Open a job again, or cancel it past its deadline."""
        job = self.jobs[job_id]
        job.update(state=OPEN, worker=None)
        _set_result(job, None)
        if job["deadline"] < self.height:
            self._cancel(job_id)

    def _cancel(self, job_id: bytes) -> None:
        job = self.jobs[job_id]
        self.get(job["poster"])["balance"] += job["reward"]
        self.market["escrowed"] -= job["reward"]
        job.update(state=CANCELLED, closed_at=self.height)

    def _pay(self, job_id: bytes) -> None:
        claim, job = self._end_claim(job_id), self.jobs[job_id]
        self.get(claim["worker"])["balance"] += claim["bond"] + job["reward"]
        self.market["escrowed"] -= job["reward"]
        self.write_reputation(claim["worker"], self.read_reputation(claim["worker"]) + job["burned"])
        job.update(state=SETTLED, closed_at=self.height)

    # Juries

    def list_eligible(self, job: dict[str, Any], worker: bytes) -> list[Any]:
        """Members of the voting committee, which is that of the latest ballot, without poster and worker."""
        members = self.committees[self.ballots[-1].committee]["members"] if self.ballots else []
        return [member for member in members if member.address not in (job["poster"], worker)]

    def _get_jury_height(self, dispute: dict[str, Any]) -> int:
        if not dispute["drawn_at"]:
            return int(dispute["opened_at"]) + 2
        return int(dispute["drawn_at"]) + self.params.jury_window

    def get_reveal_start(self, dispute: dict[str, Any]) -> int:
        return int(dispute["drawn_at"]) + 2 * self.params.jury_window // 3

    def _draw(self, job_id: bytes, parent: BlockId) -> None:
        dispute, job = self.disputes[job_id], self.jobs[job_id]
        eligible = self.list_eligible(job, self.claims[job_id]["worker"])
        numbers = compute_stream(compute_hash(Context.JURY, job_id + parent), "seats", 16 * self.params.jury_size)
        seats = [0] * len(eligible)
        whole = sum(member.weight for member in eligible)
        for at in range(self.params.jury_size if eligible else 0):
            number, place = int.from_bytes(numbers[16 * at : 16 * at + 16], "little") % whole, 0
            while number >= eligible[place].weight:
                number -= eligible[place].weight
                place += 1
            seats[place] += 1
        jurors = [
            {"address": member.address, "key": member.key, "seats": count, "commitment": None, "verdict": None}
            for member, count in zip(eligible, seats, strict=True)
            if count
        ]
        dispute.update(drawn_at=self.height, jurors=jurors)

    def _count(self, job_id: bytes) -> None:
        dispute, job = self.disputes.pop(job_id), self.jobs[job_id]
        fee, worker = dispute["fee"], self.claims[job_id]["worker"]
        for juror in dispute["jurors"]:
            if juror["commitment"] is not None and juror["verdict"] is None:
                self._cut_bond(juror["address"], fee // self.params.jury_size * juror["seats"])
        opened = [juror for juror in dispute["jurors"] if juror["verdict"] is not None]
        right = [juror for juror in opened if juror["verdict"] == 0]
        not_right = [juror for juror in opened if juror["verdict"] != 0]
        if 2 * _count_seats(not_right) > self.params.jury_size:
            self._return_stake(dispute, 0)
            claim = self._end_claim(job_id)
            self._share(not_right, fee)
            self.get(dispute["disputer"])["balance"] += (claim["bond"] - fee) // 2
            self.burn(claim["bond"] - fee - (claim["bond"] - fee) // 2)
            self.write_reputation(worker, 0)
            self._reopen(job_id)
        elif 2 * _count_seats(right) > self.params.jury_size:
            self._return_stake(dispute, -(-fee // 2))
            self._take_from_claim(job_id, fee // 2)
            self._share(right, fee)
            self.claims[job_id]["is_judged"] = True
            job["state"] = DELIVERED
            if self.claims[job_id]["expires_at"] <= self.height:
                self._pay(job_id)
        else:
            self._return_stake(dispute, fee // 2)
            self._take_from_claim(job_id, fee // 2)
            self._share(opened, 2 * (fee // 2))
            claim = self._end_claim(job_id)
            self.get(worker)["balance"] += claim["bond"]
            self.market["escrowed"] -= job["reward"]
            self.burn(job["reward"])
            job.update(state=UNDECIDED, closed_at=self.height)

    def _cut_bond(self, address: bytes, amount: int) -> None:
        voter = self.voters.get(address)
        if voter is not None:
            amount = min(amount, voter["bond"])
            voter["bond"] -= amount
            self.get(address)["bonded"] -= amount
            self.burn(amount)

    def _return_stake(self, dispute: dict[str, Any], lost: int) -> None:
        account = self.get(dispute["disputer"])
        account["bonded"] -= dispute["stake"]
        account["balance"] += dispute["stake"] - lost

    def _take_from_claim(self, job_id: bytes, amount: int) -> None:
        self.claims[job_id]["bond"] -= amount
        self.get(self.claims[job_id]["worker"])["bonded"] -= amount

    def _share(self, jurors: list[dict[str, Any]], fee: int) -> None:
        """Divide a fee by seats; what a division leaves over, and what nobody is there to receive, is burned."""
        left = fee
        for juror in jurors:
            part = fee * juror["seats"] // _count_seats(jurors)
            self.get(juror["address"])["balance"] += part
            left -= part
        self.burn(left)

    # Orders

    def list_faults(self, sender: bytes, nonce: int, fee: int, payload: Payload, difficulty: int) -> set[str]:
        """Return every rule that the order breaks, each looked at as if the order had passed all others."""
        account = self.get(sender)
        wrong = set() if nonce == account["nonce"] else {"bad-nonce"}
        cost = fee
        match payload:
            case Transfer():
                cost += payload.amount
                wrong |= {"zero-amount"} if payload.amount == 0 else set()
                is_new = payload.to != sender and self.get(payload.to) == EMPTY
                wrong |= {"amount-too-small"} if is_new and payload.amount <= self.params.account_fee else set()
            case TransferMany():
                cost += sum(amount for _, amount in _read_payments(payload))
                wrong |= self._list_payment_faults(sender, payload)
            case PostJob() | PostTask():
                cost += payload.reward + self.compute_burn(payload, difficulty)
                wrong |= self._list_post_faults(payload, difficulty)
            case ClaimJob():
                cost += self.jobs.get(payload.job, {"bond": 0})["bond"]
                wrong |= self._list_claim_faults(sender, payload.job)
            case SubmitResult() | SubmitOutcome():
                wrong |= self._list_result_faults(sender, payload)
            case CancelJob():
                wrong |= self._list_cancel_faults(sender, payload.job)
            case Challenge():
                wrong |= self._list_challenge_faults(payload)
            case Dispute():
                job = self.jobs.get(payload.job)
                cost += 0 if job is None else job["bond"] + self.compute_jury_fee(job)
                wrong |= self._list_dispute_faults(payload.job)
            case JuryVote() | JuryReveal():
                wrong |= self._list_jury_faults(payload)
            case RegisterVoter():
                cost += payload.bond
                wrong |= self.list_register_faults(sender, payload)
            case UnbondVoter():
                wrong |= self.list_unbond_faults(sender)
            case WithdrawBond():
                wrong |= self.list_withdraw_faults(sender)
            case ReportVoter():
                wrong |= self.list_report_faults(payload)
            case _:
                assert_never(payload)
        return wrong | ({"insufficient-balance"} if cost > account["balance"] else set())

    def _list_payment_faults(self, sender: bytes, payload: TransferMany) -> set[str]:
        payments = _read_payments(payload)
        addresses = [address for address, _ in payments]
        new = [amount for address, amount in payments if address != sender and self.get(address) == EMPTY]
        faults = {
            "bad-payments": len(payload.payments) % 28 != 0 or not 1 <= len(payload.payments) // 28 <= 256,
            "payments-not-sorted": addresses != sorted(set(addresses)),
            "zero-amount": any(amount == 0 for _, amount in payments),
            "payment-too-small": any(amount < self.params.job_fee for _, amount in payments),
            "amount-too-small": any(amount <= self.params.account_fee for amount in new),
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_post_faults(self, payload: PostJob | PostTask, difficulty: int) -> set[str]:
        params, least, most = self.params, self.params.min_bond, 2**64
        is_task = isinstance(payload, PostTask)
        if is_task or payload.mode == JobMode.OPTIMISTIC:
            size_fee = self.compute_size_fee(payload)
            least, most = max(least, payload.reward, 2 * size_fee), 4 * self.subsidy  # type: ignore[assignment]
        faults = {
            "zero-reward": payload.reward == 0,
            "bond-too-small": payload.bond < least,
            "bond-too-large": payload.bond > most,
            "bad-claim-window": not params.min_claim_window <= payload.claim_window <= params.max_claim_window,
            "deadline-passed": payload.deadline <= self.height,
            "deadline-too-far": payload.deadline > self.height + params.max_job_lifetime,
            "burn-above-maximum": self.compute_burn(payload, difficulty) > payload.max_burn,
            "bad-units": is_task
            and not (1 <= payload.units <= 2**40 and payload.tickets <= (payload.units if payload.kind == 1 else 0)),
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_claim_faults(self, sender: bytes, job_id: bytes) -> set[str]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"unknown-job"}
        more = self.read_reputation(sender) // self.params.reputation_per_claim
        limit = min(self.params.max_open_claims, self.params.base_open_claims + more)
        faults = {
            "job-not-open": job["state"] != OPEN,
            "deadline-passed": self.height > job["deadline"],
            "too-many-claims": self.get(sender)["open_claims"] >= limit,
            "no-jury": _is_optimistic(job) and not self.list_eligible(job, sender),
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_result_faults(self, sender: bytes, payload: SubmitResult | SubmitOutcome) -> set[str]:
        job = self.jobs.get(payload.job)
        if isinstance(payload, SubmitOutcome) and not payload.outputs:
            return {"no-outputs"}
        if job is None:
            return {"unknown-job"}
        if isinstance(job["work"], TaskWork) != isinstance(payload, SubmitOutcome):
            return {"wrong-kind"}
        if job["state"] != CLAIMED:
            return {"job-not-claimed"}
        claim = self.claims[payload.job]
        faults = {
            "not-the-claimer": claim["worker"] != sender,
            "claim-expired": self.height > claim["expires_at"],
        }
        if isinstance(payload, SubmitResult):
            shape = (job["work"].x.rows, job["work"].w.rows)
            faults["bad-result-shape"] = (payload.y.rows, payload.y.cols) != shape
            faults["wrong-result"] = not _is_optimistic(job) and payload.y.id in self.wrong
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_cancel_faults(self, sender: bytes, job_id: bytes) -> set[str]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"unknown-job"}
        faults = {"not-the-poster": job["poster"] != sender, "job-not-open": job["state"] != OPEN}
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_challenge_faults(self, payload: Challenge) -> set[str]:
        job = self.jobs.get(payload.job)
        if job is None:
            return {"unknown-job"}
        if isinstance(job["work"], TaskWork):
            return {"wrong-kind"}
        if not _is_optimistic(job):
            return {"wrong-mode"}
        if job["state"] not in (DELIVERED, DISPUTED):
            return {"job-not-delivered"}
        return set() if job["work"].y.id in self.wrong else {"bad-path"}

    def _list_dispute_faults(self, job_id: bytes) -> set[str]:
        job = self.jobs.get(job_id)
        if job is None:
            return {"unknown-job"}
        claim = self.claims.get(job_id)
        faults = {
            "wrong-mode": not _is_optimistic(job),
            "job-not-delivered": job["state"] != DELIVERED,
            "already-judged": claim is not None and claim["is_judged"],
            "no-jury": claim is not None and not self.list_eligible(job, claim["worker"]),
        }
        return {code for code, is_broken in faults.items() if is_broken}

    def _list_jury_faults(self, payload: JuryVote | JuryReveal) -> set[str]:
        dispute = self.disputes.get(payload.job)
        if dispute is None or not dispute["drawn_at"]:
            return {"no-dispute"}
        if payload.drawn_at != dispute["drawn_at"]:
            return {"wrong-jury"}
        juror = next((each for each in dispute["jurors"] if each["key"] == payload.key), None)
        if juror is None:
            return {"not-a-juror"}
        is_early = self.height < self.get_reveal_start(dispute)
        if isinstance(payload, JuryVote):
            faults = {"commit-window-over": not is_early, "already-committed": juror["commitment"] is not None}
        else:
            opening = compute_hash(Context.JURY_VERDICT, bytes([payload.verdict]) + payload.salt + payload.key)
            faults = {
                "reveal-too-early": is_early,
                "not-committed": juror["commitment"] is None,
                "already-revealed": juror["verdict"] is not None,
                "wrong-opening": juror["commitment"] != opening,
            }
        return {code for code, is_broken in faults.items() if is_broken}

    def apply(self, sender: bytes, fee: int, payload: Payload, tx_id: bytes, difficulty: int) -> None:
        """Apply an order that breaks no rule."""
        account = self.get(sender)
        account["nonce"] += 1
        account["balance"] -= fee
        self.fees += fee
        match payload:
            case Transfer():
                account["balance"] -= payload.amount
                entry = self.params.account_fee if self.get(payload.to) == EMPTY else 0
                self.get(payload.to)["balance"] += payload.amount - entry
                self.burn(entry)
            case TransferMany():
                payments = _read_payments(payload)
                account["balance"] -= sum(amount for _, amount in payments)
                entries = {to: self.params.account_fee if self.get(to) == EMPTY else 0 for to, _ in payments}
                for to, amount in payments:
                    self.get(to)["balance"] += amount - entries[to]
                self.burn(sum(entries.values()))
            case PostJob() | PostTask():
                self._apply_post(sender, payload, tx_id, self.compute_burn(payload, difficulty))
            case ClaimJob():
                self._apply_claim(sender, payload.job)
            case SubmitResult() | SubmitOutcome():
                self._apply_result(payload)
            case CancelJob():
                self._cancel(payload.job)
            case Challenge():
                self._apply_challenge(sender, payload.job)
            case Dispute():
                self._apply_dispute(sender, payload.job)
            case JuryVote() | JuryReveal():
                jurors = self.disputes[payload.job]["jurors"]
                juror = next(each for each in jurors if each["key"] == payload.key)
                is_vote = isinstance(payload, JuryVote)
                juror.update({"commitment": payload.commitment} if is_vote else {"verdict": payload.verdict})  # type: ignore[union-attr]
            case RegisterVoter():
                self.apply_register(sender, payload)
            case UnbondVoter():
                self.apply_unbond(sender)
            case WithdrawBond():
                self.apply_withdraw(sender)
            case ReportVoter():
                self.apply_report(sender, payload)
            case _:
                assert_never(payload)

    def _apply_post(self, sender: bytes, payload: PostJob | PostTask, tx_id: bytes, burned: int) -> None:
        self.get(sender)["balance"] -= payload.reward + burned
        self.burn(burned)
        self.market["escrowed"] += payload.reward
        kept = {name: getattr(payload, name) for name in ("reward", "bond", "claim_window", "deadline")}
        names = ("x", "w", "mode") if isinstance(payload, PostJob) else ("kind", "spec", "inputs", "tickets", "units")
        kind = ProductWork if isinstance(payload, PostJob) else TaskWork
        self.jobs[tx_id] = kept | {
            "work": kind(**{name: getattr(payload, name) for name in names}),
            "posted_at": self.height,
            "poster": sender,
            "burned": burned,
            "state": OPEN,
            "worker": None,
            "closed_at": 0,
        }

    def _apply_claim(self, sender: bytes, job_id: bytes) -> None:
        job, account = self.jobs[job_id], self.get(sender)
        account["balance"] -= job["bond"]
        account["bonded"] += job["bond"]
        account["open_claims"] += 1
        job.update(state=CLAIMED, worker=sender)
        last = min(self.height + job["claim_window"], job["deadline"])
        self.claims[job_id] = {
            "worker": sender,
            "bond": job["bond"],
            "claimed_at": self.height,
            "expires_at": last,
            "is_judged": False,
        }

    def _apply_result(self, payload: SubmitResult | SubmitOutcome) -> None:
        job = self.jobs[payload.job]
        _set_result(job, payload.y if isinstance(payload, SubmitResult) else payload.outputs)
        if not _is_optimistic(job):
            self._pay(payload.job)
            return
        job["state"] = DELIVERED
        self.claims[payload.job]["expires_at"] = self.height + self.params.challenge_window

    def _apply_challenge(self, sender: bytes, job_id: bytes) -> None:
        claim, dispute = self._end_claim(job_id), self.disputes.pop(job_id, None)
        bond = claim["bond"]
        if dispute is not None:
            self._return_stake(dispute, 0)
            committed = [juror for juror in dispute["jurors"] if juror["commitment"] is not None]
            if committed:
                self._share(committed, dispute["fee"])
                bond -= dispute["fee"]
        self.get(sender)["balance"] += bond // 2
        self.burn(bond - bond // 2)
        self.write_reputation(claim["worker"], 0)
        self._reopen(job_id)

    def _apply_dispute(self, sender: bytes, job_id: bytes) -> None:
        job, account = self.jobs[job_id], self.get(sender)
        fee = self.compute_jury_fee(job)
        stake = job["bond"] + fee
        account["balance"] -= stake
        account["bonded"] += stake
        job["state"] = DISPUTED
        self.disputes[job_id] = {
            "disputer": sender,
            "stake": stake,
            "fee": fee,
            "opened_at": self.height,
            "drawn_at": 0,
            "jurors": [],
        }

    def encode(self) -> dict[bytes, bytes]:
        """Return every record as the state tree must have it."""
        records = self.encode_finality()
        records |= {b"\x02" + job_id: encode(Job(**job)) for job_id, job in self.jobs.items()}
        records |= {b"\x03" + job_id: encode(Claim(**claim)) for job_id, claim in self.claims.items()}
        for job_id, dispute in self.disputes.items():
            jurors = tuple(Juror(**juror) for juror in dispute["jurors"])
            records[b"\x09" + job_id] = encode(DisputeRecord(**dispute | {"jurors": jurors}))
            records[_queue_key(10, self._get_jury_height(dispute), job_id)] = encode(Queued())
        for job_id, job in self.jobs.items():
            if job["state"] == CLAIMED:
                records[_queue_key(4, self.claims[job_id]["expires_at"] + 1, job_id)] = encode(Queued())
            if job["state"] == DELIVERED:
                records[_queue_key(6, self.claims[job_id]["expires_at"], job_id)] = encode(Queued())
            if job["state"] in CLOSED:
                records[_queue_key(8, job["closed_at"] + self.params.job_retention, job_id)] = encode(Queued())
            elif job["deadline"] + 1 > self.height:
                records[_queue_key(7, job["deadline"] + 1, job_id)] = encode(Queued())
        return records


def _read_payments(payload: TransferMany) -> list[tuple[bytes, int]]:
    """Read 28 bytes a payment: 20 of the address, 8 of the amount, the most significant first."""
    pieces = [payload.payments[at : at + 28] for at in range(0, len(payload.payments) - 27, 28)]
    return [(piece[:20], int.from_bytes(piece[20:], "big")) for piece in pieces]


def _is_optimistic(job: dict[str, Any]) -> bool:
    return isinstance(job["work"], TaskWork) or job["work"].mode == JobMode.OPTIMISTIC


def _set_result(job: dict[str, Any], result: Any) -> None:
    name = "outputs" if isinstance(job["work"], TaskWork) else "y"
    job["work"] = msgspec.structs.replace(job["work"], **{name: result})


def _count_bytes(m: int, n: int, k: int) -> int:
    """The bytes of the strips of X, W and Y."""
    panels, wide = -(-k // 1024), -(-4 * n // 1024)
    return 16_384 * (-(-m // 16) * panels + -(-n // 16) * panels + -(-m // 16) * wide)


def _count_seats(jurors: list[dict[str, Any]]) -> int:
    return sum(juror["seats"] for juror in jurors)


def _queue_key(kind: int, height: int, job_id: bytes) -> bytes:
    return bytes([kind]) + int(height).to_bytes(8, "big") + job_id
