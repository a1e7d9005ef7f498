"""A node whose miner delivers wrong outputs of tasks: the first byte of each is another.

Its name is put before a node's command: `python -m support.wrong_task_node python -m inos node ...`
"""

import sys

import inos.miner.computation
import inos.miner.miner
from inos.cli.main import main
from inos.core.computation import compute_outputs


def spoil(*args: object, **words: object) -> tuple[bytes, ...]:
    outputs = compute_outputs(*args, **words)  # type: ignore[arg-type]
    return tuple(bytes([output[0] ^ 1]) + output[1:] for output in outputs)


if __name__ == "__main__":
    inos.miner.miner.compute_outputs = spoil  # type: ignore[attr-defined]
    inos.miner.computation.compute_outputs = spoil  # type: ignore[attr-defined]
    del sys.argv[1 : sys.argv.index("inos") + 1]
    main()
