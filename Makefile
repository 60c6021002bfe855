# Every target works as the first command after `git clone`: it makes .venv with the pinned versions of requirements/
# first, once. `make` alone prints the targets.

CONFIG ?= configs/demo.yaml
RUN ?= runs/demo
PYTHON ?= python3
ARGS ?=
ifndef FLAVOUR
FLAVOUR := $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
endif

VENV := .venv
BIN := $(VENV)/bin
# The stamps carry a hash of what they stand for, so that a changed list installs and a touched file does not.
stamp = $(VENV)/.stamp-$(1)-$(shell cat $(2) setup/install.sh 2>/dev/null | cksum | cut -d' ' -f1)
RUNTIME := $(call stamp,$(FLAVOUR),requirements/$(FLAVOUR)*.txt setup/_torchvision_ops.py)
DEV := $(call stamp,dev,requirements/dev.txt)
BROWSER := $(call stamp,browser,requirements/browser.txt)
RL := $(call stamp,rl,requirements/rl.txt)

# No reports to anyone, no warning after each fork; and modules keep their bytecode, or vLLM starts slowly every time.
export RAY_USAGE_STATS_ENABLED := 0
export VLLM_NO_USAGE_STATS := 1
export DO_NOT_TRACK := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
unexport PYTHONDONTWRITEBYTECODE
# The demo, the tests and the benchmarks have all they need.
ifeq ($(CONFIG),configs/demo.yaml)
dataset: export HF_HUB_OFFLINE := 1
endif
test test-more bench kills faults families gpu-check train evaluate frontier label-kinds reproduce rl demo-policy: export HF_HUB_OFFLINE := 1

.PHONY: help install dataset evaluate reproduce rl status frontier label-kinds train demo-policy test test-more lint format types bench kills families gpu-check lock clean
.DEFAULT_GOAL := help

help: ## these lines
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "settings: FLAVOUR=cpu|gpu (now: $(FLAVOUR)), PYTHON=python3.12 (3.11 or newer), ARGS='more arguments'"

install: $(RUNTIME) ## .venv with all that a run needs, nothing more

dataset: $(RUNTIME) ## build the dataset of CONFIG=configs/demo.yaml, or resume it; ARGS='key.sub=value'
	@$(BIN)/visualprm dataset $(CONFIG) $(ARGS)

status: $(RUNTIME) ## how far RUN=runs/demo is
	@$(BIN)/visualprm status $(RUN)

frontier: $(RUNTIME) ## what each rollout strategy would have cost RUN=runs/demo, and how good its labels and a PRM trained on them are
	@$(BIN)/python -m demo.checks.frontier $(RUN) $(ARGS)

label-kinds: export OMP_NUM_THREADS := 1
label-kinds: $(RUNTIME) ## what each kind of label keeps of RUN=runs/demo, judged by the demo's judge, and what a PRM learns from each
	@$(BIN)/visualprm judge $(RUN) --with configs/judge_demo.yaml engine.args.run=$(RUN)
	@$(BIN)/python -m demo.checks.label_kinds $(RUN) --judge oracle $(ARGS)

# One thread: a second one gains little on models so small, and waits for whatever else has the core.
train: export OMP_NUM_THREADS := 1
train: $(RUNTIME) ## train the demo's reward models, of steps and of outcomes, and compare them with the truth
	@$(BIN)/visualprm train configs/train_demo.yaml $(ARGS)
	@$(BIN)/visualprm train configs/train_demo.yaml name=demo_orm target.kind=outcome $(ARGS)
	@$(BIN)/python -m demo.checks.critics outputs/demo_prm outputs/demo_orm

# Beside the reward models just trained stand those that `make reproduce` made of more problems.
evaluate: KEPT := data/reproduced
evaluate: $(RUNTIME) ## what they are worth on other problems: wrong steps found, and Best-of-N beside votes and critics of more data
	@test -f outputs/demo_prm/prm_config.json -a -f outputs/demo_orm/prm_config.json \
	  || { echo "make evaluate: outputs/ holds no demo_prm or no demo_orm: run make train first" >&2; exit 2; }
	@$(BIN)/python -m demo.reproduction.kept value orm
	@$(BIN)/visualprm bon sample configs/demo.yaml name=demo-test sources.0.kwargs.split=test \
	  sources.0.kwargs.count=240 --n 16 --out data/demo-pool
	@$(BIN)/python -m demo.checks.process_bench data/demo-pool --out data/demo-bench
	@$(BIN)/visualprm evaluate outputs/demo_prm data/demo-bench --threshold tuned --out outputs/evaluate/prm-96 >/dev/null
	@$(BIN)/visualprm evaluate $(KEPT)/value data/demo-bench --threshold tuned --out outputs/evaluate/prm-1000 \
	  --against outputs/evaluate/prm-96/scores.jsonl >/dev/null
	@$(BIN)/visualprm evaluate demo/policy data/demo-bench --threshold tuned --out outputs/evaluate/base \
	  --like outputs/demo_prm --against outputs/evaluate/prm-96/scores.jsonl >/dev/null
	@$(BIN)/visualprm bon score data/demo-pool prm-96=outputs/demo_prm orm-96=outputs/demo_orm \
	  prm-1000=$(KEPT)/value orm-1000=$(KEPT)/orm base=demo/policy --like outputs/demo_prm
	@$(BIN)/visualprm bon report data/demo-pool >/dev/null
	@$(BIN)/python -m demo.checks.tables $(addprefix outputs/evaluate/,prm-96 prm-1000 base) --pool data/demo-pool --best prm-1000 \
	  --note "prm-96 and orm-96 were trained on the demo's 96 problems, which are few; prm-1000 and orm-1000 on 1,000 (make reproduce made them); base is the policy itself, asked in the same way."

reproduce: $(RUNTIME) ## the paper's claims tried on the demo, written to docs/reproduction.md (2 hours); resumes after a stop
	@OMP_NUM_THREADS=1 $(BIN)/python -m demo.reproduction $(ARGS)

# TRL warns of a vLLM that is newer than those it knows; it generates with transformers here.
rl: export PYTHONWARNINGS := ignore:TRL currently supports vLLM:UserWarning
rl: $(RUNTIME) $(RL) ## step scores as the reward of the policy, by TRL's GRPO, written to docs/reinforcement.md; resumes after a stop
	@OMP_NUM_THREADS=1 $(BIN)/python -m demo.rl $(ARGS)

demo-policy: $(RUNTIME) ## train the demo's policy again (hours on a CPU)
	$(BIN)/python -m demo.train_policy --out demo/policy $(ARGS)

# Two at a time: half of their time goes into waiting for processes to start. A run that selects no test fails.
test: $(RUNTIME) $(DEV) ## run the tests; ARGS='-k name'
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-more: $(RUNTIME) $(DEV) $(BROWSER) $(RL) ## run the tests that take long or are of rare use: kills, model families, faults; ARGS='-k name'
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "more and not trial" $(ARGS)

lint: $(RUNTIME) $(DEV) ## ruff
	@$(BIN)/ruff check .

format: $(RUNTIME) $(DEV) ## ruff, changing what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(RUNTIME) $(DEV) ## mypy
	@$(BIN)/mypy

bench: $(RUNTIME) ## measure speed, memory and size, into docs/benchmarks.md; ARGS='NAME key=value', --table, --repeat N
	@$(BIN)/python -m benchmarks $(ARGS)

kills: $(RUNTIME) ## kill a demo run ten times at random and compare its bytes with an undisturbed run's (10 minutes)
	@$(BIN)/python -m benchmarks kills --repeat 1 $(ARGS)

faults: $(RUNTIME) $(DEV) ## damage every file and fail every write, and see what the commands make of it; writes docs/faults.md (40 minutes)
	@$(BIN)/python -m tests.faults $(ARGS)

families: $(RUNTIME) $(DEV) ## try a policy of each family on the real vLLM; writes docs/families.md (4 minutes)
	@$(BIN)/python -m tests.families $(ARGS)

gpu-check: $(RUNTIME) ## what only a GPU can show, tried on the demo; on a CPU, what is possible there (12 minutes on busy cores); ARGS='training scorer'
	@$(BIN)/python -m demo.checks.gpu $(ARGS)

lock: $(RUNTIME) ## write requirements/*.txt from pyproject.toml; ARGS='--upgrade-package NAME'
	@$(BIN)/python setup/lock.py $(ARGS)

clean: ## remove caches and builds; runs/, data/ and .venv stay
	rm -rf build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(RUNTIME):
	@PYTHON="$(PYTHON)" setup/install.sh $(VENV) $(FLAVOUR)
	@touch $@

$(DEV): $(RUNTIME)
	@PYTHON="$(PYTHON)" setup/install.sh $(VENV) dev
	@touch $@

$(BROWSER): $(RUNTIME)
	@PYTHON="$(PYTHON)" setup/install.sh $(VENV) browser
	@touch $@

$(RL): $(RUNTIME)
	@PYTHON="$(PYTHON)" setup/install.sh $(VENV) rl
	@touch $@
