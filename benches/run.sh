#!/bin/sh
# Runs the benches and their peers by turns and prints the medians side by side.
# MEMH5_PYTHON: a Python with h5py and numpy; REPEATS: turns of each (5); BENCHES: which ones (memory_tree deep_copy files stage savers zarr_stores).
# MEMH5_RAYGENT_PYTHON: a Python with raygent, for the savers; without it, they are compared with its calls.
# MEMH5_SPINE_PYTHON: a Python with spine, for the bench of stages; without it, that is compared with h5py alone.
set -eu
cd "$(dirname "$0")/.."
python=${MEMH5_PYTHON:-target/venv/light/bin/python}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for bench in ${BENCHES:-memory_tree deep_copy files stage savers zarr_stores}; do
    cargo build --release --quiet --features contract,zarr --bench "$bench"
    peer=$python
    [ "$bench" = stage ] && peer=${MEMH5_SPINE_PYTHON:-$python}
    [ "$bench" = savers ] && peer=${MEMH5_RAYGENT_PYTHON:-$python}
    turn=0
    while [ "$turn" -lt "${REPEATS:-5}" ]; do
        cargo bench --quiet --features contract,zarr --bench "$bench" >>"$out/$bench.ours"
        if [ -f "benches/peers/$bench.py" ]; then TURN=$turn "$peer" "benches/peers/$bench.py" >>"$out/$bench.peer"; fi
        turn=$((turn + 1))
    done
done
"$python" benches/table.py "$out"
