"""A small classifier of handwritten digits, quantised to int7, so that it can be a program, or its layers products.

The data is scikit-learn's bundled digits (1,797 images of 8 x 8, 16 grey levels): one half
trains a perceptron with one hidden layer, the other half is held out. Everything after the
training is integers, so a result that came back through the chain equals the local one bit by bit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inos.programs import BuiltProgram, ProgramBuilder
from inos.programs.library import argmax

Int8 = NDArray[np.int8]
Int64 = NDArray[np.int64]

HIDDEN_UNITS: Final = 512
INT7_MAX: Final = 63
DARKEST: Final = 16
"""The images' pixels are 0 to 16."""
SHIFT: Final = 16
"""Requantisation multiplies by a 16-bit fixed-point factor."""


class DemoUnavailable(Exception):
    """scikit-learn, which contains the images, is not installed."""


@dataclass(frozen=True)
class IntegerLayer:
    """y = x W^T + bias over the integers; a hidden layer then applies relu and rescales to 0..63.

    Attributes:
        weights: n x k, int8, entries in [-63, 63].
        bias: n, int64.
        multiplier: the rescaling as a fixed-point factor with `SHIFT` fraction bits, 0 for the last layer.
    """

    weights: Int8
    bias: Int64
    multiplier: int

    def finish(self, product: NDArray[np.int32]) -> Int64:
        """Apply the bias, and for a hidden layer relu and requantisation to 0..63, to a product.

        Args:
            product: int32, m x n, exactly x W^T.

        Returns:
            int64, m x n: the next layer's operand, or the last layer's scores.
        """
        scores: Int64 = product.astype(np.int64) + self.bias
        if self.multiplier == 0:
            return scores
        scaled = (np.maximum(scores, 0) * self.multiplier + (1 << (SHIFT - 1))) >> SHIFT
        clipped: Int64 = np.minimum(scaled, INT7_MAX)
        return clipped


@dataclass(frozen=True)
class DigitTask:
    """The integer network and images that it was not trained on.

    Attributes:
        images: int8, m x 64, entries 0..16.
        labels: int64, m.
    """

    layers: tuple[IntegerLayer, ...]
    images: Int8
    labels: Int64

    def build_program(self, count: int) -> BuiltProgram:
        """Return the network as a program: it takes `count` images and returns the digit of each, count x 1."""
        b = ProgramBuilder()
        x = b.input(count, self.images.shape[1], 0, DARKEST, name="images")
        for layer in self.layers:
            x = b.matmul(x, b.operand(layer.weights)) + b.constant(layer.bias[None])
            if layer.multiplier:
                x = b.clamp(b.mul(b.clamp(x, 0, x.type.hi), layer.multiplier, shift=SHIFT), 0, INT7_MAX)
        return b.finish([argmax(x)])

    def predict_locally(self, images: Int8) -> Int64:
        """Predict with the same integer network by numpy alone, to compare it with what the chain returns."""
        x = images
        for layer in self.layers:
            y = x.astype(np.int32) @ layer.weights.astype(np.int32).T
            x = layer.finish(y).astype(np.int8 if layer.multiplier else np.int64)
        predictions: Int64 = np.argmax(x, axis=1)
        return predictions


def make_digit_task(seed: int = 0) -> DigitTask:
    """Train on one half of the digits and quantise; this takes a few seconds of one core.

    Raises:
        DemoUnavailable: scikit-learn is missing; the message says how to install it.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise DemoUnavailable("the devnet's jobs need scikit-learn: run `pip install scikit-learn`") from error
    data, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(data, labels, test_size=0.5, random_state=seed, stratify=labels)
    model = MLPClassifier(hidden_layer_sizes=(HIDDEN_UNITS,), max_iter=40, tol=1e-3, random_state=seed)
    with threadpool_limits(1):  # threads of BLAS wait for each other, which takes four times as long beside other load
        model.fit(x_train, y_train)
    layers = quantise(model.coefs_, model.intercepts_, x_train)
    return DigitTask(layers, x_test.astype(np.int8), y_test.astype(np.int64))


def quantise(
    weights: list[NDArray[np.float64]], biases: list[NDArray[np.float64]], calibration: NDArray[np.float64]
) -> tuple[IntegerLayer, ...]:
    """Round a float perceptron to int7 layers, one scale per layer.

    Args:
        weights: per layer float64, k x n.
        biases: per layer float64, n.
        calibration: float64, m x k integers in 0..16; the largest activations on it set the rescaling.
    """
    layers: list[IntegerLayer] = []
    x: NDArray[np.int64] = calibration.astype(np.int64)
    scale = 1.0  # integer units per float unit of the layer's input
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        weight_scale = INT7_MAX / float(np.abs(weight).max())
        quantised = np.rint(weight.T * weight_scale).astype(np.int8)
        scale *= weight_scale
        offset = np.rint(bias * scale).astype(np.int64)
        multiplier = 0
        product = (x @ quantised.T.astype(np.int64)).astype(np.int32)
        if index < len(weights) - 1:
            # The largest thousandth may saturate, which costs less accuracy than coarser steps for all other values.
            top = max(1, int(np.quantile(product + offset, 0.999)))
            multiplier = max(1, round(INT7_MAX / top * (1 << SHIFT)))
            scale *= multiplier / (1 << SHIFT)
        layer = IntegerLayer(quantised, offset, multiplier)
        x = layer.finish(product)
        layers.append(layer)
    return tuple(layers)
