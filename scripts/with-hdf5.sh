#!/bin/sh
# Runs a command with HDF5_DIR set to the wanted build of the library, unless it is set already.
# usage: scripts/with-hdf5.sh serial|openmpi|mpich COMMAND..
# (With several HDF5 packages installed and HDF5_DIR unset, pkg-config may choose the MPI build.)
set -eu
flavour=$1
shift
# A serial library that HDF5_DIR names is no good for a parallel build.
if [ "$flavour" != serial ] && [ -n "${HDF5_DIR:-}" ] && ! grep -qs "define H5_HAVE_PARALLEL 1" "$HDF5_DIR"/include/H5pubconf*.h; then
    unset HDF5_DIR
fi
if [ -z "${HDF5_DIR:-}" ] && command -v dpkg >/dev/null 2>&1; then
    case "$flavour" in
        serial) package=libhdf5-dev ;;
        *) package="libhdf5-$flavour-dev" ;;
    esac
    # The package has several directories of that name; the wanted one holds both include and lib.
    for dir in $(dpkg -L "$package" 2>/dev/null | grep "/hdf5/$flavour\$" || true); do
        if [ -e "$dir/include" ] && [ -e "$dir/lib" ]; then
            HDF5_DIR=$dir
            export HDF5_DIR
        fi
    done
fi
# Where both are installed, `mpicc` and `mpirun` are those of Open MPI.
if [ "$flavour" = mpich ]; then
    export MPICC="${MPICC:-mpicc.mpich}" MEMH5_MPIRUN="${MEMH5_MPIRUN:-mpirun.mpich}"
fi
exec "$@"
