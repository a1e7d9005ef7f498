"""For mkdocs: the pages that are made from the code when the site is built."""

from typing import Any

from mkdocs.structure.files import File, Files

from inos.rpc.description.reference import make_reference


def on_files(files: Files, config: Any) -> Files:
    """Add the RPC reference."""
    files.append(File.generated(config, "rpc.md", content=make_reference()))
    return files
