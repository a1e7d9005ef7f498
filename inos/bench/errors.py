"""The benchmarks' family of errors."""

from inos.primitives.errors import InosError


class BenchError(InosError):
    """A benchmark cannot give a figure. Codes: sync-stuck, snapshot-stuck, executed-everything, wrong-tip,
    wrong-matrix, no-blocks, too-slow, partner-died, block-not-connected, no-committee, order-too-large, too-late,
    not-included, call-refused, command-failed, wrong-result, no-outcome, interpreters-differ, ray-failed, no-node,
    engine-failed.
    """
