"""Names of the environment variables that a node reads; this module imports nothing, so that commands start fast."""

from typing import Final

ENV_PREFIX: Final = "INOS_"
"""Every setting can be given as INOS_<NAME>."""
PARENT_VARIABLE: Final = "INOS_PARENT_PID"
"""A program that starts nodes sets this variable; a node stops when that program ends."""
