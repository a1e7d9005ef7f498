"""The laboratory of cores, for every test here."""

from support.core_lab import lab

__all__ = ["lab"]
