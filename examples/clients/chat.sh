#!/bin/sh
# Models, a chat answer and a streamed one with nothing but curl: sh chat.sh [MODEL]
set -eu

url="${JAN_HOST_URL:-http://127.0.0.1:1337}"

ask() {
    path="$1"
    shift
    curl --silent --show-error --fail-with-body --no-buffer "$url$path" \
        -H "Authorization: Bearer ${JAN_HOST_API_KEY:-none}" "$@"
    echo
}

model="${1:-$(ask /v1/models | grep -o '"id":"[^"]*"' | head -n 1 | cut -d '"' -f 4)}"
body="\"model\": \"$model\", \"max_tokens\": 16, \"messages\": [{\"role\": \"user\", \"content\": \"Once upon a time\"}]"

ask /v1/models
ask /v1/chat/completions -H 'Content-Type: application/json' -d "{$body, \"temperature\": 0}"
ask /v1/chat/completions -H 'Content-Type: application/json' -d "{$body, \"stream\": true}"
