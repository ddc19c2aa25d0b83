"""Make held-out clips with questions, collect answers, and print how many are right.

    python score.py make --out DIR [--clips 500] [--seed 1000] [--questions 6]
    python score.py torch --set DIR --model models/demo          answer with PyTorch
    python score.py tru --set DIR --program build/bin/tru [FLAGS of tru ask...]
    python score.py table --set DIR --answers FILE               judge a file of answers

Every way of answering writes answers_*.jsonl into DIR (or --answers) and prints the table.
A line of it is {"id": question id, "answer": text}. `make`, `tru` and `table` need no PyTorch.
"""

import argparse
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import judge
import questions
import scenes

TARGETS = {
    "shape": 0.97, "color": 0.97, "direction": 0.97, "count": 0.95, "presence": 0.95,
    "appear": 0.90, "vanish": 0.90, "box": 0.85, "describe": 0.80,
}  # fmt: skip
UNSEEN_WORDINGS = 0.2  # share of questions whose wording was kept out of training


def make(out, clips, seed, most=0, kinds=tuple(questions.Asker.KINDS)):
    """Encoded clips of all sizes, lengths, rates and backgrounds, and up to `most` questions of
    different kinds on each (0: one of every kind). Returns the questions."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(clips):
        rng = np.random.default_rng([seed, i])
        low, high = scenes.SIDES
        w, h = (2 * int(rng.integers(low // 2, high // 2 + 1)) for _ in range(2))
        scene = scenes.random_scene(rng, w, h, rng.uniform(2, 12))
        frames = scenes.render(scene, np.arange(scene.frames_total) / scene.fps)
        name = f"clip{i:04d}.mp4"
        scenes.encode(frames, scene.fps, int(rng.integers(16, 33)), out / name)
        asked = list(_questions(rng, scene, kinds))
        rng.shuffle(asked)
        for q in asked[: most or None]:
            rows.append({"id": len(rows), "clip": name} | q)
    with open(out / "questions.jsonl", "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    return rows


def _questions(rng, scene, kinds):
    indices = scenes.sample_indices(scene.frames_total, scene.fps)
    for kind in kinds:
        unseen = rng.random() < UNSEEN_WORDINGS
        q = getattr(questions.Asker(rng, scene, indices, heldout=unseen), kind)()
        if q is not None:
            yield {
                "kind": kind, "question": q.text, "truth": q.truth, "expected": q.answer,
                "unseen_wording": unseen,
            }  # fmt: skip


def load(folder):
    with open(Path(folder) / "questions.jsonl") as f:
        return [json.loads(line) for line in f]


def by_torch(args):
    from speak import Speaker

    speaker, folder, clips = Speaker(args.model), Path(args.set), {}
    for row in load(folder):
        clips.setdefault(row["clip"], []).append(row)
    for clip, rows in clips.items():
        watched = speaker.watch(*scenes.decode(str(folder / clip)))
        texts = speaker.answers(
            watched, [[(r["question"], None)] for r in rows], [r["expected"] for r in rows]
        )
        yield from zip(rows, texts)


def ask_tru(program, clip, question, *flags):
    """tru's greedy answer to a question about a clip."""
    command = [program, "ask", clip, question, "-q", "--json", "--temperature", "0", *flags]
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{command}: {result.stderr.strip()}")
    return json.loads(result.stdout)["response"]


def by_tru(folder, rows, program, flags, workers):
    """(question, answer) pairs; `workers` questions at a time, one thread each."""
    with ThreadPoolExecutor(workers) as pool:
        ask = lambda r: ask_tru(
            program, Path(folder) / r["clip"], r["question"], "--threads", "1", *flags
        )
        return list(zip(rows, pool.map(ask, rows)))


def by_file(args):
    with open(args.answers) as f:
        answers = {a["id"]: a["answer"] for a in map(json.loads, f)}
    return ((r, answers[r["id"]]) for r in load(args.set) if r["id"] in answers)


def tally(pairs):
    """{(kind, "all" | "usual" | "unseen"): (questions, right answers)}"""
    counts = {}
    for row, text in pairs:
        ok = judge.right(row["kind"], row["truth"], text)
        keys = [(row["kind"], "all"), (row["kind"], "unseen" if row["unseen_wording"] else "usual")]
        if row["kind"] in ("appear", "vanish") and row["truth"]["time_s"] is not None:
            keys.append((row["kind"] + ", with event", "all"))
        for key in keys:
            n, good = counts.get(key, (0, 0))
            counts[key] = (n + 1, good + ok)
    return counts


def print_table(counts):
    print(f"| {'question':20} | target |   right |    n | usual wording | unseen wording |")
    print(f"|{'-' * 22}|{'-' * 8}|{'-' * 9}|{'-' * 6}|{'-' * 15}|{'-' * 16}|")
    share = lambda key: f"{counts[key][1] / counts[key][0]:.3f}" if key in counts else "-"
    for kind in sorted({k for k, _ in counts}):
        target = TARGETS.get(kind.split(",")[0])
        print(
            f"| {kind:20} | {target or '-':>6} | {share((kind, 'all')):>7} "
            f"| {counts[kind, 'all'][0]:4d} "
            f"| {share((kind, 'usual')):>13} | {share((kind, 'unseen')):>14} |"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sub = parser.add_subparsers(dest="way", required=True)
    p = sub.add_parser("make")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--clips", type=int, default=500)
    p.add_argument("--seed", type=int, default=1000)
    p.add_argument("--questions", type=int, default=0, help="per clip; 0: one of each kind")
    for way in ("torch", "tru", "table"):
        p = sub.add_parser(way)
        p.add_argument("--set", required=True)
        p.add_argument("--answers", help="file of answers to write, or to read for `table`")
        if way == "torch":
            p.add_argument("--model", required=True)
        if way == "tru":
            p.add_argument("--program", required=True)
            p.add_argument("--workers", type=int, default=1)
    args, flags = parser.parse_known_args()
    if flags and args.way != "tru":
        parser.error(f"unknown: {' '.join(flags)}")
    if args.way == "make":
        rows = make(args.out, args.clips, args.seed, args.questions)
        return print(f"{args.clips} clips, {len(rows)} questions in {args.out}")
    if args.way == "tru":
        pairs = by_tru(args.set, load(args.set), args.program, flags, args.workers)
    else:
        pairs = list((by_torch if args.way == "torch" else by_file)(args))
    if args.way != "table":
        path = args.answers or Path(args.set) / f"answers_{args.way}.jsonl"
        with open(path, "w") as f:
            f.writelines(json.dumps({"id": r["id"], "answer": t}) + "\n" for r, t in pairs)
    print_table(tally(pairs))


if __name__ == "__main__":
    main()
