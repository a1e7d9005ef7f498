"""Fuzz all targets, or some, for a given time: `make fuzz`. It needs atheris (the extra `fuzz`).

Each target runs in its own process, starting from the corpus in the repository. With --keep, new inputs that reach new
code are merged into the corpus. A finding stops the run and prints the input's file and how to repeat it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

MAX_BYTES = 1 << 16
ONE_INPUT_S = 20
MEMORY_MB = 2048
ROOT = Path(__file__).parents[2]
CORPUS: Final = Path(__file__).parent / "corpus"
"""It is defined here, since this module must import nothing of the node before the fuzzer can instrument it."""
COUNTS: Final = "counts.json"
"""Inputs of each target in all runs with --until."""


def fuzz(name: str, arguments: list[str]) -> None:
    """In the child process: start libFuzzer, which ends the process."""
    import atheris

    with atheris.instrument_imports(include=["inos"]):
        from fuzz.targets import TARGETS
    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


def run(name: str, seconds: float, findings: Path, *, keep: bool, most: int = 0) -> int | None:
    """Fuzz one target and return the number of inputs, or None if something was found.

    Args:
        most: the most inputs, and the new ones stay under `findings`; 0 for any number, which do not.
    """
    with tempfile.TemporaryDirectory() as temporary:
        fresh = findings / "corpus" / name if most else Path(temporary)
        fresh.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-timeout={ONE_INPUT_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={MAX_BYTES}",
            f"-artifact_prefix={findings / name}-",
            "-print_final_stats=1",
            "-verbosity=0",
            *([f"-runs={most}"] if most else []),
        ]
        done = _start([*options, str(fresh), str(CORPUS / name)], name)
        counts = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        verdict = "ok" if done.returncode == 0 else "FOUND"
        print(f"{name:<12} {verdict}  {(counts or ['?'])[0]} inputs", flush=True)
        if done.returncode != 0:
            print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
            return None
        if keep:
            _start(["-merge=1", str(CORPUS / name), str(fresh)], name)
    return int(counts[0])


def read_counts(findings: Path) -> dict[str, int]:
    """Return how many inputs each target had in all runs with --until."""
    path = findings / COUNTS
    return dict(json.loads(path.read_text())) if path.exists() else {}


def add_count(findings: Path, name: str, inputs: int) -> None:
    """Add a target's inputs to those of earlier runs."""
    counts = read_counts(findings)
    counts[name] = counts.get(name, 0) + inputs
    fresh = findings / f"{COUNTS}.new"
    fresh.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")
    fresh.replace(findings / COUNTS)


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
    parser.add_argument("--until", type=int, default=0, help="inputs over all runs with this option")
    given = parser.parse_args()
    from fuzz.targets import TARGETS

    names = given.target or sorted(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"there is no target {sorted(unknown)[0]!r}; there are: {', '.join(sorted(TARGETS))}")
    findings = given.findings.resolve()
    findings.mkdir(parents=True, exist_ok=True)
    is_clean = True
    for name in names:
        most = max(0, given.until - sum(read_counts(findings).values()))
        if given.until and not most:
            break
        inputs = run(name, given.seconds / len(names), findings, keep=given.keep, most=most)
        is_clean = is_clean and inputs is not None
        if given.until and inputs is not None:
            add_count(findings, name, inputs)
    if given.until:
        print(f"{sum(read_counts(findings).values()):,} of {given.until:,} inputs: {read_counts(findings)}")
    if not is_clean:
        print(f"findings are under {given.findings}; after mending, put each into tests/fuzz/corpus/<target>/")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
