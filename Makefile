# GNU make 3.81 is enough. Everything that is fetched or made stays inside this folder.
BIN := .venv/bin
# for ruff, mypy and the rest: what would else be kept in the home directory
export KERAS_HOME := $(CURDIR)/.cache/keras
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
SECONDS_NOW = $$(date +%s)
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-package restock --no-header --no-annotate $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench chaos cluster-sim contracts dashboards forecast-table size-table docs lock sbom audit \
	clean venv

help:
	@echo "make demo     watch real orders turn into restock requests: 2 cores, about 4 minutes"
	@echo "make test     check, then all tests against real servers: about 22 minutes"
	@echo "make check    format, lint, types, architecture: about 1 minute"
	@echo "make format   format the code and mend what can be mended by itself"
	@echo "make bench    speed beside yardsticks and peers: about 20 minutes; ARGS=lines measures one figure"
	@echo "make contracts  write contracts/ anew from the code: schemas of the topics, AsyncAPI"
	@echo "make dashboards write dashboards and alert rules below deploy/ anew from deploy/observability"
	@echo "make forecast-table  every model on a year of real orders: about 30 minutes"
	@echo "make size-table  accuracy and seconds of recurrent nets from 1x16 to 2x128: about 15 minutes"
	@echo "make chaos    faults at random on real servers, then an audit; MINUTES=10 SEED=1"
	@echo "make cluster-sim  clusters on virtual time, faults from a seed: SEEDS=1000, or SEED=17 to live one again"
	@echo "make docs     the docs as a site, below var/docs"
	@echo "make lock     resolve the lock files anew (network); ARGS=--upgrade takes newer versions"
	@echo "make sbom     list what is in it, from the lock: var/sbom/*.json in CycloneDX form (network)"
	@echo "make audit    compare the lock with known weaknesses (network)"
	@echo "make clean    remove what runs left behind; .venv and .cache stay"
	@echo "Options go on by ARGS, for example: make demo ARGS=\"--exit --speed 2\""
	@echo "The first of them also makes .venv and fetches what is needed: 1 to 5 minutes more."

venv:
	@PYTHON="$(PYTHON)" sh tools/venv.sh

demo: venv
	@$(BIN)/restock demo $(ARGS)

check: venv
	@echo "check: format, lint, types and architecture; about 1 minute"
	@begun=$(SECONDS_NOW); failed=; \
	$(BIN)/ruff format --check --quiet . || failed="$$failed format (mended by: make format)"; \
	$(BIN)/ruff check --quiet . || failed="$$failed lint"; \
	report=$$($(BIN)/lint-imports) || { echo "$$report"; failed="$$failed architecture"; }; \
	$(BIN)/mypy || failed="$$failed types"; \
	echo "check: done in $$(($(SECONDS_NOW) - begun)) s$${failed:+; failed:$$failed}"; [ -z "$$failed" ]

test: check
	@echo "test: all tests, on Kafkas and Valkeys of their own; about 21 minutes on 2 cores"
	@begun=$(SECONDS_NOW); $(BIN)/python -m pytest $(or $(ARGS),-n 2 --dist loadfile); code=$$?; \
	echo "test: exit code $$code after $$(($(SECONDS_NOW) - begun)) s"; exit $$code

format: venv
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: venv
	@sh tools/peers.sh
	@echo "bench: every figure beside its yardstick, one after the other; bench/RESULTS.md shows them at the end"
	@$(BIN)/restock bench --results bench/RESULTS.md $(ARGS)

contracts: venv
	@$(BIN)/python -m stream_app.contracts.write contracts

dashboards: venv
	@$(BIN)/python -m deploy.observability.write

FORECAST_MODELS = moving_average,exponential_smoothing,seasonal_naive,seasonal_least_squares,tsb,lightgbm,lightgbm_plain,mlp,cnn,lstm_2x50,lstm,average
forecast-table: venv
	@echo "forecast-table: every model on a year of real orders; about 30 minutes on 2 cores"
	@mkdir -p var/forecasts
	@PYTHONPATH=. $(BIN)/python tools/online_retail_orders.py stream_app/demo/online_retail.parquet var/forecasts/orders.parquet
	@$(BIN)/model-store evaluate --orders var/forecasts/orders.parquet --clean-actuals --bucket 1d \
		--first-origin 2011-10-08 --origins-every 7 --leads 7,14 --stock-lead 7 --models $(FORECAST_MODELS) \
		--out var/forecasts/forecasts.parquet --json var/forecasts/figures.json $(ARGS)

SIZES = lstm_1x16,lstm_1x32,lstm_1x64,lstm_1x128,lstm_2x128
size-table: venv
	@echo "size-table: recurrent nets of five sizes, three epochs each; about 15 minutes on 2 cores"
	@mkdir -p var/forecasts
	@PYTHONPATH=. $(BIN)/python tools/online_retail_orders.py stream_app/demo/online_retail.parquet var/forecasts/orders.parquet
	@$(BIN)/model-store evaluate --orders var/forecasts/orders.parquet --clean-actuals --bucket 1d \
		--first-origin 2011-10-08 --origins-every 7 --leads 7,14 --epochs 3 --models $(SIZES) \
		--json var/forecasts/sizes.json $(ARGS)

chaos: venv
	@echo "chaos: $(or $(MINUTES),2) minutes of faults on a Kafka, a Valkey and workers of its own"
	@$(BIN)/python -m tests.chaos.run $(or $(MINUTES),2) $(SEED)

cluster-sim: venv
	@$(BIN)/python -m tests.cluster_sim $(if $(SEED),seed $(SEED),seeds $(or $(SEEDS),200))

docs: venv
	@$(BIN)/python -m sphinx -b html -W --keep-going -q -d var/docs/read docs var/docs/site
	@echo "docs: open var/docs/site/index.html"

lock: venv
	$(COMPILE) --output-file locks/worker.txt
	$(COMPILE) --extra train --output-file locks/train.txt
	$(COMPILE) --extra dev --output-file locks/dev.txt
	$(subst pyproject.toml,bench/peers/requirements.in,$(COMPILE)) --output-file locks/peers.txt
	$(BIN)/python -m stream_app.embedded.lock_kafka
	@if grep -n '://' locks/*.txt stream_app/embedded/kafka.lock.json; then \
		echo "an address in a lock file: remove it from the settings of pip or uv and run again"; exit 1; fi

# Tools of their own versions, fetched by uv beside ours: they need packages that would get in the way here.
SBOM = $(BIN)/uv tool run --from cyclonedx-bom==7.1.0 cyclonedx-py
AUDIT = $(BIN)/uv tool run --from pip-audit==2.9.0 pip-audit
LOCKS = worker train
OFFLINE = { echo "$@: the tool could not be fetched or asked; nothing was checked"; [ -z "$(CI)" ]; }

sbom: venv
	@mkdir -p var/sbom
	@for lock in $(LOCKS); do \
		$(SBOM) requirements --output-reproducible --pyproject pyproject.toml --output-file var/sbom/$$lock.json locks/$$lock.txt \
		|| $(OFFLINE) || exit 1; done

# AUDIT_IGNORE="--ignore-vuln GHSA-..." with a date and a reason in the commit
audit: venv
	@for lock in $(LOCKS); do \
		$(AUDIT) --requirement locks/$$lock.txt --disable-pip --require-hashes $(AUDIT_IGNORE) || $(OFFLINE) || exit 1; done

clean:
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info dist
	find replenishment server_access model_store stream_app tests -name __pycache__ -type d -prune -exec rm -rf {} +
