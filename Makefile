# make demo    the main job on real files: HDF5 -> memory -> HDF5, nothing lost; then a distributed pipeline under mpirun
# make test    all tests, with h5py as the peer in a throw-away venv
# make lint    formatting, clippy, documentation
# make bench   speed beside h5py, and of ranks beside caput's exchange and C programs, as ratios
# make test-stacks  the tests on other C libraries: parallel HDF5 2.2, MPICH, static HDF5; sets of features. Takes long; its last result is in docs/stacks.md
# make interop the heavy peers (spine; raygent where MEMH5_RAYGENT_PYTHON has it), in throw-away venvs; its last result is in docs/interop.md
#
# Builds: memory only (no C at all) in target/memory, HDF5 (serial) in target, MPI with parallel HDF5 in target/mpi.

SERIAL  := scripts/with-hdf5.sh serial
PARALLEL := scripts/with-hdf5.sh openmpi
FEATURES := --features contract,zarr
MPI     := $(FEATURES),mpi --target-dir target/mpi
RANKS   := --config "target.'cfg(unix)'.runner='scripts/mpirun.sh'"
PYTHON  := $(CURDIR)/target/venv/light/bin/python

.PHONY: demo test test-memory test-serial test-mpi test-stacks lint bench interop packages packages-mpi venv clean

demo: packages packages-mpi
	$(SERIAL) cargo build --bins
	$(PARALLEL) cargo build $(MPI) --bin memh5 --example distributed
	MEMH5_MPI_EXAMPLE=target/mpi/debug/examples/distributed $(SERIAL) scripts/demo.sh

test: packages venv test-memory test-serial test-mpi

test-memory:
	cargo test --no-default-features --features contract --target-dir target/memory --lib --tests

test-serial:
	MEMH5_PYTHON=$(PYTHON) $(SERIAL) cargo test $(FEATURES) --lib --bins --tests --examples
	$(SERIAL) cargo test $(FEATURES) --doc
	$(SERIAL) scripts/examples.sh $(FEATURES)

# The same suite on 1 to 4 ranks, once with elements through parallel HDF5 in any case, then what happens when ranks are lost.
test-mpi: packages-mpi
	$(PARALLEL) cargo test $(MPI) --no-run --test mpi --test mpi_faults
	for ranks in 1 2 3 4; do MEMH5_RANKS=$$ranks $(PARALLEL) cargo test $(MPI) --quiet $(RANKS) --test mpi || exit 1; done
	MEMH5_FILE_ACCESS=library MEMH5_RANKS=3 $(PARALLEL) cargo test $(MPI) --quiet $(RANKS) --test mpi
	$(PARALLEL) cargo test $(MPI) --quiet --test mpi_faults

test-stacks: packages packages-mpi venv
	for stack in features mpich hdf5-2.2 static; do scripts/stacks.sh $$stack || exit 1; done

lint: packages packages-mpi
	cargo fmt --check
	$(SERIAL) cargo clippy $(FEATURES) --all-targets -- -D warnings
	cargo clippy --no-default-features --target-dir target/memory -- -D warnings
	$(PARALLEL) cargo clippy $(MPI) --all-targets -- -D warnings
	cargo clippy --no-default-features --features mpi --target-dir target/mpi -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(SERIAL) cargo doc $(FEATURES) --no-deps
	RUSTDOCFLAGS="-D warnings" $(PARALLEL) cargo doc $(MPI) --no-deps

bench: packages packages-mpi venv
	MEMH5_PYTHON=$(PYTHON) $(SERIAL) benches/run.sh
	benches/redistribute.sh
	benches/collective.sh

interop: packages venv
	scripts/venv.sh spine
	MEMH5_PYTHON=$(PYTHON) MEMH5_SPINE_PYTHON=$(CURDIR)/target/venv/spine/bin/python $(SERIAL) cargo test $(FEATURES) --test spine_interop -- --include-ignored --nocapture
	MEMH5_PYTHON=$(PYTHON) $(SERIAL) cargo test $(FEATURES) --test saver raygent -- --nocapture

packages:
	scripts/packages.sh serial

packages-mpi:
	scripts/packages.sh mpi

venv:
	scripts/venv.sh light

clean:
	cargo clean
