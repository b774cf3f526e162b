# Two commands on a fresh machine: `make demo` and `make test`; each does all set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow soak soak-train soak-infer lint setup clean

demo: setup
	$(BIN)/python tools/demo.py

# Two files of tests at a time; threads that wait leave the core to the other file's.
TESTS := GOMP_SPINCOUNT=1000 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist loadfile
test: lint
	$(TESTS) -m "not slow"

# Trainings of minutes, clusters, benchmarks and whatever else starts many processes; continuous integration runs both.
test-slow: setup
	$(TESTS) -m slow

soak: soak-train soak-infer

# Kills 30 trainings on AN4 at random moments, and sees that each ends as if nothing had happened; half an hour.
AN4 ?= $(if $(SEQPIPE_DATA),$(SEQPIPE_DATA),data)/an4
SOAK := training.epochs=2 training.checkpoint_minutes=0.05 training.evaluate_every=1 training.report=false \
	pipeline.encoder.layers=1 pipeline.encoder.hidden_size=64
soak-train: setup
	$(BIN)/python tools/soak.py speech/an4 --kills 30 --out runs/soak data.root=$(AN4) $(SOAK)

# Kills batch inference 50 times a format at random moments, and compares the outputs; half an hour.
RUN ?= runs/an4
soak-infer: setup
	$(BIN)/python tools/soak_infer.py $(RUN) $(AN4)/train.tsv $(AN4)/dev.tsv --times 2 --kills 50 --out runs/soak-infer \
		--formats jsonl,parquet,csv,srt,ctm

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.installed

# uv installs torch in a third of pip's time and shares the files between environments.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seqpipe needs Python 3.11 or later; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[demo,dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
