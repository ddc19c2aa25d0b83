"""Training batches: random clips of one grid, their question branches and per-cell factors."""

import numpy as np
import torch

import prompt
import scenes
from questions import Asker
from scenes import COLORS, SHAPES

SIDES = (96, 128)  # those of scenes.SIDES after preprocessing
SYSTEM_PROMPTS = ("You are a helpful assistant.", "Answer briefly.", "You describe videos.")
CELL_MOTIONS = ("still", "left", "right", "up", "down", "grow", "shrink", "appear", "vanish")
WAVE_SIZE = 0.45  # beside the one-hot classes, which a question looks for first
WAVES = 8  # values per coordinate: sine and cosine at four frequencies


def _spans():
    sizes = (len(COLORS) + 1, len(SHAPES) + 1, len(CELL_MOTIONS), 4 * WAVES, 4 * WAVES, 8)
    at = 0
    for size in sizes:
        yield slice(at, at + size)
        at += size


# Where a cell's factors lie: classes one-hot, then the edges of the object in both frames of the
# patch (left, top, right, bottom) and its half sides, as waves of the frame's width and height.
COLOR_AT, SHAPE_AT, MOTION_AT, *EDGES_AT, SIZE_AT = _spans()
FACTORS = SIZE_AT.stop
MIN_CELL_PIXELS = 30  # an object counts in a cell from this many pixels in either frame on


def wave(values, frequencies):
    """Values in [0, 1] as small sines and cosines, flat."""
    angles = np.pi * np.multiply.outer(values, frequencies)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], -1)
    return WAVE_SIZE * waves.reshape(-1).astype(np.float32)


def choose_grid(rng, progress):
    """(height, width, temporal patches) of a step; short clips more often, and only those early
    on. One temporal patch means a picture."""
    h, w = (int(rng.choice(SIDES, p=(0.6, 0.4))) for _ in range(2))
    if rng.random() < 0.03:
        return h, w, 1
    lengths = np.arange(2, 7 if progress < 0.25 else 13)
    weights = np.where(lengths == 2, 0.6, 1.0) / np.sqrt(lengths)
    return h, w, int(rng.choice(lengths, p=weights / weights.sum()))


def clip_cost(h, w, t, branches=6):
    """Rough GFLOP of one clip's forward pass."""
    cells = t * h * w / 1024
    return 7e-3 * cells + 1.5e-3 * (cells + 9 * t + 40 * branches)


def _source_side(rng, side):
    return side if rng.random() < 0.4 else int(rng.integers(side - 12, side + 15))


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
    if roll < 0.94:
        return scenes.jpeg_noise(frames, int(rng.integers(30, 93)))
    return scenes.h264_noise(frames, int(rng.integers(16, 33)))


def _areas(scene, times, a, b):
    """Pixels of each merged cell that each object covers, as a disc: [objects, frames, a, b]."""
    y = (np.arange(8 * a, dtype=np.float32)[:, None] + 0.5) * (scene.height / (8 * a))
    x = (np.arange(8 * b, dtype=np.float32)[None, :] + 0.5) * (scene.width / (8 * b))
    out = np.zeros((len(scene.shapes), len(times), a, b), np.float32)
    for k, s in enumerate(scene.shapes):
        for i, t in enumerate(times):
            if s.visible(t):
                cx, cy, r = s.place(t)
                inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r
                out[k, i] = inside.reshape(a, 8, b, 8).sum((1, 3)) * 16.0
    return out


def _motion(scene, s, t0, t1):
    """Class of an object's motion between two frames, or -1 where it can hardly be seen."""
    if s.visible(t0) != s.visible(t1):
        return CELL_MOTIONS.index("appear" if s.visible(t1) else "vanish")
    (x0, y0, r0), (x1, y1, r1) = s.place(t0), s.place(t1)
    if t0 == t1 or s.motion == "still":
        return 0
    dx, dy = x1 - x0, y1 - y0
    if max(abs(dx), abs(dy), 3 * abs(r1 - r0)) < 1.5:
        return -1
    if s.motion != "around":
        return CELL_MOTIONS.index(s.motion)
    if abs(dx) > abs(dy):
        return CELL_MOTIONS.index("right" if dx > 0 else "left")
    return CELL_MOTIONS.index("down" if dy > 0 else "up")


def cell_factors(scene, times, a, b, least=MIN_CELL_PIXELS):
    """What there is to see in each merged cell: factors float32 [t * a * b, FACTORS], which of
    them are certain (same shape, bool), and the object there (int [t, a * b], -1 for none)."""
    t = len(times) // 2
    areas = _areas(scene, times, a, b)
    factors = np.zeros((t, a, b, FACTORS), np.float32)
    factors[..., 0] = factors[..., len(COLORS) + 1] = 1.0  # nothing there
    certain = np.ones(factors.shape, bool)
    best = np.full((t, a, b), least - 1, np.float32)
    owner = np.full((t, a, b), -1)
    for k, s in enumerate(scene.shapes):
        area = areas[k].reshape(t, 2, a, b).max(1)
        for i in range(t):
            won = area[i] > best[i]
            if not won.any():
                continue
            best[i][won] = area[i][won]
            owner[i][won] = k
            t0, t1 = times[2 * i], times[2 * i + 1]
            f, sure = np.zeros(FACTORS, np.float32), np.ones(FACTORS, bool)
            f[COLORS.index(s.color) + 1] = 1.0
            f[SHAPE_AT.start + SHAPES.index(s.shape) + 1] = 1.0
            motion = _motion(scene, s, t0, t1)
            if motion < 0:
                sure[MOTION_AT] = False
                f[MOTION_AT.start] = 0.5
                if s.motion != "around":
                    f[MOTION_AT.start + CELL_MOTIONS.index(s.motion)] = 0.5
            else:
                f[MOTION_AT.start + motion] = 1.0
            sides = (scene.width, scene.height) * 2
            for j, time in enumerate((t0, t1)):
                if s.visible(time):
                    edges = np.array(s.box(time), np.float32) / sides
                    f[EDGES_AT[j]] = wave(edges, (1, 2, 4, 8))
                    f[SIZE_AT] = wave((edges[2:] - edges[:2]) / 2, (2, 4))
            factors[i][won] = f
            certain[i][won] = sure
            certain[i][won & (area[i] < 0.4 * area[i].max()), SHAPE_AT] = False  # a mere corner
    return factors.reshape(-1, FACTORS), certain.reshape(-1, FACTORS), owner.reshape(t, -1)


def covers(ids, grid):
    """Per patch: float32 [t, h * w, 32], how far objects cover its 4 x 4 squares in both frames."""
    t, h, w = grid
    a, b = h // 2, w // 2
    rows = (np.arange(a * 32) + 0.5) * ids.shape[1] / (a * 32)
    cols = (np.arange(b * 32) + 0.5) * ids.shape[2] / (b * 32)
    ids = ids[:, rows.astype(int)][:, :, cols.astype(int)]
    cover = (ids > 0).reshape(t, 2, a, 2, 4, 4, b, 2, 4, 4).mean((5, 9), dtype=np.float32)
    return cover.transpose(0, 2, 5, 3, 6, 1, 4, 7).reshape(t, h * w, 32)


def imagined(rng, factors, certain):
    """Factors as an imperfect encoder would report them."""
    f = factors.copy()
    for at in (COLOR_AT, SHAPE_AT, MOTION_AT):
        unsure = ~certain[:, at.start] | (rng.random(len(f)) < rng.uniform(0, 0.08))
        n, size = int(unsure.sum()), at.stop - at.start
        if n:
            guess = rng.dirichlet(np.full(size, 0.5), n).astype(np.float32)
            keep = rng.random((n, 1)).astype(np.float32)
            f[unsure, at] = keep * f[unsure, at] + (1 - keep) * guess
    noise = rng.uniform(0.02, 0.2)
    return f + noise * rng.standard_normal(f.shape, dtype=np.float32)


def _focus(scene, owner, seen_s, turns, prompter):
    """The cells that tell what to say: a bool array [cells] for each labelled token of a dialogue,
    all false where there are none."""
    starts, ends = np.array(seen_s[::2]), np.array(seen_s[1::2])
    rows, nothing = [], np.zeros(owner.size, bool)
    for q in turns:
        spans = []
        for first, s, period in q.about:
            cells = owner == next(k for k, o in enumerate(scene.shapes) if o is s)
            if period:
                cells = cells & ((starts <= period[1]) & (ends >= period[0]))[:, None]
            spans.append((first, cells.reshape(-1)))
        for end in prompter.ends(q.answer):
            rows.append(next((cells for first, cells in spans[::-1] if first < end), nothing))
        rows.append(nothing)  # of the end token
    return rows


def _branches(asker, prompter, count, focus):
    """(ids, labels, kind, rows of focus) of each dialogue about one clip."""
    result = []
    for turns in asker.dialogues(count):
        ids, labels = prompter.turns([(q.text, q.answer) for q in turns])
        result.append((ids, labels, turns[-1].kind, focus(turns)))
    return result


def _question_first(rng, asker, prompter, focus):
    """One question that stands before the video, as some clients send it."""
    q = asker.dialogues(1)[0][0]
    asked = prompter.encode(q.text + ("\n" if rng.random() < 0.3 else ""))
    ids, labels = prompter.turns([("", q.answer)])
    return asked, (ids, labels, q.kind, focus([q]))


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


def batch(rng, grid, prompter, count, branches=6, frames=True, early=False):
    """A batch of `count` clips; branches = 0 leaves the text out (vision-only training),
    frames=False the pictures: `factors` then are what an encoder would have made of them;
    early=True means fewer of the questions whose answers are many digits."""
    height, width, t = grid
    image = t == 1
    pixels, factors, certain, there, cover = [], [], [], [], []
    prefixes, all_branches, kinds, focus = [], [], [], []
    system = prompter_choice(rng) if rng.random() < 0.1 else None
    first = branches and not image and rng.random() < 0.04
    shape = (t, height // 16, width // 16)
    for _ in range(count):
        scene, indices = _random_scene(rng, height, width, t, None if branches else 3)
        if image:
            indices = [0]
        times = [i / scene.fps for i in indices]
        seen_s = times + times[-1:] if len(times) % 2 else times
        least = MIN_CELL_PIXELS * (1 if frames else rng.uniform(0.5, 2))
        cells = cell_factors(scene, seen_s, height // 32, width // 32, least)
        if frames:
            picture, ids = scenes.render(scene, times, with_ids=True)
            x, made = prompt.patches(prompt.resize(_compressed(rng, picture)))
            assert made == shape, (made, shape)
            pixels.append(x)
            ids = ids if len(ids) % 2 == 0 else np.concatenate([ids, ids[-1:]])
            cover.append(covers(ids, shape))
            factors.append(cells[0])
        else:
            factors.append(imagined(rng, cells[0], cells[1]))
        certain.append(cells[1])
        there.append(cells[2].reshape(-1) >= 0)
        if not branches:
            continue
        focus_of = lambda turns: _focus(scene, cells[2], seen_s, turns, prompter)
        asker = Asker(rng, scene, indices, image=image, early=early)
        media = prompter.media(shape, None if image else scenes.timestamps(indices, scene.fps))
        if first:
            asked, branch = _question_first(rng, asker, prompter, focus_of)
            prefixes.append(prompter.opening(system) + asked + media)
            bs = [branch]
        else:
            prefixes.append(prompter.opening(system) + media)
            bs = _branches(asker, prompter, branches, focus_of)
        all_branches.append([(b[0], b[1]) for b in bs])
        kinds += [b[2] for b in bs]
        focus += [row for b in bs for row in b[3]]
    join = lambda parts: torch.from_numpy(np.concatenate(parts))
    result = dict(grid=shape, factors=join(factors), kinds=kinds)
    if frames:
        result.update(
            patches=join(pixels), covers=join(cover), certain=join(certain), there=join(there)
        )
    if branches:
        result.update(prompt.collate(prefixes, all_branches, prompter, shape))
        result.update(focus=torch.from_numpy(np.stack(focus)))
    return result


def prompter_choice(rng):
    return SYSTEM_PROMPTS[int(rng.integers(len(SYSTEM_PROMPTS)))]
