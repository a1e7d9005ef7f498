"""Names and bounds of settings that commands show; this module imports nothing, so that they start fast."""

from typing import Final

ENV_PREFIX: Final = "INOS_"
"""Every setting can be given as INOS_<NAME>."""
MIN_PRUNE: Final = 512
"""A pruned node keeps at least this many blocks: for the states of recent checkpoints it undoes as many."""
DEFAULT_PRUNE: Final = 2880
"""The blocks of a day, at 30 s each."""
PARENT_VARIABLE: Final = "INOS_PARENT_PID"
"""A program that starts nodes sets this variable; a node stops when that program ends."""
