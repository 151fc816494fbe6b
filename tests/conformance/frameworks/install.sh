#!/usr/bin/env bash
# Two environments with agent frameworks that speak the Assistants API; quick once they are there. 1.3 GB.
set -euo pipefail
cd "$(dirname "$0")/../../.."

for age in new old; do
  folder=.venv-frameworks-$age
  wanted=tests/conformance/frameworks/requirements-$age.txt
  if [ ! -e "$folder/made" ] || [ "$wanted" -nt "$folder/made" ]; then
    "${PYTHON:-python3}" -m venv "$folder"
    "$folder/bin/pip" install -q -r "$wanted"
    touch "$folder/made"
  fi
done
