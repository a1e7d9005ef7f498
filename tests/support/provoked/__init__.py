"""Functions that break each rule, grouped by what they break; importing this package registers them all."""

from support.provoked import blocks, finality, jobs, juries, transactions
from support.provoked.registry import PROVOKE

__all__ = ["PROVOKE", "blocks", "finality", "jobs", "juries", "transactions"]
