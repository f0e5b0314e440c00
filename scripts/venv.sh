#!/bin/sh
# Makes the throw-away Python environment of the peers: scripts/venv.sh light
set -eu
cd "$(dirname "$0")/.."
name=${1:-light}
dir=target/venv/$name
case "$name" in
    light) want="numpy h5py hdf5plugin zarr" ;;
    *) echo "usage: $0 light" >&2; exit 2 ;;
esac
[ -x "$dir/bin/python" ] && [ -e "$dir/.complete" ] && exit 0
rm -rf "$dir"
python3 -m venv "$dir"
# shellcheck disable=SC2086
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check $want
touch "$dir/.complete"
