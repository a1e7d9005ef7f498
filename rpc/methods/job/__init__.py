"""job_*: matrix products that an account pays for."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.job import history, jobs, proof, quote, track_record

METHODS: Final[dict[str, Method]] = collect_methods(history, jobs, proof, quote, track_record)
