# make demo    the main job on real files: HDF5 -> memory -> HDF5, nothing lost
# make test    all tests, with h5py as the peer in a throw-away venv
# make lint    formatting, clippy, documentation
# make bench   speed beside h5py, as ratios
# make interop the heavy peers (spine), in throw-away venvs; its last result is in docs/interop.md
#
# Builds: memory only (no C at all) in target/memory, HDF5 (serial) in target.

SERIAL  := scripts/with-hdf5.sh serial
FEATURES := --features contract
PYTHON  := $(CURDIR)/target/venv/light/bin/python

.PHONY: demo test test-memory test-serial lint bench interop packages venv clean

demo: packages
	$(SERIAL) cargo build --bins
	$(SERIAL) scripts/demo.sh

test: packages venv test-memory test-serial

test-memory:
	cargo test --no-default-features --features contract --target-dir target/memory --lib --tests

test-serial:
	MEMH5_PYTHON=$(PYTHON) $(SERIAL) cargo test $(FEATURES) --lib --bins --tests --examples
	$(SERIAL) cargo test $(FEATURES) --doc
	$(SERIAL) scripts/examples.sh

lint: packages
	cargo fmt --check
	$(SERIAL) cargo clippy $(FEATURES) --all-targets -- -D warnings
	cargo clippy --no-default-features --target-dir target/memory -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(SERIAL) cargo doc $(FEATURES) --no-deps

bench: packages venv
	MEMH5_PYTHON=$(PYTHON) $(SERIAL) benches/run.sh

interop: packages venv
	scripts/venv.sh spine
	MEMH5_PYTHON=$(PYTHON) MEMH5_SPINE_PYTHON=$(CURDIR)/target/venv/spine/bin/python $(SERIAL) cargo test $(FEATURES) --test spine_interop -- --include-ignored --nocapture

packages:
	scripts/packages.sh serial

venv:
	scripts/venv.sh light

clean:
	cargo clean
