"""What a node leaves in its data directory while it runs: where to reach it."""

import json
import os
from pathlib import Path

from msgspec import Struct


class NodeFile(Struct, frozen=True):
    """node.json, as far as commands read it."""

    pid: int
    rpc: str

    def is_running(self) -> bool:
        """Whether that process is there; a killed node leaves its file behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's
            return True
        return True


def read_node_file(data_dir: Path) -> NodeFile | None:
    """The file in a node's data directory; None where there is none, or none that can be read."""
    try:
        found = json.loads((data_dir.expanduser() / "node.json").read_bytes())
        return NodeFile(int(found["pid"]), str(found["rpc"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
