# Two commands for a newcomer: `make demo` and `make test`. Both install into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A moved checkout or another Python needs another environment.
READY := $(VENV)/.ready-$(shell printf '%s' "$(CURDIR) $(PYTHON)" | cksum | cut -d' ' -f1)
RAIL := .venv-rail/.ready

# Where this variable is set, every process would compile lsdb and Prefect anew: seconds each.
unexport PYTHONDONTWRITEBYTECODE
# What another software stack put on the path is not for this environment.
unexport PYTHONPATH PYTHONHOME
export UV_COMPILE_BYTECODE := 1

.PHONY: demo install test lint coverage prove rail bench-mock bench-rules bench-report bench-fetch bench-combine bench-combine-30m bench-match bench-service pictures survey-page lock clean
.DEFAULT_GOAL := demo

demo: $(READY)
	@$(BIN)/tsm mock demo
	@$(BIN)/tsm run demo/recipe.yaml --store demo/store

# For a service (docs/how-to/operate.md), whose user may write nothing here: compiled, too.
install: $(READY)
	@$(BIN)/python -m compileall -q pz_tsm_core tasks flows deployments

test: lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The suite again with every line counted; a report, not a gate.
coverage: $(READY)
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Faults and kills at every point, large oracles: longer than the suite.
prove: $(READY)
	$(BIN)/pytest -m "prove or not prove" --timeout 3600 --numprocesses 2 --dist loadfile

$(READY): requirements.lock infra/bootstrap.lock pyproject.toml
	@$(PYTHON) infra/check_python.py
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r infra/bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# RAIL in an environment of its own: an outside reader of our files, for one test.
rail: $(RAIL)

$(RAIL): infra/rail.lock | $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-rail
	$(BIN)/uv pip install --quiet --python .venv-rail/bin/python --require-hashes -r infra/rail.lock
	@touch $@

# One JSON object a line: ours, a rival or floor in the same run, their ratio.
bench-mock: $(READY)
	@$(BIN)/python bench/mock.py

bench-report: $(READY)
	@$(BIN)/python bench/report.py

# Flag rules over ten million rows on one core, and hostile rules against the clock.
bench-rules: $(READY)
	@$(BIN)/python bench/rules.py

# Five million rows from a service of this machine; root installs and starts it.
bench-fetch: $(READY)
	@$(BIN)/python bench/fetch.py

# Combining: the 13 catalogues, 6.6 million rows from files to HATS, grouping alone, dense fields.
bench-combine: $(READY)
	@$(BIN)/python bench/combine.py

# Thirty million rows from files to HATS; survey files and store take some ten gigabytes of /tmp.
bench-combine-30m: $(READY)
	@$(BIN)/python bench/combine.py surveys --rows 30000000

# Matching: against LSDB, DuckDB, astropy and STILTS (where installed), few redshifts and many,
# files to training set, and 25,000 partitions.
bench-match: $(READY)
	@$(BIN)/python bench/match.py

# What Prefect adds: a thousand cached stages, and the demo.
bench-service: $(READY)
	@$(BIN)/python bench/service.py

# The picture of the README, from a finished demo.
pictures: demo
	$(BIN)/python docs/make_pictures.py demo/output/training_set.parquet docs/images/training_set.png

# The page of all surveys, from their definitions.
survey-page: $(READY)
	$(BIN)/python docs/make_surveys.py

# New versions of everything but uv itself; commit what changes. No address of an index stands in the file.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --all-extras \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    infra/rail.in --output-file infra/rail.lock

# What was installed and cached; the demo, with a recipe you may have edited, stays.
clean:
	rm -rf $(VENV) .venv-rail .mypy_cache .ruff_cache .pytest_cache .hypothesis
