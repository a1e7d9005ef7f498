"""A model is a file: read as it was written, changed by a step, and refused if it cannot be trained."""

from typing import Any

import numpy as np
import pytest

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import FRACTION_BITS
from inos.learn.federated.models import Model, read_model
from support.federations import SIZES, make_model


def test_a_model_is_read_as_it_was_written() -> None:
    model = make_model()
    again = read_model(model.data, "file")
    assert again.id == model.id
    assert again.sizes == list(SIZES)
    for name, each in model.layers.items():
        assert again.layers[name].dtype == each.dtype
        assert (again.layers[name] == each).all()


def test_a_step_changes_trained_layers_only() -> None:
    model = make_model()
    changed = model.change(np.full(sum(SIZES), 1 << (FRACTION_BITS - 1)))
    for name in ("weight", "bias"):
        assert np.allclose(changed.layers[name], model.layers[name] + 0.5)
        assert changed.layers[name].dtype == model.layers[name].dtype
    assert changed.layers["steps"] == 7
    assert model.id == make_model().id


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"w": np.array([1.0, np.nan])}, "entry 1 of layer w is nan"),
        ({"w": np.array([np.inf])}, "entry 0 of layer w is inf"),
        ({"w": np.zeros(2, np.float16)}, "layer w holds float16"),
        ({"w": np.zeros(2, complex)}, "layer w holds complex128"),
        ({"w": np.array(["a"])}, "layer w holds <U1"),
        ({"w": np.zeros(2, np.int64)}, "none of the model's 1 layers holds floats"),
        ({}, "none of the model's 0 layers"),
    ],
)
def test_models_that_cannot_be_trained_are_refused(layers: dict[str, Any], message: str) -> None:
    with pytest.raises(LearnError, match=message) as found:
        Model(layers)
    assert found.value.code == "bad-model"


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-1], lambda data: data.replace(b"float32", b"float99")]
)
def test_damaged_files_are_refused(damage: Any) -> None:
    with pytest.raises(LearnError, match="no model"):
        read_model(damage(make_model().data), "file")


def test_differences_are_named() -> None:
    model = make_model()
    assert model.compare(make_model(1)) == ""
    assert model.compare(Model({"weight": np.zeros((60, 40), np.float32)})) == "1 layers instead of 3"
    other = Model(model.layers | {"bias": np.zeros(99)})
    assert model.compare(other) == "bias float64[99] instead of bias float64[100]"
