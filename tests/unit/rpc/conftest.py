"""The fixture `lab`, a laboratory of cores, for the tests in this folder."""

from support.core_lab import lab

__all__ = ["lab"]
