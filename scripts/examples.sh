#!/bin/sh
# Runs every example; each checks itself. Arguments go to cargo, so that what was built for the tests serves here too.
set -eu
cd "$(dirname "$0")/.."
for example in examples/*.rs; do
    name=$(basename "$example" .rs)
    echo "example $name"
    cargo run --quiet "$@" --example "$name" >/dev/null
done
