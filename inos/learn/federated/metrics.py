"""Metrics of a round: medians, because clients can report anything."""

from collections.abc import Sequence
from math import isfinite
from statistics import median
from typing import Final

from flwr.app import MetricRecord, RecordDict

WEIGHT: Final = "num-examples"


def combine_metrics(contents: Sequence[RecordDict]) -> MetricRecord | None:
    """Return the median of each number that at least half of the clients report and is finite; None if there is none.

    Lists, and the number of examples, are left out.
    """
    found: dict[str, list[float]] = {}
    for content in contents:
        reported = {name: each for record in content.metric_records.values() for name, each in record.items()}
        for name, each in reported.items():
            if name != WEIGHT and isinstance(each, int | float) and isfinite(each):
                found.setdefault(name, []).append(float(each))
    medians = {name: median(each) for name, each in found.items() if 2 * len(each) >= len(contents)}
    return MetricRecord(dict(medians)) if medians else None
