#!/bin/sh
# Makes a throw-away Python environment of the peers in target/venv: scripts/venv.sh light|spine|mpi
#   light   h5py, hdf5plugin and zarr, for `make test` and `make bench`
#   spine   spine's own reader of staged caches, for `make interop` (about 570 MB)
#   mpi     mpi4py on the MPI of the system, for `benches/redistribute.sh`
set -eu
cd "$(dirname "$0")/.."
name=${1:-light}
dir=target/venv/$name
# Pinned: a test that fails tells of us, not of a new release.
case "$name" in
    light) want="numpy==2.4.6 h5py==3.16.0 hdf5plugin==7.1.0 zarr==3.1.6" ;;
    spine) want="spine==0.17.3 numpy==2.4.6 h5py==3.16.0" ;;
    mpi) want="numpy==2.4.6 mpi4py==4.1.2" ;;
    *) echo "usage: $0 light|spine|mpi" >&2; exit 2 ;;
esac
[ "$(cat "$dir/.complete" 2>/dev/null || true)" = "$want" ] && exit 0
rm -rf "$dir"
python3 -m venv "$dir"
# shellcheck disable=SC2086 # one word per package
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check $want
printf '%s\n' "$want" >"$dir/.complete"
