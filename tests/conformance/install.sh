#!/usr/bin/env bash
# The other official SDKs that the conformance tests drive; quick once they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! .venv-sdk1/bin/python -c 'import openai; assert openai.__version__ == "1.109.1"' 2>/dev/null; then
  "${PYTHON:-python3}" -m venv .venv-sdk1
  .venv-sdk1/bin/pip install -q openai==1.109.1
fi

if ! command -v npm >/dev/null; then
  echo "npm is not installed: the tests of the Node SDKs will be skipped" >&2
  exit 0
fi
for folder in tests/conformance/node/v4 tests/conformance/node/v7 tests/conformance/node/types tests/browser/axe; do
  if [ ! -e "$folder/node_modules/.package-lock.json" ] || [ "$folder/package.json" -nt "$folder/node_modules" ]; then
    (cd "$folder" && npm install --no-audit --no-fund --no-package-lock --silent && touch node_modules)
  fi
done
