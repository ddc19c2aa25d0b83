"""From frames and turns to what the model takes: patches, token ids, positions, tree mask.
Rules: the Qwen3-VL preprocessing and prompt of the published checkpoints (transformers 4.57)."""

import numpy as np
import torch
from PIL import Image

FACTOR = 32
PATCH = 16
DIGIT_WEIGHT = 3.0  # of a digit's loss: between many words that go without saying, boxes and times


def resized_side(side):
    return max(FACTOR, round(side / FACTOR) * FACTOR)


def resize(frames):
    """uint8 [n, H, W, 3] to sides that are multiples of 32 (bicubic with antialias)."""
    h, w = resized_side(frames.shape[1]), resized_side(frames.shape[2])
    if frames.shape[1:3] == (h, w):
        return frames
    return np.stack([np.asarray(Image.fromarray(f).resize((w, h), Image.BICUBIC)) for f in frames])


def patches(frames):
    """uint8 [n, h*16, w*16, 3] -> (float32 [t, h * w, 1536], (t, h, w)); odd n repeats the last."""
    if len(frames) % 2:
        frames = np.concatenate([frames, frames[-1:]])
    n, height, width, _ = frames.shape
    t, h, w = n // 2, height // PATCH, width // PATCH
    x = frames.reshape(t, 2, h // 2, 2, PATCH, w // 2, 2, PATCH, 3)
    # -> t, block row, block column, row in block, column in block, channel, frame, y, x
    x = x.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(t, h * w, 3 * 2 * PATCH * PATCH)
    return (x.astype(np.float32) - 127.5) / 127.5, (t, h, w)


class Prompter:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.cache = {}
        token = tokenizer.token_to_id
        self.video_pad, self.image_pad = token("<|video_pad|>"), token("<|image_pad|>")
        self.vision_start, self.vision_end = token("<|vision_start|>"), token("<|vision_end|>")
        self.im_start, self.im_end = token("<|im_start|>"), token("<|im_end|>")
        self.digits = {token(digit) for digit in "0123456789"}

    def _encoded(self, text):
        """(token ids of plain text, where each token ends in characters); turns repeat often,
        hence the cache."""
        found = self.cache.get(text)
        if found is None:
            encoding = self.tokenizer.encode(text, add_special_tokens=False)
            found = encoding.ids, [end for _, end in encoding.offsets]
            if len(self.cache) < 200_000:
                self.cache[text] = found
        return found

    def encode(self, text):
        return self._encoded(text)[0]

    def ends(self, text):
        """Where each token of encode(text) ends, in characters."""
        return self._encoded(text)[1]

    def media(self, grid, times_s):
        """Ids of one video, or of one image if times_s is None."""
        t, h, w = grid
        cells = h * w // 4
        if times_s is None:
            return [self.vision_start] + [self.image_pad] * cells + [self.vision_end]
        ids = []
        for time_s in times_s:
            ids += self.encode(f"<{time_s:.1f} seconds>")
            ids += [self.vision_start] + [self.video_pad] * cells + [self.vision_end]
        return ids

    def opening(self, system=None):
        ids = []
        if system:
            ids += (
                [self.im_start]
                + self.encode(f"system\n{system}")
                + [self.im_end]
                + self.encode("\n")
            )
        return ids + [self.im_start] + self.encode("user\n")

    def turns(self, turns):
        """(ids, labels) of question-answer pairs after the media; labels -100 but on answers."""
        ids, labels = [], []
        for i, (question, answer) in enumerate(turns):
            asked = [self.im_start] + self.encode("user\n") if i else []
            asked = asked + self.encode(question) + [self.im_end] + self.encode("\n")
            asked = asked + [self.im_start] + self.encode("assistant\n")
            told = self.encode(answer) + [self.im_end] if answer is not None else []
            ids += asked + told
            labels += [-100] * len(asked) + told
            if i + 1 < len(turns):
                newline = self.encode("\n")
                ids += newline
                labels += [-100] * len(newline)
        return ids, labels


def positions(ids, pads, grid):
    """M-RoPE positions [3, L] of a token list, and the next free one."""
    t, h, w = grid if grid else (0, 2, 2)
    a, b = h // 2, w // 2
    out = np.empty((3, len(ids)), np.int64)
    p, i = 0, 0
    cell_rows = np.repeat(np.arange(a), b)
    cell_cols = np.tile(np.arange(b), a)
    while i < len(ids):
        if ids[i] in pads:
            n = a * b
            out[0, i : i + n], out[1, i : i + n], out[2, i : i + n] = (
                p,
                p + cell_rows,
                p + cell_cols,
            )
            p, i = p + max(a, b), i + n
        else:
            out[:, i] = p
            p, i = p + 1, i + 1
    return out, p


def collate(prefixes, branches, prompter, grid):
    """One batch. prefixes: B token lists; branches: B lists of (ids, labels).
    Returns ids, positions, seen, prefix length, additive mask for the branch rows, and the label
    targets with their flat places (a token's label sits at the place before it)."""
    pads = (prompter.video_pad, prompter.image_pad)
    n, filler = len(prefixes), prompter.im_end
    lp = max(map(len, prefixes))
    lb = max(sum(len(b[0]) for b in bs) for bs in branches)
    ids = np.full((n, lp + lb), filler, np.int64)
    pos = np.zeros((n, 3, lp + lb), np.int64)
    owner = np.full((n, lp + lb), -1, np.int64)  # -1 filler, 0 prefix, 1.. branches
    targets, places, weights, branch_of, branch_count = [], [], [], [], 0
    for i, (prefix, bs) in enumerate(zip(prefixes, branches)):
        ids[i, : len(prefix)] = prefix
        pos[i, :, : len(prefix)], start = positions(prefix, pads, grid)
        owner[i, : len(prefix)] = 0
        at = lp
        for k, (branch, labels) in enumerate(bs):
            m = len(branch)
            ids[i, at : at + m] = branch
            pos[i, :, at : at + m] = start + np.arange(m)
            owner[i, at : at + m] = k + 1
            where = [j for j in range(m) if labels[j] >= 0]
            targets += [labels[j] for j in where]
            places += [i * (lp + lb) + at + j - 1 for j in where]
            branch_of += [branch_count] * len(where)
            branch_count += 1
            for j in where:
                digit = DIGIT_WEIGHT if labels[j] in prompter.digits else 1.0
                weights.append(digit * len(where) ** -0.5)
            at += m
    row, key = owner[:, lp:, None], owner[:, None, :]
    order = np.arange(lp + lb)
    allowed = ((key == 0) | ((key == row) & (row > 0))) & (
        order[None, lp:, None] >= order[None, None]
    )
    mask = torch.zeros(n, 1, lb, lp + lb).masked_fill_(
        ~torch.from_numpy(allowed)[:, None], float("-inf")
    )
    seen = np.isin(ids, pads)
    as_torch = torch.from_numpy
    return dict(
        ids=as_torch(ids), positions=as_torch(pos), seen=as_torch(seen), prefix=lp, mask=mask,
        targets=torch.tensor(targets), places=torch.tensor(places), weights=torch.tensor(weights),
        branch=torch.tensor(branch_of),
    )  # fmt: skip
