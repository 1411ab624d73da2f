# Two commands do all the set-up: `make run` and `make test`.

VENV := .venv
PYTHON := $(VENV)/bin/python
BOOTSTRAP_PYTHON ?= python3
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

.DEFAULT_GOAL := help
.PHONY: help run ui test test-spark lint format bench own-time engines methods guards chaos mutants ledger env sample-mssql mssql-report screenshots constraints clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

run: $(VENV)/installed ## Run the whole DAG on the sample store (AS_OF=YYYY-MM-DD, PARAMS='{"k": 6}')
	@AS_OF='$(AS_OF)' PARAMS='$(PARAMS)' $(PYTHON) -m quickstart.make_run

ui: $(VENV)/installed ## Airflow with its scheduler and web page, on the same store
	@$(PYTHON) -m quickstart.make_ui

# Most tests wait, for processes of Airflow's, so three at once are not too many for two cores. In the order of the
# files: those that wait longest are in tests/dags, and would otherwise come last, alone.
test: $(VENV)/installed ## Run the tests
	@$(PYTHON) -m pytest -m "not spark" $(if $(TEST_MSSQL_CONN),,--numprocesses 3 --dist loadfile --no-loadscope-reorder)

test-spark: $(VENV)/spark/installed ## Run the tests of the engine Spark on a cluster of processes (needs Java 17)
	@$(PYTHON) -m pytest -m spark

lint: $(VENV)/installed ## Check format, lint, types, SQL, who imports whom, and the YAML's schemas
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/sqlfluff lint include/sql
	$(VENV)/bin/lint-imports
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml

format: $(VENV)/installed ## Format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/installed ## Compare the clustering with the tutorial's and scikit-learn's
	@$(PYTHON) -m benchmarks.clustering

own-time: $(VENV)/installed ## Time each step, with its memory and files (ARGS='--copies 27': a million customers)
	@$(PYTHON) -m benchmarks.own_time $(ARGS)

engines: $(VENV)/spark/installed ## Compare DuckDB with Spark on one worker and on two (ARGS='1000000 10000000')
	@$(PYTHON) -m benchmarks.engines $(ARGS)

methods: $(VENV)/installed ## Compare methods that say how many groups there are
	@$(PYTHON) -m benchmarks.number_of_groups

guards: $(VENV)/installed ## Run healthy and corrupted nights and see which the guards stop
	@$(PYTHON) -m benchmarks.guards

chaos: $(VENV)/installed ## Kill tasks at random moments in a real Airflow, and see what is left (ARGS='--kills 100')
	@$(PYTHON) -m benchmarks.chaos $(ARGS)

mutants: $(VENV)/installed ## Make 200 small mistakes and see which the tests notice (ARGS='--seed 1')
	@$(VENV)/bin/uv pip install --quiet --python $(PYTHON) -r requirements-mutants.txt -c constraints.txt
	@$(PYTHON) -m benchmarks.mutants $(ARGS)

ledger: $(VENV)/installed ## What was mailed (ARGS=sent, doubt, all, "clear '<Message-ID>' --arrived")
	@$(PYTHON) -m quickstart.make_ledger $(ARGS)

env: ## Write .env, the passwords of docker-compose.yaml
	@$(BOOTSTRAP_PYTHON) -m quickstart.compose_env

sample-mssql: $(VENV)/installed ## Load the sample store into the SQL Server of AIRFLOW_CONN_WAREHOUSE
	@$(PYTHON) -m quickstart.load_sample

mssql-report: $(VENV)/installed ## Write docs/sql-server-tested.md anew, on the SQL Server of TEST_MSSQL_CONN
	@$(PYTHON) -m pytest -m mssql -p tests.mssql_report

screenshots: $(VENV)/installed ## Take the README's pictures of the page anew (needs Chromium)
	@$(PYTHON) -m tests.page.screenshots

constraints: $(VENV)/installed ## Pin all packages anew in constraints.txt
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	  --no-annotate --custom-compile-command 'make constraints' \
	  --output-file constraints.txt requirements-mutants.txt requirements-buckets.txt requirements-spark.txt

$(VENV)/installed: requirements.txt requirements-dev.txt constraints.txt
	@$(BOOTSTRAP_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with BOOTSTRAP_PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (a minute or two, once) ..."
	@$(BOOTSTRAP_PYTHON) -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
	  -r requirements-dev.txt -c constraints.txt
	@touch $@

# The cluster, which is only to be run, apart from the client, which is to be imported.
$(VENV)/spark/installed: $(VENV)/installed requirements-spark.txt
	@java -version 2> /dev/null || { echo "Spark needs Java 17: Debian's openjdk-17-jre-headless."; exit 1; }
	@$(VENV)/bin/uv pip install --quiet --python $(PYTHON) -r requirements-spark.txt -c constraints.txt
	@$(VENV)/bin/uv pip install --quiet --python $(PYTHON) --no-deps --target $(VENV)/spark \
	  pyspark==$$(sed -n 's/^pyspark-client==//p' constraints.txt)
	@touch $@

clean: ## Remove what the quickstart created, the virtual environment apart
	rm -rf var
