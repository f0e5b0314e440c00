"""The questions of files.rs, answered by h5py. One line per question: its name, the seconds (median), a note."""

import os
import statistics
import tempfile
import time

import h5py
import numpy as np

REPEATS = 5
PATH = os.path.join(os.environ.get("MEMH5_BENCH_DIR", tempfile.gettempdir()), f"h5py-bench-{os.getpid()}.h5")


def measure(question, work, note="h5py", repeats=REPEATS):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
        del result
    print(f"{question}\t{statistics.median(times):.6f}\t{note}", flush=True)


def save_large():
    with h5py.File(PATH, "w") as f:
        f["d"] = LARGE


def load_large():
    with h5py.File(PATH) as f:
        return f["d"][()]


def save_many():
    with h5py.File(PATH, "w") as f:
        for i in range(10_000):
            f[f"dataset{i:05d}"] = SMALL


def load_many():
    with h5py.File(PATH) as f:
        return [f[name][()] for name in f]


LARGE = np.full(1 << 27, 1.5)
measure("save 1 GiB", save_large)
del LARGE
measure("load 1 GiB", load_large)
SMALL = np.full(12_800, 1.5)
measure("save 10^4 datasets", save_many)
measure("load 10^4 datasets", load_many)
with h5py.File(PATH, "w") as f:
    d = f.create_dataset("d", data=np.arange(10_000_000, dtype=float))
    i = np.arange(100_000)
    indices = np.unique(i * 99 + i * i % 89)
    measure("read 10^5 indices", lambda: d[indices], repeats=1)
    measure("read [::16]", lambda: d[::16])
os.remove(PATH)
