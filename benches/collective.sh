#!/bin/sh
# Collective save and load beside a C program that makes the same collective H5Dwrite and H5Dread, by turns, on 2 and 4 ranks; prints the best times and ratios.
# RANKS: "2 4"; TURNS: how many (3); MEMH5_BENCH_DIR: where the file lies (the directory for temporary files). Needs mpicc and parallel HDF5.
set -eu
cd "$(dirname "$0")/.."
. benches/ranks.sh
scripts/packages.sh mpi
mkdir -p target/peers
# shellcheck disable=SC2016 # the inner shell knows the directory
scripts/with-hdf5.sh openmpi sh -c 'mpicc -O2 -I"$HDF5_DIR/include" -o target/peers/collective benches/peers/collective.c -L"$HDF5_DIR/lib" -lhdf5'
ours=$(built collective)
dir=$(mktemp -d "${MEMH5_BENCH_DIR:-${TMPDIR:-/tmp}}/memh5-collective.XXXXXX")
trap 'rm -rf "$dir"' EXIT
# Name, then what both programs are asked: rows, columns, axis, chunks, gzip.
cases="contiguous, axis 0:8192 8192 0 0 0 0
contiguous, axis 1:8192 8192 1 0 0 0
chunks in one rank each, no filter:8192 8192 0 256 512 0
gzip 4, chunks in one rank each:4096 4096 0 256 512 4
gzip 4, chunks across ranks:4096 4096 0 300 512 4
gzip 4, every chunk on all ranks:4096 4096 1 64 4096 4"
for ranks in ${RANKS:-2 4}; do
    export MEMH5_RANKS=$ranks
    echo "$ranks ranks: seconds of ours, of the C program; how many times as fast ours is; the most MiB of a rank, of both"
    echo "$cases" | while IFS=: read -r name what; do
        turn=0
        : >"$dir/ours.txt"
        : >"$dir/peer.txt"
        while [ "$turn" -lt "${TURNS:-3}" ]; do
            # shellcheck disable=SC2086 # one word per number
            scripts/mpirun.sh "$ours" "$dir/ours.h5" $what >>"$dir/ours.txt"
            # shellcheck disable=SC2086
            scripts/mpirun.sh target/peers/collective "$dir/peer.h5" $what >>"$dir/peer.txt"
            rm -f "$dir"/*.h5
            turn=$((turn + 1))
        done
        for kind in save load; do
            a=$(best "$kind" "$dir/ours.txt")
            b=$(best "$kind" "$dir/peer.txt")
            awk -v name="$kind, $name" -v a="$a" -v b="$b" -v p="$(most peak "$dir/ours.txt")" -v q="$(most peak "$dir/peer.txt")" \
                'BEGIN { printf "%s\t%.3f\t%.3f\t%.2f\t%d\t%d\n", name, a, b, b / a, p / 1024, q / 1024 }'
        done
    done
done
