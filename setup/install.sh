#!/usr/bin/env bash
# setup/install.sh VENV cpu|gpu|dev|browser|jobs|rl: installs one list of requirements/ into the environment VENV, which it creates with
# $PYTHON (default python3). Called by the Makefile; safe to run again after an interruption.
#
# The lists are complete, so nothing is resolved (--no-deps). uv, itself from PyPI, downloads and unpacks in parallel:
# 20 seconds instead of 110. Where uv can't reach its index (it doesn't read pip's configuration), pip does it all.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 list=$2
start=$SECONDS

if ! "${PYTHON:=python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or newer is needed, and '$PYTHON' is not one; try: make PYTHON=python3.12 …" >&2
    exit 2
fi
flavour=$(cat "$venv/flavour" 2>/dev/null || true)
if [[ $list == [cg]pu && -n $flavour && $flavour != "$list" ]]; then
    echo "setup: $venv holds the '$flavour' flavour; it is made anew for '$list'"
    "$PYTHON" -m venv --clear "$venv"
elif [[ ! -x $venv/bin/pip ]]; then
    "$PYTHON" -m venv --clear "$venv"
fi
[[ $list != [cg]pu ]] || echo "$list" >"$venv/flavour"

log=$venv/install.log
export VIRTUAL_ENV=$PWD/$venv
if [[ -n ${PIP_INDEX_URL:-} ]]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}; fi
pip_install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" 2>>"$log"; }
fail() {
    tail -n 20 "$log" >&2
    echo "setup: $1; all of it is in $log" >&2
    exit 1
}
# packages UV-OR-PIP-ARGUMENT...: with uv, or else with pip
packages() {
    "$venv/bin/uv" --quiet pip install --no-deps "$@" 2>>"$log" ||
        { echo "setup: uv could not do it ($log); pip goes on" && pip_install --no-deps --no-compile "$@"; }
}

echo "setup: installing requirements/$list.txt into $venv (about a minute the first time)"
: >"$log"
[[ -x $venv/bin/uv ]] || pip_install uv==0.13.9 || true

torch=
if [[ $list == cpu ]]; then
    # CUDA builds that break their neighbours, if an earlier list or a hand put them here.
    "$venv/bin/uv" --quiet pip uninstall torchaudio torchcodec 2>>"$log" || true
    # With pip, which goes on without the index of the CPU builds where that can't be reached.
    pip_install --retries 3 --no-deps --no-compile -r requirements/cpu-torch.txt &
    torch=$!
fi
packages -r "requirements/$list.txt" || fail "requirements/$list.txt could not be installed"
[[ -z $torch ]] || wait "$torch" || fail "torch could not be installed (requirements/cpu-torch.txt)"

if [[ $list == [cg]pu ]]; then
    packages --no-build-isolation --editable . || fail "the project itself could not be installed"
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp setup/_torchvision_ops.py "$site/"
    echo 'import _torchvision_ops' >"$site/_torchvision_ops.pth"
    # Bytecode now and on both cores, not one module at a time while the first run waits, and not at every start where
    # PYTHONDONTWRITEBYTECODE is set. What is seldom or never imported is left out: it would take twice as long.
    seldom='/(tests?|testing|benchmarks|cli)/|/(transformers|vllm|vllm/model_executor)/models/'
    seldom+='|/ray/(rllib|serve|tune|train|llm|dashboard|autoscaler)/|/sympy/(physics|stats|tensor)/|/peft/tuners/'
    seldom+='|/(anthropic|fontTools|matplotlib|mcp|mpl_toolkits|numba|openai|pip|pygments|sentry_sdk|setuptools|torchgen)/'
    "$venv/bin/python" -m compileall -q -j 0 -x "$seldom" "$site" >>"$log" || true # some ship templates that are not Python
fi
echo "setup: done in $((SECONDS - start)) s"
