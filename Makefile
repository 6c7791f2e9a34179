# 潭环 tanhuan: the front doors. `make night` and `make test` are all a newcomer needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Each worker has its own installations, stand-in and ports; one a core. Tests of one module share their fixtures.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup night up test test-all lint format lock clean

help:  ## 列出命令 list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY)  ## 建立虚拟环境 make the virtual environment

# Byte-compiling once at set-up halves every import of every later process (docs/decisions/0003-speed.md).
$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed: install python3.11 and python3.11-venv, or name it with 'make PYTHON=/path/to/python3.11 night'"; exit 1; }
	@echo "建立虚拟环境 setting up $(VENV) (about a minute, once) …"
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 2 $(VENV)/lib include dags plugins >/dev/null || true
	@touch $@

night: $(READY)  ## 运行一整夜 run one whole night [DATE=YYYY-MM-DD]
	@$(BIN)/tanhuan night $(if $(DATE),--date $(DATE))

up: $(READY)  ## 启动 Airflow start Airflow and its UI on loopback until Ctrl-C [PORT=8080]
	@$(BIN)/tanhuan up $(if $(PORT),--port $(PORT))

test: $(READY)  ## 快速测试 linters and all fast tests (under 15 minutes on 2 cores)
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) -m "not slow"

test-all: $(READY)  ## 全部测试 every test
	@$(MAKE) --no-print-directory lint
	@$(PYTEST)

lint: $(READY)  ## 静态检查 ruff, mypy, sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests

format: $(READY)  ## 排版 format Python and SQL
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:  ## 重新解析依赖 resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra celery --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --output-file requirements.lock

clean:  ## 删除状态与环境 remove the virtual environment and all state (var/)
	rm -rf $(VENV) var
