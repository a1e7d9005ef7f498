"""Verification computes every step of a run again from the one before, and compares it with its record."""

from collections.abc import Callable

from msgspec import Struct

from inos.learn.errors import LearnError
from inos.learn.machines import LocalRunner
from inos.learn.run import Run, compare, find_checkpoint, read_checkpoint
from inos.learn.steps import Steps

OnVerified = Callable[[int, int], None]
"""The function is called with the step that was found right, and the last one to verify."""


class Verified(Struct, frozen=True):
    """Says what was computed again.

    Attributes:
        first, last: the steps that were computed again; 0 and 0 if the run has none.
        begins_at: the checkpoint that this began with, itself taken as it is; 0 for the first weights.
        head: the id of the last record.
    """

    first: int
    last: int
    begins_at: int
    head: str


def ignore_verified(step: int, last: int) -> None:
    """Do nothing; this is the default if no function is given."""


def verify_run(
    run: Run, first: int = 1, last: int | None = None, *, head: str = "", on_step: OnVerified = ignore_verified
) -> Verified:
    """Compute steps again, and compare all that their records say.

    Args:
        first, last: steps, by default all. The checkpoint before `first` is the beginning.
        head: the id that the last record must have, if it is known from elsewhere.

    Raises:
        LearnError: "step-wrong", "checkpoint-changed", "head-differs", "step-unknown", each with the step.
    """
    count = len(run.records)
    last = count if last is None else last
    if count and not 1 <= first <= last <= count:
        raise LearnError("step-unknown", f"steps {first} to {last} are not all there: the run has {count} steps so far")
    if head and head != run.head:
        raise LearnError("head-differs", f"the last record is {run.head}, and not {head}", hint="ask for the right run")
    if not count:
        return Verified(0, 0, 0, run.head)
    steps, runner = Steps(run.spec, run.folder), LocalRunner()
    found = find_checkpoint(steps, run.folder, run.records[: first - 1])
    begins_at = found.step
    while found.step < last:
        computed, found = steps.compute(found, runner)
        record = run.records[found.step - 1]
        compare(record, computed)
        if run.folder.has(record.weights) and run.folder.has(record.state):
            read_checkpoint(run.folder, record)
        on_step(found.step, last)
    return Verified(begins_at + 1, last, begins_at, run.head)
