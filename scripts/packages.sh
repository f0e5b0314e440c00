#!/bin/sh
# Installs the system packages that a build needs, as root by apt; otherwise says which are missing.
# usage: scripts/packages.sh serial|mpi
set -eu
case "${1:-serial}" in
    serial) want="libhdf5-dev gcc g++ libc6-dev make python3-venv" ;;
    mpi) want="libhdf5-openmpi-dev libopenmpi-dev openmpi-bin libclang-dev gcc g++ libc6-dev make python3-venv" ;;
    *) echo "usage: $0 serial|mpi" >&2; exit 2 ;;
esac
# Whoever points to an HDF5 of their own needs no package.
if [ "${1:-serial}" = serial ] && [ -n "${HDF5_DIR:-}" ] && [ -d "$HDF5_DIR/include" ]; then exit 0; fi
if [ "${1:-serial}" = mpi ] && command -v mpicc >/dev/null 2>&1 && grep -qs "define H5_HAVE_PARALLEL 1" "${HDF5_DIR:-}"/include/H5pubconf*.h; then exit 0; fi
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is no Debian or Ubuntu: install the HDF5 C library (1.10 or later, with headers) and set HDF5_DIR to its prefix." >&2
    exit 0
fi
missing=""
for package in $want; do
    # A python3 with venv of its own serves as well as Debian's package.
    if [ "$package" = python3-venv ] && python3 -c "import venv, ensurepip" >/dev/null 2>&1; then continue; fi
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ]; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # one word per package
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "These packages are missing; install them as root: apt-get install$missing" >&2
    exit 1
fi
