# Each target makes what it needs first, from nothing: `make demo` or `make test` is all that a fresh clone asks for.
#
#   make demo PYTHON=python3.13     with that Python (make clean first, where .venv was made with another)
#   make test JOBS=8                on that many processes
#   make bench PEERS=1              beside PyTorch, JAX and the others too (a large download)
#   make bench WORK="mlp lstm"      these workloads alone (python -m benchmarks --help names them)

JOBS ?= auto
MODEL ?= models/two_layer_net.py
OUT ?= out

PY := .venv/bin/python
TINYGRAPH := $(PY) -m tinygraph
# worksteal, since a few tests take most of the time; beyond eight processes starting them costs more than it gains.
PYTEST := $(PY) -m pytest -q -n $(JOBS) --maxprocesses 8 --dist worksteal
READY := .venv/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two targets at once would make .venv twice, and pytest's closing line belongs at the end.
.NOTPARALLEL:
.PHONY: help demo test test-long lint docs bench coverage clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY)-train ## gradient check, training and the drawn graph of the lecture's net, from nothing, into out/
	@mkdir -p $(OUT)
	@$(TINYGRAPH) check $(MODEL)
	@$(TINYGRAPH) train $(MODEL) --compile --out $(OUT)
	@$(TINYGRAPH) draw $(MODEL) -o $(OUT)/graph.svg
	@printf '\nIn %s:\n' '$(abspath $(OUT))'
	@find '$(abspath $(OUT))' -type f | sort | sed 's/^/  /'

test: lint docs ## every test, doctest and example of the docs, after lint and docs, from nothing
	@$(PYTEST)

test-long: $(READY)-dev ## the same with the tests that take minutes, and more random examples
	@$(PYTEST) -m "" --hypothesis-profile long --timeout 3600

lint: $(READY)-dev ## ruff and mypy --strict
	@$(PY) -m ruff check
	@$(PY) -m mypy

docs: $(READY)-dev ## the docs as HTML in docs/_build/html; a warning is an error
	@$(PY) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

bench: $(READY)-bench $(if $(PEERS),$(READY)-peers) ## measure, beside the peers that are installed, into out/
	@$(PY) -m benchmarks $(WORK) --out $(OUT)/benchmarks
	@$(PY) -m benchmarks.drawing
	@$(PY) -m pytest -q benchmarks/test_op_cost.py

coverage: $(READY)-dev ## the tests, and the lines of the package that none of them runs
	@$(PYTEST) --cov --cov-report term --cov-report html

clean: ## remove what make made, but for out/, which holds what was trained
	rm -rf .venv .bootstrap.log docs/_build build dist *.egg-info htmlcov .coverage .coverage.* .benchmarks \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY)-%: scripts/bootstrap.sh setup.cfg pyproject.toml
	@sh scripts/bootstrap.sh $*

# Make keeps the environment, which no file of its own depends on.
.PRECIOUS: $(READY)-%

# An environment that came along with a moved or copied checkout, or whose Python is gone, is not ready, whatever its
# stamps say.
ifneq ($(shell $(PY) -c '' 2>/dev/null && cat .venv/.home 2>/dev/null),$(CURDIR))
$(shell rm -f .venv/.ready-*)
endif
