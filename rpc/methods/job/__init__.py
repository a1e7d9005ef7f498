"""job_*: matrix products that an account pays for."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.job import history, jobs, market, proof, quote, quote_task, track_record

METHODS: Final[dict[str, Method]] = collect_methods(history, jobs, market, proof, quote, quote_task, track_record)
