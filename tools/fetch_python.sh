#!/bin/sh
# Makes the environment $1 with a Python that uv fetches, where no Python of this machine has wheels of all dependencies.
# It needs any Python 3.8 or newer with venv and pip, and no root.
set -eu
version=3.13
here=$(dirname "$0")
for python in python3 python3.16 python3.15 python3.14 python3.10; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
        echo "no Python 3.11 to 3.13 found; fetching Python $version" >&2
        folder=$(mktemp -d)
        trap 'rm -rf "$folder"' EXIT
        "$python" -m venv "$folder"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$here/uv.lock"
        "$folder/bin/uv" venv --quiet --seed --clear --python "$version" "$1"
        exit
    fi
done
echo "error: no Python found; install one (Debian: apt-get install python3-venv) or run: make PYTHON=/path/to/python3" >&2
exit 1
