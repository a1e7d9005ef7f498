"""The installer takes what checksums and signature cover, keeps the release before, and removes only its own."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from support.documents import ROOT

SCRIPT: Final = ROOT / "deploy" / "install.sh"
STUB: Final = '#!/bin/sh\necho "$(basename "$0") $*" >> "$TOLD"\n'
ROOT_ID: Final = "#!/bin/sh\ncase $1 in -u) echo 0 ;; *) exit 1 ;; esac\n"
"""Stands for `id`: the user is root, and there is no user inos."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """Write a small wheel that is not ours but has our name, so that nothing is compiled here."""
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, text in files.items():
            packed.writestr(path, text)
    return wheel


def write_sums(folder: Path) -> None:
    names = sorted(path for path in folder.iterdir() if not path.name.startswith("SHA256SUMS"))
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in names)
    (folder / "SHA256SUMS").write_text("".join(lines))


def make_release(folder: Path, version: str) -> Path:
    folder.mkdir()
    (folder / "install.sh").write_bytes(SCRIPT.read_bytes())
    data = f"inos-{version}.data/data/share/inos/inos.service"
    scripts = {
        "inos/__init__.py": "",
        "inos/main.py": f"def main():\n    import dependency\n    print('inos {version}')\n",
        f"inos-{version}.dist-info/entry_points.txt": "[console_scripts]\ninos = inos.main:main\n",
        data: (ROOT / "deploy" / "inos.service").read_text(),
    }
    make_wheel(folder, "inos", version, scripts)
    (folder / f"inos-{version}.tar.gz").write_bytes(b"the source archive")
    wheelhouse = folder / "wheelhouse"
    wheelhouse.mkdir()
    wheel = make_wheel(wheelhouse, "dependency", "1.0", {"dependency.py": ""})
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"dependency==1.0 --hash=sha256:{digest}\n")
    wheelhouse.rename(folder.parent / f"{folder.name}-wheelhouse")
    write_sums(folder)
    return folder


def install(release: Path, prefix: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = ("--python", sys.executable, "--wheelhouse", str(release.parent / f"{release.name}-wheelhouse"))
    return subprocess.run(
        ["sh", str(release / "install.sh"), "--prefix", str(prefix), *own, *options],
        capture_output=True, text=True, timeout=200, env=os.environ | variables,
    )  # fmt: skip


def get_version(prefix: Path) -> str:
    return subprocess.run([prefix / "bin" / "inos"], capture_output=True, text=True, check=True).stdout.strip()


def test_upgrade_rollback_and_uninstall(tmp_path: Path) -> None:
    old, new, prefix = make_release(tmp_path / "old", "1.0"), make_release(tmp_path / "new", "1.1"), tmp_path / "prefix"
    dry = install(old, prefix, "--no-service", "--dry-run")
    assert (dry.returncode, prefix.exists()) == (0, False), dry.stderr
    first = install(old, prefix, "--no-service")
    assert first.returncode == 0, first.stderr
    assert get_version(prefix) == "inos 1.0"
    (made,) = (prefix / "releases").iterdir()
    before = made.stat().st_mtime_ns
    again = install(old, prefix, "--no-service")
    assert "installed already" in again.stdout
    assert made.stat().st_mtime_ns == before
    assert not (prefix / "previous").exists()
    assert install(new, prefix, "--no-service").returncode == 0
    assert get_version(prefix) == "inos 1.1"
    assert install(new, prefix, "--no-service", "--rollback").returncode == 0
    assert get_version(prefix) == "inos 1.0"
    (prefix / "bin" / "other").write_text("another program's")
    assert install(new, prefix, "--no-service", "--uninstall").returncode == 0
    assert sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*")) == ["bin", "bin/other"]


@pytest.mark.parametrize("changed", ["inos-1.0-py3-none-any.whl", "requirements.txt"])
def test_a_changed_file_is_not_installed(tmp_path: Path, changed: str) -> None:
    release, prefix = make_release(tmp_path / "release", "1.0"), tmp_path / "prefix"
    with (release / changed).open("ab") as file:
        file.write(b"# changed\n")
    done = install(release, prefix, "--no-service")
    assert done.returncode == 1
    assert "is not what SHA256SUMS says" in done.stderr
    assert not prefix.exists()


def test_what_the_checksums_do_not_list_is_not_installed(tmp_path: Path) -> None:
    release, prefix = make_release(tmp_path / "release", "1.0"), tmp_path / "prefix"
    sums = (release / "SHA256SUMS").read_text().splitlines(keepends=True)
    (release / "SHA256SUMS").write_text("".join(line for line in sums if ".whl" not in line))
    done = install(release, prefix, "--no-service")
    assert (done.returncode, "does not list inos-1.0" in done.stderr) == (1, True), done.stderr
    assert not (prefix / "current").exists()


def test_a_dependency_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    release, prefix = make_release(tmp_path / "release", "1.0"), tmp_path / "prefix"
    make_wheel(tmp_path / "release-wheelhouse", "dependency", "1.0", {"dependency.py": "print('another')\n"})
    done = install(release, prefix, "--no-service")
    assert done.returncode == 1
    assert "HASHES" in done.stderr
    assert not (prefix / "current").exists()


def sign(folder: Path, key: Path) -> None:
    (folder / "SHA256SUMS.sig").unlink(missing_ok=True)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", str(key), str(folder / "SHA256SUMS")]
    subprocess.run(command, check=True, capture_output=True)


def test_only_the_signers_release_is_installed(tmp_path: Path) -> None:
    release, prefix = make_release(tmp_path / "release", "1.0"), tmp_path / "prefix"
    for name in ("ours", "theirs"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"releases@inos {(tmp_path / 'ours.pub').read_text()}")
    options = ("--no-service", "--dry-run", "--signers", str(signers))
    assert "has no SHA256SUMS.sig" in install(release, prefix, *options).stderr
    sign(release, tmp_path / "theirs")
    assert "is by no key in" in install(release, prefix, *options).stderr
    sign(release, tmp_path / "ours")
    good = install(release, prefix, *options)
    assert (good.returncode, "signed by releases@inos" in good.stdout) == (0, True), good.stderr
    (release / "requirements.txt").write_text("")
    write_sums(release)
    assert "was changed after" in install(release, prefix, *options).stderr


def test_the_service_runs_what_was_installed_and_leaves_data_behind(tmp_path: Path) -> None:
    release, prefix, root = make_release(tmp_path / "release", "1.0"), tmp_path / "opt", tmp_path / "root"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("systemctl", STUB), ("useradd", STUB), ("id", ROOT_ID)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    for folder in ("etc/systemd/system", "etc/default", "usr/local/bin"):
        (root / folder).mkdir(parents=True)
    told = tmp_path / "told"
    variables = {"PATH": f"{tools}:{os.environ['PATH']}", "TOLD": str(told), "DESTDIR": str(root)}
    done = install(release, prefix, **variables)
    assert done.returncode == 0, done.stderr
    unit = (root / "etc/systemd/system/inos.service").read_text()
    assert f"\nExecStart={prefix}/current/bin/inos node\n" in unit
    assert "/opt/inos" not in unit.partition("[Unit]")[2]
    assert (root / "usr/local/bin/inos").resolve() == (prefix / "current/bin/inos").resolve()
    settings = root / "etc/default/inos"
    settings.write_text("INOS_NETWORK=devnet\n")
    assert install(release, prefix, **variables).returncode == 0
    assert settings.read_text() == "INOS_NETWORK=devnet\n"
    assert told.read_text().splitlines()[0].startswith("useradd --system --user-group --home-dir /var/lib/inos")
    assert told.read_text().splitlines()[1:4] == [
        "systemctl daemon-reload", "systemctl enable --quiet inos", "systemctl try-restart inos",
    ]  # fmt: skip
    gone = install(release, prefix, "--uninstall", **variables)
    assert gone.returncode == 0, gone.stderr
    left = sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())
    assert left == ["etc/default/inos"]
    assert not prefix.exists()


def test_shellcheck_finds_nothing() -> None:
    try:
        done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no shellcheck (Debian: shellcheck)")
    assert done.returncode == 0, done.stdout
