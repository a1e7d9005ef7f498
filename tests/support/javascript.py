"""Runs the explorer's modules in node.js, without a browser: what they compute, not what they draw."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.documents import ROOT

NODE = shutil.which("node")
TIMEOUT_S = 120


def run_module(folder: Path, script: str, given: Any = None) -> Any:
    """Return the value of the expression `script`, which may await and import, with `given` at hand.

    Args:
        folder: an empty folder; the modules are copied into it.
    """
    assert NODE is not None
    shutil.copytree(ROOT / "rpc" / "explorer", folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(
        f"const given = {json.dumps(given)};\nconst found = await (async () => {{ {script} }})();\n"
        "process.stdout.write(JSON.stringify(found ?? null));\n"
    )
    done = subprocess.run([NODE, "run.js"], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
