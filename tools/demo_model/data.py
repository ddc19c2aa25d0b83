"""Training batches: random clips of one grid, their question branches and per-cell labels."""

import numpy as np
import torch

import prompt
import scenes
from questions import Asker
from scenes import COLORS, SHAPES

SIDES = (96, 128, 160)
MOST_PIXELS = 160 * 128
SYSTEM_PROMPTS = ("You are a helpful assistant.", "Answer briefly.", "You describe videos.")
CELL_MOTIONS = ("still", "left", "right", "up", "down", "grow", "shrink", "appear", "vanish")
MIN_CELL_PIXELS = 30  # an object counts in a cell from this many pixels in either frame on


def choose_grid(rng, progress):
    """(height, width, temporal patches) of a step; short and small clips more often, and only
    those early on. One temporal patch means a picture."""
    early = progress < 0.4
    sides = SIDES[:2] if early else SIDES
    longest = 6 if early else 12
    options = [(h, w) for h in sides for w in sides if h * w <= MOST_PIXELS]
    weights = np.array([1 / (h * w) for h, w in options])
    h, w = options[rng.choice(len(options), p=weights / weights.sum())]
    if rng.random() < 0.05:
        return h, w, 1
    lengths = np.arange(2, longest + 1)
    weights = np.where(lengths == 2, 0.6, 1.0) / np.sqrt(lengths)
    return h, w, int(rng.choice(lengths, p=weights / weights.sum()))


def clip_cost(h, w, t, branches=6):
    """Rough GFLOP of one clip's forward pass."""
    cells = t * h * w / 1024
    return 7e-3 * cells + 1.5e-3 * (cells + 9 * t + 40 * branches)


def _source_side(rng, side):
    return side if rng.random() < 0.5 else side + int(rng.integers(-10, 11))


def _random_scene(rng, height, width, t, count):
    """A scene whose sampled frames make t temporal patches."""
    width, height = _source_side(rng, width), _source_side(rng, height)
    while True:
        n = 4 if t <= 2 else 2 * t - int(rng.integers(2))
        scene = scenes.random_scene(rng, width, height, n / 2 + rng.uniform(0.0, 0.5), count)
        indices = scenes.sample_indices(scene.frames_total, scene.fps)
        if (len(indices) + 1) // 2 == max(t, 2):
            return scene, indices


def _compressed(rng, frames):
    roll = rng.random()
    if roll < 0.30:
        return frames
    if roll < 0.80:
        return scenes.jpeg_noise(frames, int(rng.integers(25, 93)))
    coded = scenes.h264(frames, 4, int(rng.integers(16, 35)))
    return coded if len(coded) == len(frames) else frames


def _cell_labels(scene, times, ids, grid):
    """Per merged cell: (color, shape, motion) int64 [t * cells, 3] with -100 for "do not judge",
    and the box float32 [t * cells, 6]: centre at both frames and half sides, in frame sides.
    Per patch: float32 [t, h * w, 32], how far objects cover its 4 x 4 squares in both frames."""
    t, h, w = grid
    a, b = h // 2, w // 2
    rows = (np.arange(a * 32) + 0.5) * ids.shape[1] / (a * 32)
    cols = (np.arange(b * 32) + 0.5) * ids.shape[2] / (b * 32)
    ids = ids[:, rows.astype(int)][:, :, cols.astype(int)]
    cover = (ids > 0).reshape(t, 2, a, 2, 4, 4, b, 2, 4, 4).mean((5, 9), dtype=np.float32)
    cover = cover.transpose(0, 2, 5, 3, 6, 1, 4, 7).reshape(t, h * w, 32)
    ids = ids.reshape(t, 2, a, 32, b, 32)
    labels = np.zeros((t, a, b, 3), np.int64)
    boxes = np.full((t, a, b, 6), np.nan, np.float32)
    best = np.full((t, a, b), MIN_CELL_PIXELS - 1)
    for k, s in enumerate(scene.shapes):
        area = (ids == k + 1).sum((3, 5)).max(1)  # [t, a, b]
        for i in range(t):
            won = area[i] > best[i]
            if not won.any():
                continue
            best[i][won] = area[i][won]
            t0, t1 = times[2 * i], times[2 * i + 1]
            (x0, y0, r0), (x1, y1, r1) = s.place(t0), s.place(t1)
            moved = max(abs(x1 - x0), abs(y1 - y0), 3 * abs(r1 - r0))
            motion = -100
            if s.visible(t0) != s.visible(t1):
                motion = CELL_MOTIONS.index("appear" if s.visible(t1) else "vanish")
            elif t0 == t1 or s.motion == "still":
                motion = 0
            elif s.motion != "around" and moved > 1.5:
                motion = CELL_MOTIONS.index(s.motion)
            color, shape = COLORS.index(s.color) + 1, SHAPES.index(s.shape) + 1
            labels[i][won] = color, shape, motion
            labels[i][won & (area[i] < 0.4 * area[i].max())] = color, -100, motion  # a mere corner
            if s.visible(t0) and s.visible(t1):
                W, H = scene.width, scene.height
                box = s.box(t0)
                boxes[i][won] = (
                    x0 / W,
                    y0 / H,
                    x1 / W,
                    y1 / H,
                    (box[2] - box[0]) / 2 / W,
                    (box[3] - box[1]) / 2 / H,
                )
    return labels.reshape(-1, 3), boxes.reshape(-1, 6), cover


def _branches(rng, asker, prompter, count):
    result = []
    for turns in asker.dialogues(count):
        ids, labels = prompter.turns([(q.text, q.answer) for q in turns])
        result.append((ids, labels, turns[-1].kind))
    return result


def _question_first(rng, asker, prompter):
    """One question that stands before the video, as some clients send it."""
    q = asker.dialogues(1)[0][0]
    asked = prompter.encode(q.text + ("\n" if rng.random() < 0.3 else ""))
    ids, labels = prompter.turns([("", q.answer)])
    return asked, (ids, labels, q.kind)


def text_batch(rng, prompter, count=8, branches=6):
    """Questions without any media: all refused politely."""
    scene = scenes.Scene(96, 96, 10.0, 40)
    prefixes, all_branches, kinds = [], [], []
    for _ in range(count):
        asker = Asker(rng, scene, [0, 10, 20, 30])
        bs = []
        for _ in range(branches):
            ids, labels = prompter.turns([(q.text, q.answer) for q in [asker.other()]])
            bs.append((ids, labels))
            kinds.append("other")
        prefixes.append(prompter.opening())
        all_branches.append(bs)
    return dict(prompt.collate(prefixes, all_branches, prompter, None), kinds=kinds, patches=None)


def batch(rng, grid, prompter, count, branches=6):
    """A batch of `count` clips; branches = 0 leaves the text out (vision-only training)."""
    height, width, t = grid
    image = t == 1
    pixels, labels, boxes, covers = [], [], [], []
    prefixes, all_branches, kinds = [], [], []
    system = prompter_choice(rng) if rng.random() < 0.1 else None
    first = branches and not image and rng.random() < 0.04
    for _ in range(count):
        scene, indices = _random_scene(rng, height, width, t, None if branches else 3)
        if image:
            indices = [0]
        times = [i / scene.fps for i in indices]
        frames, ids = scenes.render(scene, times, with_ids=True)
        frames = _compressed(rng, frames)
        if len(times) % 2:
            times, ids = times + times[-1:], np.concatenate([ids, ids[-1:]])
        x, shape = prompt.patches(prompt.resize(frames))
        assert shape == (t, height // 16, width // 16), (shape, grid)
        pixels.append(x)
        cell, box, cover = _cell_labels(scene, times, ids, shape)
        covers.append(cover)
        labels.append(cell)
        boxes.append(box)
        if not branches:
            continue
        asker = Asker(rng, scene, indices, image=image)
        media = prompter.media(shape, None if image else scenes.timestamps(indices, scene.fps))
        if first:
            asked, branch = _question_first(rng, asker, prompter)
            prefixes.append(prompter.opening(system) + asked + media)
            bs = [branch]
        else:
            prefixes.append(prompter.opening(system) + media)
            bs = _branches(rng, asker, prompter, branches)
        all_branches.append([(b[0], b[1]) for b in bs])
        kinds += [b[2] for b in bs]
    result = dict(
        patches=torch.from_numpy(np.concatenate(pixels)),
        grid=shape,
        cell_labels=torch.from_numpy(np.concatenate(labels)),
        covers=torch.from_numpy(np.concatenate(covers)),
        cell_boxes=torch.from_numpy(np.concatenate(boxes)),
        kinds=kinds,
    )
    if branches:
        result.update(prompt.collate(prefixes, all_branches, prompter, shape))
    return result


def prompter_choice(rng):
    return SYSTEM_PROMPTS[int(rng.integers(len(SYSTEM_PROMPTS)))]
