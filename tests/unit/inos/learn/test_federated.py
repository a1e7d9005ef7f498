"""Without Flower the package says how to get it, and the rest of it works."""

import builtins
import importlib
import sys
from typing import Any

import pytest

from inos.learn import federated
from inos.learn.errors import LearnError


def test_without_flower_the_strategy_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def find(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "flwr":
            raise ModuleNotFoundError("No module named 'flwr'", name="flwr")
        return real(name, *args, **kwargs)

    for name in ("clients", "local", "strategy", "metrics"):
        monkeypatch.delitem(sys.modules, f"inos.learn.federated.{name}", raising=False)
        monkeypatch.delattr(federated, name, raising=False)
    monkeypatch.setattr(builtins, "__import__", find)
    with pytest.raises(LearnError, match="pip install flwr") as found:
        _ = federated.FedPaid
    assert found.value.code == "flower-missing"
    importlib.import_module("inos.learn.federated.coordinator")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'FedFree'"):
        _ = federated.FedFree
