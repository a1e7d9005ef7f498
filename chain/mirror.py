"""A mirror of a database in another folder. LevelDB writes when it opens a database, so a check opens a mirror.

Tables are never changed once they are written, so the mirror has links to them, and copies of all other files.
"""

import shutil
from pathlib import Path
from typing import Final

from inos.chain.errors import ChainError

TABLES: Final = frozenset({".ldb", ".sst"})
NOT_COPIED: Final = frozenset({"LOCK", "LOG", "LOG.old"})


def make_mirror(source: Path, target: Path) -> None:
    """Make a mirror of a database that no process has open, in a folder that is made.

    Raises:
        ChainError: "database-io" if a file cannot be read or written.
    """
    try:
        target.mkdir()
        for path in source.iterdir():
            if path.suffix in TABLES:
                (target / path.name).symlink_to(path.resolve())
            elif path.name not in NOT_COPIED and path.is_file():
                shutil.copyfile(path, target / path.name)
    except OSError as error:
        raise ChainError(
            "database-io",
            f"cannot copy the database {source} to {target} for the check: {error.strerror or error}",
            hint="see that the files can be read, and that the folder for temporary files (TMPDIR) has space",
        ) from error
