/* The redistribution as one MPI_Alltoallw of subarray types, under mpirun. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS 9
#define DIMS 3

struct question {
    const char *name;
    int ndim, shape[DIMS], from, to;
};
static const struct question QUESTIONS[] = {
    {"redistribute 0->1", 2, {8192, 8192}, 0, 1},
    {"redistribute 1->0", 2, {8192, 8192}, 1, 0},
    {"redistribute 0->2", 3, {256, 512, 512}, 0, 2},
    {"redistribute 0->1 uneven", 2, {8191, 8193}, 0, 1},
    {"redistribute 0->2 uneven", 3, {257, 509, 513}, 0, 2},
    {"redistribute 0->2 short runs", 3, {65536, 64, 16}, 0, 2},
};

static int count(int n, int size, int rank) { return n / size + (rank < n % size); }
static int start(int n, int size, int rank) { return rank * (n / size) + (rank < n % size ? rank : n % size); }
static int by_value(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t q = 0; q < sizeof QUESTIONS / sizeof *QUESTIONS; q++) {
        const struct question *w = &QUESTIONS[q];
        int old[DIMS], new[DIMS], ones[16 * 64], zeros[16 * 64];
        size_t n_old = 1, n_new = 1;
        for (int k = 0; k < w->ndim; k++) {
            old[k] = k == w->from ? count(w->shape[k], size, rank) : w->shape[k];
            new[k] = k == w->to ? count(w->shape[k], size, rank) : w->shape[k];
            n_old *= old[k];
            n_new *= new[k];
        }
        MPI_Datatype *out = malloc(size * sizeof *out), *in = malloc(size * sizeof *in);
        for (int r = 0; r < size; r++) {
            int sub[DIMS], at[DIMS] = {0, 0, 0};
            memcpy(sub, old, sizeof sub);
            sub[w->to] = count(w->shape[w->to], size, r);
            at[w->to] = start(w->shape[w->to], size, r);
            MPI_Type_create_subarray(w->ndim, old, sub, at, MPI_ORDER_C, MPI_DOUBLE, &out[r]);
            MPI_Type_commit(&out[r]);
            int back[DIMS] = {0, 0, 0};
            memcpy(sub, new, sizeof sub);
            sub[w->from] = count(w->shape[w->from], size, r);
            back[w->from] = start(w->shape[w->from], size, r);
            MPI_Type_create_subarray(w->ndim, new, sub, back, MPI_ORDER_C, MPI_DOUBLE, &in[r]);
            MPI_Type_commit(&in[r]);
            ones[r] = 1;
            zeros[r] = 0;
        }
        double *from = malloc(n_old * sizeof *from), times[REPEATS];
        for (size_t i = 0; i < n_old; i++) from[i] = i;
        for (int k = 0; k < REPEATS; k++) {
            MPI_Barrier(MPI_COMM_WORLD);
            double begin = MPI_Wtime();
            double *to = malloc(n_new * sizeof *to);
            MPI_Alltoallw(from, ones, zeros, out, to, ones, zeros, in, MPI_COMM_WORLD);
            double mine = MPI_Wtime() - begin;
            MPI_Allreduce(&mine, &times[k], 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
            free(to);
        }
        qsort(times, REPEATS, sizeof *times, by_value);
        if (rank == 0) {
            printf("%s\t%.6f\tMPI_Alltoallw\n", w->name, times[0]);
            fflush(stdout);
        }
        for (int r = 0; r < size; r++) {
            MPI_Type_free(&out[r]);
            MPI_Type_free(&in[r]);
        }
        free(from), free(out), free(in);
    }
    MPI_Finalize();
    return 0;
}
