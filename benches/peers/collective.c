/* The peer of benches/collective.rs: one dataset of doubles, written and read by all ranks through collective calls of parallel HDF5,
 * as a careful C program does it.
 * usage: mpirun -n N collective FILE ROWS COLUMNS AXIS CHUNK_ROWS CHUNK_COLUMNS GZIP      (chunks 0: contiguous, gzip 0: none)
 * Rank 0 prints two lines: "save SECONDS" and "load SECONDS", each the time of the slowest rank from before the open to after the close, the best of
 * some repeats (of a new file, into a new array of huge pages, as numpy's are), and "peak KIB", the greatest resident set of a rank. */
#define _GNU_SOURCE
#include <hdf5.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define REPEATS 3

#define CHECK(call) ((call) < 0 ? (fprintf(stderr, "line %d failed\n", __LINE__), MPI_Abort(MPI_COMM_WORLD, 1), 0) : 0)

static hsize_t start_of(hsize_t n, int p, int r) { return (hsize_t)r * (n / p) + ((hsize_t)r < n % p ? (hsize_t)r : n % p); }

/* Smooth numbers with some noise in the low bits: gzip has something to do, and something to gain. The same as in benches/collective.rs. */
static double value(hsize_t i) {
    unsigned long long x = i * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(i / 64) + (double)((x >> 33) & 1023) / 1024.0;
}

static double slowest(double t) {
    double all;
    MPI_Allreduce(&t, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

static void *new_array(size_t bytes) {
    char *made = malloc(bytes + 1);
    size_t skip = -(size_t)made & 4095;
    if (bytes > (4 << 20)) madvise(made + skip, (bytes - skip) & ~(size_t)4095, MADV_HUGEPAGE);
    return made;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 8) MPI_Abort(MPI_COMM_WORLD, 2);
    const char *file = argv[1];
    hsize_t dims[2] = {strtoull(argv[2], 0, 10), strtoull(argv[3], 0, 10)};
    int axis = atoi(argv[4]), gzip = atoi(argv[7]);
    hsize_t chunk[2] = {strtoull(argv[5], 0, 10), strtoull(argv[6], 0, 10)};
    hsize_t offset[2] = {0, 0}, count[2] = {dims[0], dims[1]};
    offset[axis] = start_of(dims[axis], size, rank);
    count[axis] = start_of(dims[axis], size, rank + 1) - offset[axis];
    size_t n = count[0] * count[1];
    double *data = malloc(n * sizeof *data + 1);
    for (hsize_t i = 0; i < count[0]; i++)
        for (hsize_t j = 0; j < count[1]; j++) data[i * count[1] + j] = value((offset[0] + i) * dims[1] + offset[1] + j);

    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), dxpl = H5Pcreate(H5P_DATASET_XFER), dcpl = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_fapl_mpio(fapl, MPI_COMM_WORLD, MPI_INFO_NULL));
    CHECK(H5Pset_dxpl_mpio(dxpl, H5FD_MPIO_COLLECTIVE));
    CHECK(H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER));
    if (chunk[0]) CHECK(H5Pset_chunk(dcpl, 2, chunk));
    if (gzip) CHECK(H5Pset_deflate(dcpl, gzip));

    double save = 1e30, load = 1e30, t;
    for (int k = 0; k < REPEATS; k++) {
        if (rank == 0) unlink(file);
        MPI_Barrier(MPI_COMM_WORLD);
        t = MPI_Wtime();
        hid_t f = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, fapl), space = H5Screate_simple(2, dims, NULL), mem = H5Screate_simple(2, count, NULL);
        hid_t d = H5Dcreate2(f, "vis", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
        CHECK(d);
        if (n) CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, offset, NULL, count, NULL));
        else { CHECK(H5Sselect_none(space)); CHECK(H5Sselect_none(mem)); }
        CHECK(H5Dwrite(d, H5T_NATIVE_DOUBLE, mem, space, dxpl, data));
        CHECK(H5Dclose(d));
        CHECK(H5Fclose(f));
        t = slowest(MPI_Wtime() - t);
        if (t < save) save = t;

        MPI_Barrier(MPI_COMM_WORLD);
        t = MPI_Wtime();
        double *back = new_array(n * sizeof *back);
        f = H5Fopen(file, H5F_ACC_RDONLY, fapl);
        d = H5Dopen2(f, "vis", H5P_DEFAULT);
        CHECK(d);
        CHECK(H5Dread(d, H5T_NATIVE_DOUBLE, mem, space, dxpl, back));
        CHECK(H5Dclose(d));
        CHECK(H5Fclose(f));
        t = slowest(MPI_Wtime() - t);
        if (t < load) load = t;
        if (memcmp(data, back, n * sizeof *data)) {
            fprintf(stderr, "rank %d read something else than it wrote\n", rank);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
        free(back);
        H5Sclose(space);
        H5Sclose(mem);
    }
    if (rank == 0) printf("save %.4f\nload %.4f\n", save, load);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    long peak = usage.ru_maxrss, most;
    MPI_Allreduce(&peak, &most, 1, MPI_LONG, MPI_MAX, MPI_COMM_WORLD);
    if (rank == 0) printf("peak %ld\n", most);
    MPI_Finalize();
    return 0;
}
