#!/usr/bin/env bash
# Checks a running deployment from outside, end to end:
#
#   deploy/test-deployment.sh [API_URL [WEB_URL]]      http://localhost:8000 http://localhost:3000
#
# API_KEY: a key, where the service asks for one. VIDEO: the clip to upload. SKIP_WEB=1: no page.
# VIDEO_URL: a clip's address that the service can reach; left out, the check of asking about an
# address is that a private one is refused. Exit code 0 only if every check passed.
set -uo pipefail
cd "$(dirname "$0")/.."
api="${1:-http://localhost:8000}"
web="${2:-http://localhost:3000}"
video="${VIDEO:-models/demo/samples/passing.mp4}"
origin="${ORIGIN:-http://localhost:3000}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

auth=()
if [ -n "${API_KEY:-}" ]; then auth=(-H "Authorization: Bearer $API_KEY"); fi

# request STATUS CURL_ARGS...: the body is left in $scratch/body, the headers in $scratch/headers.
request() {
  local want="$1" got
  shift
  got="$(curl -sS -m 300 -o "$scratch/body" -D "$scratch/headers" -w '%{http_code}' \
    "${auth[@]}" "$@" 2>"$scratch/error")" || { reason="$(cat "$scratch/error")"; return 1; }
  if [ "$got" != "$want" ]; then
    reason="status $got instead of $want: $(head -c 200 "$scratch/body")"
    return 1
  fi
}

body_has() {
  grep -q -- "$1" "$scratch/body" && return
  reason="no '$1' in: $(head -c 200 "$scratch/body")"
  return 1
}

header_has() {
  grep -qi -- "$1" "$scratch/headers" && return
  reason="no header '$1'"
  return 1
}

check() { # NAME FUNCTION
  local started reason=""
  started="$(date +%s%N)"
  if "$2"; then
    passed=$((passed + 1))
    printf 'ok    %-44s %6d ms\n' "$1" $((($(date +%s%N) - started) / 1000000))
  else
    failed=$((failed + 1))
    printf 'FAIL  %-44s %s\n' "$1" "$reason"
  fi
}

health() { request 200 "$api/v1/health" && body_has '"status":"healthy"'; }
ready() { request 200 "$api/v1/ready"; }
detailed() {
  request 200 "$api/v1/health/detailed" && body_has '"loaded":true' && body_has '"queue"'
}
card() { request 200 "$api/" -H 'Accept: application/json' && body_has '"service"'; }
docs() {
  request 200 "$api/docs" && request 200 "$api/openapi.json" && body_has '"openapi"'
}
models() { request 200 "$api/v1/models" && body_has '"object":"list"'; }
metrics() { request 200 "$api/metrics" && body_has 'tru_http_requests_total'; }
cors() {
  request 204 -X OPTIONS "$api/v1/inference/upload" -H "Origin: $origin" \
    -H 'Access-Control-Request-Method: POST' && header_has "access-control-allow-origin: $origin"
}
cors_foreign() {
  request 200 "$api/v1/health" -H 'Origin: https://elsewhere.example' || return 1
  if grep -qi '^access-control-allow-origin' "$scratch/headers"; then
    reason="a foreign origin is allowed"
    return 1
  fi
}
upload() {
  request 200 "$api/v1/inference/upload" -F "video=@$video" -F 'prompt=Which way does it move?' \
    -F temperature=0 && body_has '"response":"' && body_has '"video_report"'
}
url() {
  if [ -n "${VIDEO_URL:-}" ]; then
    request 200 "$api/v1/inference/url" -H 'Content-Type: application/json' \
      -d "{\"video_url\":\"$VIDEO_URL\",\"prompt\":\"What happens?\"}" && body_has '"response":"'
  else
    request 422 "$api/v1/inference/url" -H 'Content-Type: application/json' \
      -d '{"video_url":"http://169.254.169.254/clip.mp4","prompt":"What happens?"}' &&
      body_has url_not_allowed
  fi
}
stream() {
  request 200 "$api/v1/inference/upload" -F "video=@$video" -F 'prompt=What happens?' \
    -F stream=true && body_has '^event: token' && body_has '^event: done'
}
chat() {
  {
    printf '{"max_tokens":40,"messages":[{"role":"user","content":['
    printf '{"type":"video_url","video_url":{"url":"data:video/mp4;base64,'
    base64 -w0 "$video"
    printf '"}},{"type":"text","text":"What happens?"}]}]}'
  } >"$scratch/chat.json"
  request 200 "$api/v1/chat/completions" -H 'Content-Type: application/json' \
    --data-binary "@$scratch/chat.json" && body_has '"object":"chat.completion"'
}
not_a_video() {
  echo 'not a video' >"$scratch/text.mp4"
  request 415 "$api/v1/inference/upload" -F "video=@$scratch/text.mp4" -F 'prompt=What?' &&
    body_has '"detail"'
}
no_prompt() { request 422 "$api/v1/inference/upload" -F "video=@$video" && body_has prompt; }
broken_json() {
  request 400 "$api/v1/inference/url" -H 'Content-Type: application/json' -d '{' &&
    body_has json_invalid
}
bad_field() {
  request 422 "$api/v1/inference/upload" -F "video=@$video" -F 'prompt=What?' -F fps=-1 &&
    body_has fps
}
missing_route() { request 404 "$api/v1/nothing-here" && body_has '"error"'; }
wrong_method() { request 405 -X PUT "$api/v1/health" && header_has '^allow:'; }
foreign_host() {
  request 403 "$api/v1/models" -H 'Host: elsewhere.example' && body_has host_not_allowed
}
wrong_key() {
  local auth=(-H 'Authorization: Bearer certainly-not-a-key')
  request 401 "$api/v1/models"
}
page() {
  request 200 "$web/" && body_has '<html' && header_has '^content-security-policy:'
}
page_of_service() { request 200 "$api/" -H 'Accept: text/html' && body_has '<html'; }

check "health" health
check "ready" ready
check "detailed health, model loaded" detailed
check "service card" card
check "API documentation" docs
check "list of models" models
check "metrics" metrics
check "CORS: preflight of the page's origin" cors
check "CORS: no foreign origin" cors_foreign
check "question about an uploaded video" upload
check "question about an address" url
check "streamed answer" stream
check "OpenAI chat with a video" chat
check "text that poses as a video: 415" not_a_video
check "no prompt: 422" no_prompt
check "broken JSON: 400" broken_json
check "fps=-1: 422" bad_field
check "unknown route: 404" missing_route
check "wrong method: 405" wrong_method
check "foreign Host header: 403" foreign_host
if [ -n "${API_KEY:-}" ]; then check "wrong key: 401" wrong_key; fi
check "the page, from the service" page_of_service
if [ "${SKIP_WEB:-0}" != 1 ]; then check "the page, from its own container" page; fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
