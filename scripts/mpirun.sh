#!/bin/sh
# Runs a program as MPI ranks, for a limited time: MEMH5_RANKS=4 scripts/mpirun.sh PROGRAM ARGUMENT..
#   MEMH5_RANKS    how many ranks (2)
#   MEMH5_MPIRUN   the program that starts them (mpirun)
#   MEMH5_SECONDS  after so many seconds it is ended (300)
# More ranks than cores are allowed, and so is root, as in a container.
set -eu
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
# The same for Open MPI 5. MPICH needs nothing.
export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
exec timeout --kill-after=5 "${MEMH5_SECONDS:-300}" "${MEMH5_MPIRUN:-mpirun}" -n "${MEMH5_RANKS:-2}" "$@" </dev/null
