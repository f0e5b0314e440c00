#!/bin/sh
# Redistribution beside caput's exchange (mpi4py) and one MPI_Alltoallw, by turns, on 2 and 4 ranks; prints the best times and ratios.
# RANKS: "2 4"; TURNS: how many (3). Needs mpicc, mpirun and Python's venv.
set -eu
cd "$(dirname "$0")/.."
. benches/ranks.sh
scripts/packages.sh mpi
scripts/venv.sh mpi
python=target/venv/mpi/bin/python
mkdir -p target/peers
mpicc -O2 -o target/peers/alltoallw benches/peers/alltoallw.c
ours=$(built redistribute)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for ranks in ${RANKS:-2 4}; do
    turn=0
    while [ "$turn" -lt "${TURNS:-3}" ]; do
        export MEMH5_RANKS=$ranks
        scripts/mpirun.sh "$ours" >>"$out/ours"
        scripts/mpirun.sh "$python" benches/peers/redistribute.py >>"$out/caput"
        scripts/mpirun.sh target/peers/alltoallw >>"$out/alltoallw"
        turn=$((turn + 1))
    done
    echo "$ranks ranks: seconds of ours, of caput's exchange, of MPI_Alltoallw; how many times as fast ours is (wanted: 1.5, 0.8)"
    for who in ours caput alltoallw; do
        awk -F'\t' '{ if (!($1 in best) || $2 < best[$1]) best[$1] = $2 } END { for (q in best) print q "\t" best[q] }' "$out/$who" | sort >"$out/$who.best"
    done
    join -t "$(printf '\t')" "$out/ours.best" "$out/caput.best" | join -t "$(printf '\t')" - "$out/alltoallw.best" |
        awk -F'\t' '{ printf "%s\t%s\t%s\t%s\t%.2f\t%.2f\n", $1, $2, $3, $4, $3 / $2, $4 / $2 }'
    grep peak "$out/ours" | tail -1
    rm -f "$out"/*
done
