#!/bin/sh
# Runs the tests on other C libraries than those of `make test`: scripts/stacks.sh hdf5-2.2|mpich|static|features
#   hdf5-2.2  parallel HDF5 2.2 with Open MPI, compiled from the source that the bindings bring: the suites of the ranks, and the faults
#   mpich     MPICH with Debian's HDF5 for it: the same
#   static    the feature 'static-hdf5', the bundled HDF5 without MPI: the whole serial suite
#   features  that every sensible set of features compiles
# All is made from nothing in target/stacks, and nothing of the system is changed: cmake and ninja are from PyPI, MPICH's packages are only unpacked.
# MEMH5_PYTHON: a Python with h5py, for the tests that want one (target/venv/light has it after `scripts/venv.sh light`).
set -eu
cd "$(dirname "$0")/.."
root=$PWD
name=${1:-}
here=$root/target/stacks/$name
features=contract,zarr
if [ -z "${MEMH5_PYTHON:-}" ] && [ -x "$root/target/venv/light/bin/python" ]; then
    export MEMH5_PYTHON="$root/target/venv/light/bin/python"
fi

# cmake and ninja, in a throw-away environment.
tools() {
    if [ ! -x "$root/target/stacks/tools/bin/ninja" ]; then
        python3 -m venv "$root/target/stacks/tools"
        "$root/target/stacks/tools/bin/pip" install --quiet --disable-pip-version-check cmake==4.4.4 ninja==1.13.2
    fi
    PATH=$root/target/stacks/tools/bin:$PATH
    export PATH CMAKE_GENERATOR=Ninja
}

# The suites under mpirun, on 1 to 4 ranks, then the faults.
ranks() {
    build="--features $features,mpi --target-dir $here/build"
    # shellcheck disable=SC2086 # one word per option
    cargo test $build --no-run --test mpi --test mpi_faults
    for ranks in 1 2 3 4; do
        # shellcheck disable=SC2086
        MEMH5_RANKS=$ranks cargo test $build --quiet --config "target.'cfg(unix)'.runner='scripts/mpirun.sh'" --test mpi
    done
    # shellcheck disable=SC2086
    cargo test $build --quiet --test mpi_faults
}

case "$name" in
    hdf5-2.2)
        scripts/packages.sh mpi
        tools
        if [ ! -e "$here/hdf5/lib/libhdf5.so" ]; then
            source=$(cargo metadata --format-version 1 --features static-hdf5 | grep -o '"manifest_path":"[^"]*/hdf5-metno-src-[^"]*"' | cut -d'"' -f4)
            CC=mpicc cmake -S "$(dirname "$source")/ext/hdf5" -B "$here/cmake" -DCMAKE_INSTALL_PREFIX="$here/hdf5" -DCMAKE_INSTALL_LIBDIR=lib \
                -DCMAKE_BUILD_TYPE=Release -DHDF5_NO_PACKAGES=ON -DBUILD_SHARED_LIBS=ON -DBUILD_STATIC_LIBS=OFF -DBUILD_TESTING=OFF \
                -DHDF5_BUILD_TOOLS=OFF -DHDF5_BUILD_EXAMPLES=OFF -DHDF5_BUILD_FORTRAN=OFF -DHDF5_BUILD_JAVA=OFF -DHDF5_BUILD_CPP_LIB=OFF \
                -DHDF5_BUILD_UTILS=OFF -DHDF5_BUILD_HL_LIB=OFF -DHDF5_ENABLE_PARALLEL=ON -DHDF5_ENABLE_ZLIB_SUPPORT=ON \
                -DHDF5_ENABLE_SZIP_SUPPORT=OFF -DHDF5_ENABLE_NONSTANDARD_FEATURE_FLOAT16=OFF
            cmake --build "$here/cmake" --target install
        fi
        export HDF5_DIR="$here/hdf5" LD_LIBRARY_PATH="$here/hdf5/lib"
        ranks
        ;;
    mpich)
        # Not installed, for that could change what `mpicc` and `mpirun` mean.
        lib=$(gcc -print-multiarch)
        if [ ! -x "$here/usr/bin/mpirun.mpich" ]; then
            mkdir -p "$here/packages"
            (cd "$here/packages" && apt-get download libhdf5-mpich-dev libhdf5-mpich-103-1 libmpich-dev libmpich12 mpich libslurm38)
            for package in "$here"/packages/*.deb; do dpkg-deb -x "$package" "$here"; done
            sed -i "s,^prefix=/usr,prefix=$here/usr,; s,dir=/usr/,dir=$here/usr/," "$here/usr/bin/mpicc.mpich"
        fi
        export PATH="$here/usr/bin:$PATH" LD_LIBRARY_PATH="$here/usr/lib/$lib"
        export HDF5_DIR="$here/usr/lib/$lib/hdf5/mpich" MPICC=mpicc.mpich MEMH5_MPIRUN=mpirun.mpich
        # Its ranks poll, so that those without a core of their own are slow.
        export MPIR_CVAR_POLLS_BEFORE_YIELD=1 MEMH5_CASE_SECONDS=600 MEMH5_SECONDS=3600
        ranks
        ;;
    static)
        tools
        # It would be used instead.
        unset HDF5_DIR
        cargo test --features "$features,static-hdf5" --target-dir "$here/build" --lib --bins --tests --examples
        ;;
    features)
        for set in "" hdf5 zarr contract cli hdf5,zarr hdf5,cli zarr,cli hdf5,zarr,cli,contract; do
            scripts/with-hdf5.sh serial cargo check --quiet --all-targets --no-default-features --features "$set" --target-dir "$here/serial"
            echo "compiles: ${set:-no features}"
        done
        for set in mpi mpi,zarr mpi,hdf5 mpi,cli mpi,hdf5,cli mpi,hdf5,zarr,cli,contract; do
            scripts/with-hdf5.sh openmpi cargo check --quiet --all-targets --no-default-features --features "$set" --target-dir "$here/mpi"
            echo "compiles: $set"
        done
        ;;
    *)
        echo "usage: $0 hdf5-2.2|mpich|static|features" >&2
        exit 2
        ;;
esac
