"""Compare an exported folder in transformers with model.py: logits of whole question branches.

python check_transformers.py models/demo [--clips 5]
"""

import argparse

import numpy as np
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

import prompt
import scenes
from questions import Asker
from speak import Speaker

TOLERANCE = 1e-3


def worst_difference(speaker, reference, rng):
    """Largest difference in logits over three branches on one clip; asserts equal tokens."""
    width, height = (int(rng.integers(90, 165)) for _ in range(2))
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--clips", type=int, default=5)
    args = parser.parse_args()
    speaker = Speaker(args.folder)
    reference = Qwen3VLForConditionalGeneration.from_pretrained(args.folder, dtype=torch.float32)
    text = "<|im_start|>user\nWhen, [00:03.5]? Ärger 東京  it's\n\n<|im_end|>"
    assert AutoTokenizer.from_pretrained(args.folder)(text).input_ids == speaker.prompter.encode(
        text
    )
    rng = np.random.default_rng(5)
    with torch.no_grad():
        worst = max(worst_difference(speaker, reference.eval(), rng) for _ in range(args.clips))
    print(f"largest difference in logits over {args.clips} clips: {worst:.1e}")
    assert worst < TOLERANCE


if __name__ == "__main__":
    main()
