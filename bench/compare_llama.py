#!/usr/bin/env python3
"""Times TRU and llama.cpp on one question about one clip, in turns, and prints the medians.

docs/BENCHMARKS.md says how to make the files. Both get the same number of threads. TRU's pixel
budget is only raised so far that it keeps the clip's size, because llama.cpp never shrinks a clip.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess

TRU = pathlib.Path(__file__).resolve().parent.parent / "build/bin/tru"
QUESTION = "Describe this video."
ROWS = {
    "first_token_s": "to the first token (s)",
    "vision_s": "vision encoding (s)",
    "vision_rate": "vision encoding (tokens/s)",
    "prefill_rate": "prefill (tokens/s)",
    "generate_rate": "generation (tokens/s)",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("llama", type=pathlib.Path, help="folder of llama-mtmd-cli")
    parser.add_argument("checkpoint", help="folder of the checkpoint, for TRU")
    parser.add_argument("text", help="the same text weights as a GGUF file")
    parser.add_argument("mmproj", help="the same vision weights as a GGUF file")
    parser.add_argument("clip", help="10 s long, sides multiples of 32, under 300,000 pixels")
    parser.add_argument("--weights", default="int8", help="TRU's name for the format of TEXT")
    parser.add_argument("--frames", type=int, default=22, help="what llama.cpp takes at 2 fps")
    parser.add_argument("--generated", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def run(command):
    # An answer that is cut off may end within a character.
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done


def figures(prompt_tokens, video_tokens, vision_s, first_token_s, generate_rate):
    return {
        "prompt_tokens": prompt_tokens,
        "video_tokens": video_tokens,
        "first_token_s": first_token_s,
        "vision_s": vision_s,
        "vision_rate": video_tokens / vision_s,
        "prefill_rate": prompt_tokens / (first_token_s - vision_s),
        "generate_rate": generate_rate,
    }


def ask_tru(args):
    answer = json.loads(run([
        TRU, "ask", args.clip, QUESTION, "--model", args.checkpoint, "--weights", args.weights,
        "--num-frames", args.frames, "--max-pixels", 300_000, "--total-pixels", 100_000_000,
        "--max-tokens", args.generated, "--temperature", 0, "--threads", args.threads, "--json",
    ]).stdout)
    ms, usage = answer["timings_ms"], answer["usage"]
    return figures(usage["prompt_tokens"], answer["video_report"][0]["video_tokens"],
                   ms["vision"] / 1e3, ms["first_token"] / 1e3,
                   (usage["completion_tokens"] - 1) / ms["generate"] * 1e3)


def ask_llama(args):
    for _ in range(5):  # its log now and then misses its last lines
        log = run([
            args.llama / "llama-mtmd-cli", "-v", "-m", args.text, "--mmproj", args.mmproj,
            "--video", args.clip, "--video-fps", 2, "-p", QUESTION, "-t", args.threads,
            "-n", args.generated, "--temp", 0, "-c", 8192,
        ]).stderr
        encoded = re.findall(r"encoding batch with \d+ entries and total (\d+) tokens", log)
        vision_ms = re.findall(r"batch encoding done in (\d+) ms", log)
        prompt = re.search(r"prompt eval time = +([\d.]+) ms / +(\d+) tokens", log)  # with vision
        rate = re.search(r"  eval time = .* ([\d.]+) tokens per second", log)
        if encoded and vision_ms and prompt and rate:
            return figures(int(prompt[2]), sum(map(int, encoded)),
                           sum(map(int, vision_ms)) / 1e3, float(prompt[1]) / 1e3, float(rate[1]))
    raise SystemExit("llama-mtmd-cli logs its times in other words than this script knows")


def main():
    args = arguments()
    asks = {"tru": ask_tru, "llama.cpp": ask_llama}
    rounds = {name: [] for name in asks}
    for number in range(args.rounds):
        for name, ask in asks.items():
            rounds[name].append(ask(args))
            print(f"round {number + 1}, {name}:", json.dumps(rounds[name][-1]), flush=True)
    seen = {name: rounds[name][0]["video_tokens"] for name in asks}
    if len(set(seen.values())) > 1:
        raise SystemExit(f"not the same video tokens, so no comparison: {seen}; see --help on CLIP")
    print(f"\n| {' | '.join(['', *asks, 'ratio'])} |\n|---|---|---|---|")
    for row, title in ROWS.items():
        ours, theirs = (statistics.median(one[row] for one in rounds[name]) for name in asks)
        ratio = theirs / ours if row.endswith("_s") else ours / theirs
        print(f"| {title} | {ours:.1f} | {theirs:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
