"""Fuzz all targets, or some, for a given time: `make fuzz`. It needs atheris (the extra `fuzz`).

Each target runs in its own process, starting from the corpus in the repository. With --keep, new inputs that reach new
code are merged into the corpus. A finding stops the run and prints the input's file and how to repeat it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.seeds import CORPUS

MAX_BYTES = 1 << 16
ONE_INPUT_S = 20
MEMORY_MB = 2048
ROOT = Path(__file__).parents[2]


def fuzz(name: str, arguments: list[str]) -> None:
    """In the child process: start libFuzzer, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=["inos"]):
        from fuzz.targets import TARGETS
    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


def run(name: str, seconds: float, findings: Path, *, keep: bool) -> bool:
    """Fuzz one target and return whether nothing was found."""
    with tempfile.TemporaryDirectory() as fresh:
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-timeout={ONE_INPUT_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={MAX_BYTES}",
            f"-artifact_prefix={findings / name}-",
            "-print_final_stats=1",
            "-verbosity=0",
        ]
        done = _start([*options, fresh, str(CORPUS / name)], name)
        counts = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        verdict = "ok" if done.returncode == 0 else "FOUND"
        print(f"{name:<12} {verdict}  {(counts or ['?'])[0]} inputs", flush=True)
        if done.returncode != 0:
            print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
            return False
        if keep:
            _start(["-merge=1", str(CORPUS / name), fresh], name)
    return True


def _start(arguments: list[str], name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.run", "--child", name, *arguments]
    return subprocess.run(command, cwd=ROOT / "tests", capture_output=True, text=True, check=False, env=_environment())


def _environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(ROOT / "tests")}


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="*", help="all without")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all targets together")
    parser.add_argument("--keep", action="store_true", help="merge what reaches new code into the corpus")
    parser.add_argument("--findings", type=Path, default=ROOT / "build" / "fuzz", help="where findings are written")
    given = parser.parse_args()
    from fuzz.targets import TARGETS

    names = given.target or sorted(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"there is no target {sorted(unknown)[0]!r}; there are: {', '.join(sorted(TARGETS))}")
    given.findings.mkdir(parents=True, exist_ok=True)
    results = [run(name, given.seconds / len(names), given.findings.resolve(), keep=given.keep) for name in names]
    if not all(results):
        print(f"findings are under {given.findings}; after mending, put each into tests/fuzz/corpus/<target>/")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
