"""Compare an exported folder in transformers with model.py, and with the program.

    python check_transformers.py logits models/demo [--clips 5]
    python check_transformers.py answers models/demo --set DIR --program build/bin/tru [--clips 50]

`logits`: the largest difference over whole question branches. `answers`: greedy answers in float32
to every question about the first clips of a set that score.py made.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

import prompt
import scenes
import score
from questions import Asker
from speak import MAX_TOKENS, Speaker

TOLERANCE = 1e-3


def worst_difference(speaker, reference, rng):
    """Largest difference in logits over three branches on one clip."""
    width, height = (int(rng.integers(*scenes.SIDES)) for _ in range(2))
    scene = scenes.random_scene(rng, width, height, rng.uniform(2, 9))
    frames, indices = scenes.seen(scene)
    pixels, grid = prompt.patches(prompt.resize(frames))
    p = speaker.prompter
    prefix = p.opening() + p.media(grid, scenes.timestamps(indices, scene.fps))
    dialogues = Asker(rng, scene, indices).dialogues(3)
    branches = [p.turns([(q.text, q.answer) for q in turns]) for turns in dialogues]
    b = prompt.collate([prefix], [branches], p, grid)
    visual, taps = speaker.model.see(torch.from_numpy(pixels), *grid[1:])
    hidden = speaker.model.hidden(
        b["ids"], b["positions"], b["seen"], visual, taps, b["prefix"], b["mask"]
    )[0]
    worst, at = 0.0, len(prefix)
    for ids, _ in branches:
        mine = speaker.model.logits(hidden[at : at + len(ids)])
        at += len(ids)
        whole = prefix + ids
        positions, _ = prompt.positions(whole, (p.video_pad,), grid)
        theirs = reference(
            input_ids=torch.tensor([whole]),
            attention_mask=torch.ones(1, len(whole), dtype=torch.long),
            pixel_values_videos=torch.from_numpy(pixels.reshape(-1, pixels.shape[-1])),
            video_grid_thw=torch.tensor([grid]),
            position_ids=torch.from_numpy(positions)[:, None],
        ).logits[0, len(prefix) :]
        worst = max(worst, float((theirs - mine).abs().max()))
    return worst


def compare_logits(args, reference):
    speaker = Speaker(args.folder)
    text = "<|im_start|>user\nWhen, [00:03.5]? Ärger 東京  it's\n\n<|im_end|>"
    ids = AutoTokenizer.from_pretrained(args.folder)(text).input_ids
    assert ids == speaker.prompter.encode(text)
    rng = np.random.default_rng(5)
    worst = max(worst_difference(speaker, reference, rng) for _ in range(args.clips))
    print(f"largest difference in logits over {args.clips} clips: {worst:.1e}")
    assert worst < TOLERANCE


def reference_answer(reference, tokenizer, watched, question):
    """Greedy answer of transformers' model to its own chat template around the frames and
    timestamps of prompt.py (its video processor needs torchvision)."""
    (pixels, grid), times = watched
    content = [{"type": "video"}, {"type": "text", "text": question}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    frame = "<|vision_start|>" + "<|video_pad|>" * (grid[1] * grid[2] // 4) + "<|vision_end|>"
    video = "".join(f"<{time:.1f} seconds>{frame}" for time in times)
    ids = tokenizer(text.replace("<|vision_start|><|video_pad|><|vision_end|>", video)).input_ids
    said = reference.generate(
        input_ids=torch.tensor([ids]),
        mm_token_type_ids=torch.tensor([[2 * (i == reference.config.video_token_id) for i in ids]]),
        pixel_values_videos=torch.from_numpy(pixels.reshape(-1, pixels.shape[-1])),
        video_grid_thw=torch.tensor([grid]),
        max_new_tokens=MAX_TOKENS,
        do_sample=False,
    )
    return tokenizer.decode(said[0, len(ids) :], skip_special_tokens=True)


def watch(path):
    frames, fps = scenes.decode(str(path))
    indices = scenes.sample_indices(len(frames), fps)
    return prompt.patches(prompt.resize(frames[indices])), scenes.timestamps(indices, fps)


def compare_answers(args, reference):
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    rows = [r for r in score.load(args.set) if int(r["clip"][4:8]) < args.clips]
    flags = ["--model", args.folder, "--weights", "f32"]
    equal, watched = 0, {}
    for row, ours in score.by_tru(args.set, rows, args.program, flags, 1):
        clip = row["clip"]
        if clip not in watched:
            watched = {clip: watch(args.set / clip)}
        theirs = reference_answer(reference, tokenizer, watched[clip], row["question"])
        equal += ours == theirs
        if ours != theirs:
            print(f"{clip}: {row['question']}\n  tru          {ours}\n  transformers {theirs}")
    print(f"{equal} of {len(rows)} answers about {args.clips} clips are the same")
    assert equal == len(rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sub = parser.add_subparsers(dest="what", required=True)
    for what, clips in (("logits", 5), ("answers", 50)):
        p = sub.add_parser(what)
        p.add_argument("folder")
        p.add_argument("--clips", type=int, default=clips)
        if what == "answers":
            p.add_argument("--set", type=Path, required=True)
            p.add_argument("--program", required=True)
    args = parser.parse_args()
    reference = Qwen3VLForConditionalGeneration.from_pretrained(args.folder, dtype=torch.float32)
    with torch.no_grad():
        (compare_logits if args.what == "logits" else compare_answers)(args, reference.eval())


if __name__ == "__main__":
    main()
