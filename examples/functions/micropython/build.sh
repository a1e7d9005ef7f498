#!/usr/bin/env bash
# Compiles micropython.wasm from MicroPython's sources: build.sh FOLDER-OF-MICROPYTHON [FOLDER-FOR-THE-MODULE]
# It needs make, a C compiler, zig (pip install ziglang) and wasm-opt (npm install binaryen). Override ZIG and WASM_OPT.
set -euo pipefail
sources=$(cd "$(dirname "$0")" && pwd)
micropython=$(cd "$1" && pwd)
out=$(cd "${2:-$sources/..}" && pwd)
ZIG=${ZIG:-python3 -m ziglang} WASM_OPT=${WASM_OPT:-npx wasm-opt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$sources"/*.c "$sources"/*.h "$work"
printf 'MICROPYTHON_TOP = %s\nSRC_QSTR += stdio.c\ninclude %s/ports/embed/embed.mk\n' "$micropython" "$micropython" > "$work/build.mk"
SOURCE_DATE_EPOCH=0 make -C "$work" -f build.mk >/dev/null # writes micropython_embed/: the sources with the names that they use
(cd "$work" && $ZIG cc -target wasm32-wasi -Os -s -DNDEBUG -I. -Imicropython_embed -Imicropython_embed/port \
    -Wl,-z,stack-size=262144 -o plain.wasm main.c stdio.c micropython_embed/py/*.c)
# Optimising comes after asyncify: before it, functions that begin to unwind would be inlined into those that must not.
$WASM_OPT "$work/plain.wasm" --asyncify --pass-arg=asyncify-ignore-imports -Os --enable-bulk-memory --enable-sign-ext \
    --enable-nontrapping-float-to-int --enable-mutable-globals --enable-multivalue --enable-reference-types \
    -o "$out/micropython.wasm"
