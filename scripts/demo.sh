#!/bin/sh
# The main job, on files that other programs wrote: HDF5 -> memory -> HDF5, and nothing is lost.
set -eu
cd "$(dirname "$0")/.."
memh5=target/debug/memh5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
samples=${MEMH5_SAMPLES:-../shared/samples}
files="tests/data/caput/*.h5"
for more in "$samples"/spine/h5/*.h5; do
    [ -e "$more" ] && files="$files $more"
done
echo "== What is in a file that caput wrote"
$memh5 tree tests/data/caput/container.h5 -a
echo
echo "== Each file goes into memory and back into a new file; 'dump' prints one line per object, with a digest"
count=0
for file in $files; do
    copy=$work/$(basename "$file")
    $memh5 copy --via-memory "$file" "$copy"
    $memh5 dump --layout "$file" >"$work/before"
    $memh5 dump --layout "$copy" >"$work/after"
    cmp "$work/before" "$work/after"
    $memh5 diff "$file" "$copy"
    $memh5 verify "$copy" >/dev/null
    echo "$(basename "$file"): $(wc -l <"$work/before") objects, equal before and after"
    count=$((count + 1))
done
echo
echo "== The same files as Zarr stores: the name of the target says so"
for file in tests/data/caput/*.h5; do
    store=$work/$(basename "$file" .h5).zarr
    $memh5 copy "$file" "$store"
    $memh5 dump "$file" >"$work/before"
    $memh5 dump "$store" >"$work/after"
    cmp "$work/before" "$work/after"
done
$memh5 tree "$work/container.zarr"
echo
echo "== A program written once against a group, in memory and in HDF5"
cargo run --quiet --example tree
echo
echo "== A distributed pipeline: made on some ranks, redistributed, saved by all into one file, loaded on fewer"
if [ -x "${MEMH5_MPI_EXAMPLE:-}" ]; then
    MEMH5_RANKS=4 MEMH5_SECONDS=120 scripts/mpirun.sh "$MEMH5_MPI_EXAMPLE"
    echo "and a file that caput wrote on two ranks, copied by three"
    MEMH5_RANKS=3 MEMH5_SECONDS=120 scripts/mpirun.sh target/mpi/debug/memh5 copy tests/data/caput/dist_np2.h5 "$work/by_three.h5" --distributed ax0=0
    $memh5 dump tests/data/caput/dist_np2.h5 >"$work/before"
    $memh5 dump "$work/by_three.h5" >"$work/after"
    cmp "$work/before" "$work/after"
    echo "equal before and after"
else
    echo "(no MPI build here: the ranks are threads)"
    cargo run --quiet --example distributed
fi
echo
echo "demo: $count files went through memory with nothing lost"
