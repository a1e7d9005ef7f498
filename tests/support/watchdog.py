"""Cleans up after a run of the suite that was killed: python watchdog.py MARK FOLDER.

It waits until its standard input ends, which is when the pytest process has ended, however it ended. Then it kills
what bears the run's mark and removes the run's folder of temporary files.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from leftovers import kill_marked


def main(mark: str, folder: str) -> None:
    """Wait for the end of the run, and leave nothing of it behind."""
    sys.stdin.buffer.read()
    kill_marked(mark)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
