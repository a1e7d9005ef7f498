"""What training in integers needs: scales found at run time, stochastic rounding, and the step of an optimiser."""

from inos.programs.builder import Value


def scale_dynamically(x: Value, levels: int = 63) -> tuple[Value, Value]:
    """Return (round(levels * x / max|x|), max|x|): the matrix as int7, and the scale that was found."""
    b = x.builder
    top = b.clamp(b.max(b.max(b.concat([x, -x])), 0), 1, max(x.largest, 1))
    shifted = b.intdiv(x * (2 * levels) + top * (2 * levels + 1), top * 2)  # levels more than the result, so positive
    return b.clamp(shifted - levels, -levels, levels), top


def shift_stochastically(x: Value, bits: int, key: Value) -> Value:
    """Return x / 2^bits, rounded up with the probability of the fraction; 1 to 16 bits."""
    b = x.builder
    return b.shift(x + b.random(key, x.rows, x.cols, bits), bits)


def sgd_step(weight: Value, gradient: Value, rate: int, bits: int) -> Value:
    """Return weight - gradient * rate / 2^bits, within the interval of the weight."""
    b = weight.builder
    return b.clamp(weight - b.mul(gradient, rate, bits), weight.type.lo, weight.type.hi)
