# What the benches under mpirun share; read by `.`.

# More ranks than cores: a rank that waits gives its core away. The same for all programs that are compared.
export OMPI_MCA_mpi_yield_when_idle=1

# The median of the numbers behind a word: median WORD FILE
median() {
    sed -n "s/^$1 //p" "$2" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}
