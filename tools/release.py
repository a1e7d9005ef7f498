"""Builds what a release consists of: source archive, wheel for this machine, installer, requirements, and checksums.

    python tools/release.py [--out build/release] [--commit HEAD] [--no-arm]
    python tools/release.py --sums-only        write the checksums again, after wheels for other machines were added

Only what git has at the commit goes in. The same commit gives the same bytes with the same Python, compiler and
setuptools, in whatever folder it is built: times are the commit's, and paths of this machine are left out. On x86-64
the wheel for arm64 is built too if there is a cross compiler; the extensions use the stable ABI, whose headers are the
same there.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = "import sys; from setuptools import build_meta; build_meta.{}(sys.argv[1])"
SUMS: Final = "SHA256SUMS"
KINDS: Final = ("*.tar.gz", "*.whl", "install.sh", "requirements.txt")
"""What a release consists of, besides the checksums and their signature."""


def build_release(out: Path, commit: str, *, arm_compiler: str | None) -> list[Path]:
    """Build source archive, wheels and checksums into `out`, and return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    for old in _list_files(out):
        old.unlink()
    epoch = _git("log", "-1", "--format=%ct", commit).decode().strip()
    with tempfile.TemporaryDirectory(prefix="inos-release-") as name:
        source, made = Path(name) / "source", Path(name) / "made"
        source.mkdir()
        made.mkdir()
        archive = Path(name) / "commit.tar"
        archive.write_bytes(_git("archive", "--format=tar", commit))
        with tarfile.open(archive) as packed:
            packed.extractall(source, filter="data")
        _build("build_sdist", source, made, epoch)
        (sdist,) = made.glob("*.tar.gz")
        _normalise(sdist, int(epoch))
        unpacked = Path(name) / "unpacked"
        with tarfile.open(sdist) as packed:
            packed.extractall(unpacked, filter="data")
        (folder,) = unpacked.iterdir()
        _build("build_wheel", folder, made, epoch)
        if arm_compiler is not None:
            shutil.rmtree(folder / "build", ignore_errors=True)
            _build("build_wheel", folder, made, epoch, cross=describe_arm(arm_compiler))
        for each in (*made.iterdir(), source / "deploy" / "install.sh", source / "deploy" / "requirements.txt"):
            shutil.copyfile(each, out / each.name)
    return write_sums(out)


def write_sums(out: Path) -> list[Path]:
    """Write the checksums of a release's files beside them, and return the paths of all."""
    files, sums = _list_files(out), out / SUMS
    sums.write_text("".join(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in files))
    (out / f"{SUMS}.sig").unlink(missing_ok=True)  # it would be the signature of other checksums
    return [*files, sums]


def _list_files(out: Path) -> list[Path]:
    return sorted(each for kind in KINDS for each in out.glob(kind))


def describe_arm(compiler: str) -> dict[str, str]:
    """Return the variables with which setuptools on x86-64 compiles and names extensions for 64-bit Arm."""
    return {"CC": compiler, "LDSHARED": f"{compiler} -shared", "_PYTHON_HOST_PLATFORM": "linux-aarch64"}


def find_arm_compiler() -> str | None:
    """Return the cross compiler for 64-bit Arm; None on other machines than x86-64, or if there is none."""
    return shutil.which("aarch64-linux-gnu-gcc") if sysconfig.get_platform() == "linux-x86_64" else None


def _build(step: str, source: Path, out: Path, epoch: str, cross: Mapping[str, str] = MappingProxyType({})) -> None:
    flags = f"{os.environ.get('CFLAGS', '')} -g0 -ffile-prefix-map={source}=."
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch, "CFLAGS": flags.strip(), "PYTHONHASHSEED": "0", "TZ": "UTC"}
    environment |= cross
    command = [sys.executable, "-P", "-c", BUILD.format(step), str(out)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{step} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def _normalise(archive: Path, epoch: int) -> None:
    """Write a tar.gz again, sorted, with the commit's time and without owners."""
    with tarfile.open(archive) as packed:
        members = sorted(packed.getmembers(), key=lambda each: each.name)
        contents = [(each, packed.extractfile(each) if each.isfile() else None) for each in members]
        temporary = archive.with_suffix(".new")
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as written,
        ):
            for member, content in contents:
                member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
                member.mode, member.pax_headers = (0o755 if member.mode & 0o100 else 0o644), {}
                written.addfile(member, content)
    temporary.replace(archive)


def _git(*arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        sys.exit("git is missing: a release is made of a commit")
    return subprocess.run([git, *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--no-arm", action="store_true", help="build no wheel for arm64")
    parser.add_argument("--sums-only", action="store_true", help="write only SHA256SUMS again")
    options = parser.parse_args()
    if options.sums_only:
        files = write_sums(options.out)
    else:
        arm_compiler = None if options.no_arm else find_arm_compiler()
        files = build_release(options.out, options.commit, arm_compiler=arm_compiler)
        if arm_compiler is None:
            print("no wheel for arm64: it needs aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)", file=sys.stderr)
    for path in files:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
