"""The questions of memory_tree.rs, answered by h5py's core driver and by a plain dict of numpy arrays.

One line per question: its name, the seconds (median), a note. Questions that end in _against_dict are answered by the dict.
"""

import random
import statistics
import time

import h5py
import numpy as np

N = 100_000


def measure(question, note, prepare, work, repeats=5):
    times = []
    for _ in range(repeats):
        state = prepare()
        start = time.perf_counter()
        result = work(state)
        times.append(time.perf_counter() - start)
        del result, state
    print(f"{question}\t{statistics.median(times):.6f}\t{note}", flush=True)


def memory_file(**options):
    return h5py.File("memory.h5", "w", driver="core", backing_store=False, libver="latest", **options)


NAMES = [f"dataset{i:06d}" for i in range(N)]
random.Random(1).shuffle(NAMES)
DATA = np.ones(8)


def create(f):
    for name in NAMES:
        f.create_dataset(name, data=DATA)


def look_up(f):
    for name in NAMES:
        f[name]


def set_attributes(f):
    for i, name in enumerate(NAMES):
        f.attrs[name] = i


def append(count):
    def work(f):
        log = f.create_dataset("log", shape=(0, 16), maxshape=(None, 16), dtype="f8", chunks=(1024, 16))
        row = np.ones(16)
        for i in range(count):
            log.resize(i + 1, axis=0)
            log[i] = row
        return None

    return work


def filled():
    f = memory_file()
    create(f)
    return f


# Each of these takes seconds: few repeats are enough for the ratio.
measure("create_100k_datasets", "h5py core driver", memory_file, create, 1)
full = filled()
measure("lookup_100k_datasets", "h5py core driver", lambda: full, look_up, 1)
table = {name: np.ones(8) for name in NAMES}
measure("lookup_100k_against_dict", "dict of numpy arrays", lambda: table, look_up, 15)
measure("lookup_100k_through_trait", "h5py core driver", lambda: full, look_up, 1)
measure("iterate_100k_names", "h5py core driver", lambda: full, lambda f: list(f.keys()), 1)
measure("iterate_100k_datasets", "h5py core driver", lambda: full, lambda f: sum(d.shape[0] for d in f.values()), 1)
measure("read_100k_datasets", "h5py core driver", lambda: full, lambda f: sum(f[name][...].size for name in NAMES), 1)


def delete(f):
    for name in NAMES:
        del f[name]


measure("delete_100k_datasets", "h5py core driver", filled, delete, 1)
full.close()
measure("set_100k_attributes", "h5py core driver", memory_file, set_attributes, 1)
attributed = memory_file()
set_attributes(attributed)
measure("get_100k_attributes", "h5py core driver", lambda: attributed, lambda f: sum(f.attrs[name] for name in NAMES), 1)
measure("iterate_100k_attributes", "h5py core driver", lambda: attributed, lambda f: len(list(f.attrs.items())), 1)
attributed.close()
measure("append_10k_under_snapshot", "h5py core driver, no snapshots", memory_file, append(10_000), 1)
measure("append_100k_under_snapshot", "h5py core driver, no snapshots", memory_file, append(100_000), 1)


def deep_copy(f):
    g = memory_file()
    f.copy(f["/"], g, "copy")
    return g


measure("deep_copy_100k_datasets", "h5py core driver", filled, deep_copy, 1)
