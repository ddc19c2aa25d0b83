"""Make held-out clips with questions, collect answers, and print how many are right.

    python score.py make --out DIR [--clips 500] [--seed 1000]   write clips and questions.jsonl
    python score.py torch --set DIR --model models/demo          answer with PyTorch
    python score.py command --set DIR --run 'tru ask {clip} {question} --json --temperature 0'
    python score.py table --set DIR --answers FILE               judge a file of answers

Every way of answering writes answers_*.jsonl into DIR (or --answers) and prints the table.
A line of it is {"id": question id, "answer": text}.
"""

import argparse
import json
import shlex
import subprocess
from pathlib import Path

import numpy as np

import judge
import questions
import scenes
from data import MOST_PIXELS, SIDES

TARGETS = {
    "shape": 0.97, "color": 0.97, "direction": 0.97, "count": 0.95, "presence": 0.95,
    "appear": 0.90, "vanish": 0.90, "box": 0.85, "describe": 0.80,
}  # fmt: skip


def make(args):
    """Encoded clips of all sizes, lengths, rates and backgrounds, and questions on each."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(args.clips):
        rng = np.random.default_rng([args.seed, i])
        base = [(w, h) for w in SIDES for h in SIDES if w * h <= MOST_PIXELS]
        w, h = base[rng.integers(len(base))]
        if rng.random() < 0.5:
            w, h = w + 2 * int(rng.integers(-5, 6)), h + 2 * int(rng.integers(-5, 6))
        scene = scenes.random_scene(rng, w, h, rng.uniform(2, 12))
        frames = scenes.render(scene, np.arange(scene.frames_total) / scene.fps)
        name = f"clip{i:04d}.mp4"
        scenes.h264(frames, scene.fps, int(rng.integers(16, 33)), str(out / name))
        for q in _questions(rng, scene):
            rows.append({"id": len(rows), "clip": name} | q)
    with open(out / "questions.jsonl", "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    print(f"{args.clips} clips, {len(rows)} questions in {out}")


def _questions(rng, scene):
    indices = scenes.sample_indices(scene.frames_total, scene.fps)
    usual, unseen = (questions.Asker(rng, scene, indices, heldout=h) for h in (False, True))
    for kind in questions.Asker.KINDS:
        for asker in (usual, unseen):
            if asker is unseen and rng.random() > 0.3:
                continue
            q = getattr(asker, kind)()
            if q is not None:
                yield {
                    "kind": kind, "question": q.text, "truth": q.truth, "expected": q.answer,
                    "unseen_wording": asker is unseen,
                }  # fmt: skip


def load(folder):
    with open(Path(folder) / "questions.jsonl") as f:
        rows = [json.loads(line) for line in f]
    clips = {}
    for row in rows:
        clips.setdefault(row["clip"], []).append(row)
    return clips


def by_torch(args):
    from speak import Speaker

    speaker, folder = Speaker(args.model), Path(args.set)
    for clip, rows in load(folder).items():
        frames, fps = scenes.decode(str(folder / clip))
        watched = speaker.watch(frames, fps)
        texts = speaker.answers(
            watched, [[(r["question"], None)] for r in rows], [r["expected"] for r in rows]
        )
        yield from zip(rows, texts)


def by_command(args):
    folder = Path(args.set)
    for clip, rows in load(folder).items():
        for row in rows:
            words = [
                w.format(clip=folder / clip, question=row["question"])
                for w in shlex.split(args.run)
            ]
            result = subprocess.run(words, capture_output=True, text=True)
            if result.returncode != 0:
                raise SystemExit(f"{shlex.join(words)}: {result.stderr.strip()}")
            text = json.loads(result.stdout)["response"] if "--json" in words else result.stdout
            yield row, text.strip()


def by_file(args):
    with open(args.answers) as f:
        answers = {a["id"]: a["answer"] for a in map(json.loads, f)}
    for rows in load(args.set).values():
        yield from ((r, answers[r["id"]]) for r in rows if r["id"] in answers)


def table(pairs):
    counts = {}
    for row, text in pairs:
        ok = judge.right(row["kind"], row["truth"], text)
        for key in (
            (row["kind"], "all"),
            (row["kind"], "unseen" if row["unseen_wording"] else "usual"),
        ):
            n, good = counts.get(key, (0, 0))
            counts[key] = (n + 1, good + ok)
        if row["kind"] in ("appear", "vanish") and row["truth"]["time_s"] is not None:
            key = (row["kind"] + ", with event", "all")
            n, good = counts.get(key, (0, 0))
            counts[key] = (n + 1, good + ok)
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
    p.add_argument("--out", required=True)
    p.add_argument("--clips", type=int, default=500)
    p.add_argument("--seed", type=int, default=1000)
    for way in ("torch", "command", "table"):
        p = sub.add_parser(way)
        p.add_argument("--set", required=True)
        p.add_argument("--answers", help="file of answers to write, or to read for `table`")
        if way == "torch":
            p.add_argument("--model", required=True)
        if way == "command":
            p.add_argument("--run", required=True)
    args = parser.parse_args()
    if args.way == "make":
        return make(args)
    pairs = list({"torch": by_torch, "command": by_command, "table": by_file}[args.way](args))
    if args.way != "table":
        path = args.answers or Path(args.set) / f"answers_{args.way}.jsonl"
        with open(path, "w") as f:
            f.writelines(json.dumps({"id": r["id"], "answer": t}) + "\n" for r, t in pairs)
    table(pairs)


if __name__ == "__main__":
    main()
