"""Build the wheel, install it into an empty environment, and use it next to a user's files with our packages' names."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import urllib.request
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from support.bare_names import BARE_NAMES
from support.documents import ROOT

BUILD_S: Final = 600
"""The kernels take half a minute of processor time; the limit is for a machine that is busy with other work."""
DEVNET_S: Final = 600
DEVNET: Final = ("devnet", "--until-jobs", "8", "--json", "--rpc-port", "0")
"""The devnet takes a minute on two idle cores; how fast it is, test_devnet_command.py checks."""
HOSTILE: Final = 'raise ImportError("this file belongs to the user, and INOS imported it")\n'
MATMUL: Final = """
import numpy as np
import inos
from inos.work.backends import get_backend

x = np.random.default_rng(1).integers(-64, 64, (256, 512), dtype=np.int8)
assert (inos.matmul(x, x.T) == x.astype(int) @ x.T.astype(int)).all()
print(get_backend("auto").name, inos.__file__)
"""
CLIENT: Final = """
import asyncio
import sys
import numpy as np
import inos
from inos.wallet.keys import derive_key


async def main() -> None:
    phrase = "test test test test test test test test test test test junk"  # the devnet's account
    async with inos.Client(sys.argv[1], wallet=derive_key(phrase)) as client:
        x = np.random.default_rng(1).integers(-64, 64, (256, 512), dtype=np.int8)
        y = await client.multiply(x, x, reward="0.5")
        assert (y == x.astype(int) @ x.T.astype(int)).all()


asyncio.run(main())
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_S + DEVNET_S + 120)]


class Installed(NamedTuple):
    """An environment that holds the wheel, and a folder of a user's own files."""

    wheel: Path
    bin: Path
    folder: Path

    def run(self, *command: str, limit_s: float = 60) -> str:
        """Run a program of the environment in the user's folder and return what it printed."""
        return _run(str(self.bin / command[0]), *command[1:], cwd=self.folder, limit_s=limit_s)


def _run(*command: str, cwd: Path, limit_s: float) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=limit_s)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def _copy_source(folder: Path) -> Path:
    """Copy what git tracks or would track, symbolic links as links, into `folder`."""
    listed = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT, limit_s=60)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():  # it may be deleted and not committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


def _build_sdist(source: Path, out: Path) -> list[str]:
    """Build the source archive, unpack it into `out`, and return the files of its package."""
    out.mkdir()
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    _run(sys.executable, "-P", "-c", code, str(out), cwd=source, limit_s=BUILD_S)
    (archive,) = out.glob("inos-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(out, filter="data")
    (unpacked,) = (path for path in out.iterdir() if path.is_dir())
    return sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("inos/**/*") if path.is_file())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.fail("this test builds with the environment's own setuptools, which is older than 77: run `make setup`")
    return _copy_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from the sdist, and install it into an environment that has nothing else but its dependencies."""
    base = tmp_path_factory.mktemp("installed")
    _build_sdist(source, base / "sdist")
    unpacked = next(path for path in (base / "sdist").iterdir() if path.is_dir())
    stale = unpacked / "build" / f"lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}" / "chain"
    stale.mkdir(parents=True)
    (stale / "__init__.py").write_text(HOSTILE)
    pip = (sys.executable, "-P", "-m", "pip", "--disable-pip-version-check")
    _run(
        *pip,
        "wheel",
        "-q",
        "--no-build-isolation",
        "--no-deps",
        "-w",
        str(base),
        str(unpacked),
        cwd=base,
        limit_s=BUILD_S,
    )
    (wheel,) = base.glob("*.whl")
    venv.create(base / "venv", with_pip=False)
    python = base / "venv" / "bin" / "python"
    _run(*pip, "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel), cwd=base, limit_s=60)
    site = Path(
        _run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=base, limit_s=60).strip()
    )
    # The dependencies come from this environment; a path in a .pth file does not run the editable install's own .pth.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    folder = base / "mine"
    folder.mkdir()
    for name in BARE_NAMES:
        (folder / f"{name}.py").write_text(HOSTILE)
    (folder / "multiply.py").write_text(MATMUL)
    (folder / "post.py").write_text(CLIENT)
    return Installed(wheel, python.parent, folder)


def test_wheel_holds_the_package_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
        info = f"inos-{version('inos')}.dist-info"
        metadata = wheel.read(f"{info}/METADATA").decode()
    data = info.replace("dist-info", "data")
    assert {name.partition("/")[0] for name in names} == {"inos", info, data}
    pages = {f"{data}/data/share/doc/inos/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    for_operators = {"inos.service", "alerts.yml", "prometheus.yml", "grafana-dashboard.json"}
    shared = {f"{data}/data/share/inos/{name}" for name in for_operators}
    assert {name for name in names if name.startswith(data)} == pages | shared
    unit = (ROOT / "deploy" / "inos.service").read_text()
    (page,) = re.findall(r"^Documentation=file:///opt/inos/current/(\S+)$", unit, re.MULTILINE)
    assert (installed.bin.parent / page).is_file()
    tracked = _run("git", "ls-files", *sorted(BARE_NAMES), cwd=ROOT, limit_s=60).split()
    wanted = {f"inos/{name}" for name in tracked if name.endswith((".py", ".json", ".js", ".css", ".svg", ".html"))}
    assert wanted <= names
    assert "inos/py.typed" in names
    for extension in (
        "inos/work/backends/native/_kernels",
        "inos/primitives/native/_native",
        "inos/programs/native/_programs",
    ):
        assert len([name for name in names if re.fullmatch(rf"{extension}\..*\b(so|pyd)", name)]) == 1
    assert f"{info}/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in metadata


def test_sdist_of_a_copy_without_links_is_the_same(source: Path, tmp_path: Path) -> None:
    """A zip of the repository, and git on a system without symbolic links, store each link as a small file."""
    copy = tmp_path / "copy"
    shutil.copytree(source, copy, symlinks=True)
    for name in BARE_NAMES:
        link = copy / "inos" / name
        target = str(link.readlink())
        link.unlink()
        link.write_text(target)
    assert _build_sdist(copy, tmp_path / "a") == _build_sdist(source, tmp_path / "b")


def test_products_beside_the_users_own_files(installed: Installed) -> None:
    backend, place = installed.run("python", "multiply.py").split()
    assert backend.startswith("native-")
    assert Path(place).is_relative_to(installed.bin.parent)
    assert {"devnet", "testnet"} <= set(installed.run("inos", "genesis", "list").split())


def test_devnet_client_and_explorer_beside_the_users_own_files(installed: Installed, tmp_path: Path) -> None:
    (installed.folder / "inos.py").write_text(HOSTILE)  # this affects the nodes, which the devnet starts in this folder
    process = subprocess.Popen(
        [installed.bin / "inos", *DEVNET, "--data-dir", str(tmp_path / "net")],
        cwd=installed.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + DEVNET_S
        while len(found := sorted((tmp_path / "net").glob("*/node.json"))) < 3:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "the devnet does not start"
            time.sleep(0.1)  # there is no event to await: other processes write the files
        (installed.folder / "inos.py").unlink()  # next to a script, `import inos` rightly finds this file
        rpc = json.loads(found[0].read_text())["rpc"]
        pages = [path for path in (ROOT / "rpc" / "explorer").rglob("*.*") if path.is_file()]
        for page in pages:
            name = page.relative_to(ROOT / "rpc" / "explorer")
            with urllib.request.urlopen(f"{rpc}/explorer/{name}", timeout=60) as answer:
                assert answer.read() == page.read_bytes()
        assert len(pages) > 20
        installed.run("python", "post.py", rpc, limit_s=DEVNET_S)
        stdout, stderr = process.communicate(timeout=DEVNET_S)
    finally:
        process.terminate()
        process.wait(60)
    assert process.returncode == 0, stderr
    report = json.loads(stdout)
    assert report["jobs_settled"] >= 8
    assert report["tips_equal"]
    assert report["supply_conserved"]
