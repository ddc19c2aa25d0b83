#!/usr/bin/env bash
# Times TRU and llama.cpp on the same weights, one after the other in each round.
# docs/BENCHMARKS.md says how to make the files.
set -euo pipefail

if [ $# -lt 6 ]; then
  echo "usage: compare_llama.sh LLAMA_BIN_DIR CHECKPOINT TEXT.gguf MMPROJ.gguf CLIP WEIGHTS [ROUNDS]
WEIGHTS is TRU's name for the format of TEXT.gguf: bf16 or int8" >&2
  exit 2
fi
llama=$1 checkpoint=$2 text=$3 mmproj=$4 clip=$5 weights=$6 rounds=${7:-3}
threads=$(nproc)
tru="$(dirname "$(readlink -f "$0")")/../build/bin/tru"

tru_stages() {
  "$tru" bench "$clip" --model "$checkpoint" --weights "$weights" --num-frames 22 \
    --prompt-tokens 512 --generated-tokens 32 --threads "$threads" --stages "$1" |
    awk '/^(vision|prefill|generate|first_token) / {print "tru   ", $1, $2, $3}'
}

for round in $(seq "$rounds"); do
  echo "== $weights, round $round of $rounds"
  tru_stages vision,prefill,generate
  "$llama/llama-bench" -m "$text" -t "$threads" -p 512 -n 32 -r 3 2>/dev/null |
    awk -F'|' '/pp512|tg32/ {print "llama ", $7, $8, "tokens/s"}'
done

echo "== $weights, the whole clip to the first token"
tru_stages first_token
"$llama/llama-mtmd-cli" -v -m "$text" --mmproj "$mmproj" --video "$clip" --video-fps 2 \
  -p "Describe this video." -t "$threads" -n 1 --temp 0 -c 8192 2>&1 | awk '
    /mtmd batch encoding done in/ {vision += $(NF - 1)}
    /prompt eval time/ {split($0, part, "="); split(part[2], number, " ")
                        total = number[1]; tokens = number[4]}
    END {printf "llama  vision %.1f s, all %.1f s for %d tokens\n",
         vision / 1000, total / 1000, tokens}'
