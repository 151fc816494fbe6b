#!/usr/bin/env bash
# The API without any SDK: create, run, follow the events, and pick a stream up after a cut line.
set -euo pipefail
base=${BASE_URL:-http://127.0.0.1:8000/v1}
call() { curl -sS "$base$1" -H 'OpenAI-Beta: assistants=v2' -H 'Content-Type: application/json' "${@:2}"; }
id() { python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }

assistant=$(call /assistants -d '{"model": "gpt-4o"}' | id)
thread=$(call /threads -d '{"messages": [{"role": "user", "content": "什么是人工智能？"}]}' | id)
run=$(call "/threads/$thread/runs" -d "{\"assistant_id\": \"$assistant\"}" | id)
echo "--- all events of $run"
call "/threads/$thread/runs/$run/events" -N
echo "--- the same stream, picked up after event 8"
call "/threads/$thread/runs/$run/events" -N -H 'Last-Event-ID: 8'
