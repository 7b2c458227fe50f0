#!/usr/bin/env bash
# What `make release` does: build wheel and source archive, and try both where the sources are not. Takes some minutes,
# and wants a package index; no part of what a change must pass. LOWEST=yes: with the lowest version that pyproject.toml
# allows of every dependency but torch, whose build is the Makefile's.
set -euo pipefail
root=$PWD work=$PWD/build/release
rm -rf "$work" && mkdir -p "$work/elsewhere"
"$PYTHON" -m build --outdir "$work/dist" "$root" >"$work/build.txt" 2>&1 || { tail "$work/build.txt"; exit 1; }
ls -s --block-size=KiB "$work"/dist/*

echo "what git has and the source archive has not (.gitignore alone is meant):"
tar tzf "$work"/dist/*.tar.gz | cut -d/ -f2- | sort >"$work/archive.txt"
git ls-files | sort | comm -23 - "$work/archive.txt"

"$PYTHON" - >"$work/lowest.txt" <<'PY'
import re, tomllib
page = tomllib.load(open("pyproject.toml", "rb"))["project"]
named = [*page["dependencies"], *page["optional-dependencies"]["test"], *page["optional-dependencies"]["notebook"]]
lowest = {found[1]: found[2] for each in named if (found := re.match(r"([\w-]+)>=([\d.]+)", each))}
print(*(f"{name}=={version}" for name, version in lowest.items() if name != "torch"), sep="\n")
PY
[ "${LOWEST:-}" = yes ] || : >"$work/lowest.txt"
"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "$TORCH"
"$work/venv/bin/pip" install --quiet --constraint "$work/lowest.txt" "$(echo "$work"/dist/*.whl)[test,notebook]" ruff

cd "$work/elsewhere"
"$work/venv/bin/neuroep" demo
tar xzf "$work"/dist/*.tar.gz
cd neuroep-*
"$work/venv/bin/ruff" check --no-respect-gitignore .
"$work/venv/bin/python" -m pytest -q tests/neuroep/test_package.py tests/neuroep/test_cli.py tests/neuroep/runs/test_config.py \
    tests/hw_models/test_presets.py tests/hw_models/laws tests/neuroep/engines/test_parity.py tests/neuroep/data
