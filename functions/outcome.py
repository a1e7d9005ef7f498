"""What a run ends with: an answer, no answer for a reason that every machine finds, or a failure of this machine."""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from inos.primitives.errors import InosError


class Reason(StrEnum):
    """Why a run has no outcome."""

    TRAP = "trap"
    OUT_OF_STEPS = "out-of-steps"
    STACK = "stack"
    EXIT_CODE = "exit-code"
    OUTPUT_TOO_LARGE = "output-too-large"
    MEMORY = "memory"


class Delivered(Struct, frozen=True):
    """The module ended with exit code 0.

    Args:
        stdout: the outcome's bytes.
        log: the beginning of stderr; it is no part of the outcome.
        steps: the steps that were taken; they help to declare a limit, and are never paid for.
    """

    stdout: bytes
    log: bytes
    steps: int


class NoOutcome(Struct, frozen=True):
    """The module ended without an outcome; a worker cannot deliver such a call.

    Args:
        detail: the reason in words.
        exit_code: the module's, if the reason is `EXIT_CODE`.
    """

    reason: Reason
    detail: str
    log: bytes
    steps: int
    exit_code: int | None = None


Outcome: TypeAlias = Delivered | NoOutcome


class HostFailed(InosError):
    """This machine could not run the function, which says nothing about the function: another machine may.

    The codes are "functions-missing", "function-time", "function-memory", "function-killed", "function-host" and
    "cache-not-private".
    """
