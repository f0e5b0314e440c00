# What the benches under mpirun share; read by `.`.

# More ranks than cores: a rank that waits gives its core away. The same for all programs that are compared.
export OMPI_MCA_mpi_yield_when_idle=1

# Builds a bench against parallel HDF5, and says where it is: built NAME
built() {
    scripts/with-hdf5.sh openmpi cargo build --release --quiet --no-default-features --features mpi,hdf5 --target-dir target/mpi --bench "$1" --message-format=json |
        sed -n "s/.*\"executable\":\"\([^\"]*$1[^\"]*\)\".*/\1/p" | tail -1
}

# The best of the numbers behind a word: best WORD FILE
best() {
    sed -n "s/^$1 //p" "$2" | sort -n | head -1
}

# The greatest of them: most WORD FILE
most() {
    sed -n "s/^$1 //p" "$2" | sort -n | tail -1
}
