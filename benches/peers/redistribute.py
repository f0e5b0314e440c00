"""caput's redistribution (its documented protocol: padded buffers, one Sendrecv per step) with mpi4py and numpy, under mpirun."""

import time

import numpy as np
from mpi4py import MPI

REPEATS = 9
QUESTIONS = [
    ("redistribute 0->1", (8192, 8192), 0, 1),
    ("redistribute 1->0", (8192, 8192), 1, 0),
    ("redistribute 0->2", (256, 512, 512), 0, 2),
    ("redistribute 0->1 uneven", (8191, 8193), 0, 1),
    ("redistribute 0->2 uneven", (257, 509, 513), 0, 2),
    ("redistribute 0->2 short runs", (65536, 64, 16), 0, 2),
]
comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size


def split(n):
    base, more = divmod(n, size)
    counts = [base + (r < more) for r in range(size)]
    starts = [sum(counts[:r]) for r in range(size)]
    return counts, starts


def redistribute(local, shape, old, new):
    new_counts, new_starts = split(shape[new])
    old_counts, old_starts = split(shape[old])
    target_shape = list(shape)
    target_shape[new] = new_counts[rank]
    target = np.empty(target_shape, local.dtype)
    padded = list(shape)
    padded[old], padded[new] = -(-shape[old] // size), -(-shape[new] // size)
    send, receive = np.empty(padded, local.dtype), np.empty(padded, local.dtype)
    for step in range(size):
        to, source = (rank + step) % size, (rank - step) % size
        part, into = [slice(None)] * len(shape), [slice(None)] * len(shape)
        part[new] = slice(new_starts[to], new_starts[to] + new_counts[to])
        into[old], into[new] = slice(0, old_counts[rank]), slice(0, new_counts[to])
        send[tuple(into)] = local[tuple(part)]
        comm.Sendrecv(send, to, rank * size + to, receive, source, source * size + rank)
        part, into = [slice(None)] * len(shape), [slice(None)] * len(shape)
        into[old] = slice(old_starts[source], old_starts[source] + old_counts[source])
        part[old], part[new] = slice(0, old_counts[source]), slice(0, new_counts[rank])
        target[tuple(into)] = receive[tuple(part)]
    return target


for question, shape, old, new in QUESTIONS:
    block = list(shape)
    block[old] = split(shape[old])[0][rank]
    local = np.arange(np.prod(block), dtype=np.float64).reshape(block)
    times = []
    for _ in range(REPEATS):
        comm.Barrier()
        begin = time.perf_counter()
        target = redistribute(local, shape, old, new)
        times.append(comm.allreduce(time.perf_counter() - begin, MPI.MAX))
        del target
    if rank == 0:
        print(f"{question}\t{min(times):.6f}\tcaput's exchange, mpi4py {MPI.Get_version()}", flush=True)
