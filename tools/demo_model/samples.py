"""Write the three sample videos and their truth: python samples.py models/demo/samples"""

import json
import sys
from pathlib import Path

import numpy as np

import scenes
from questions import Asker
from scenes import Scene, Shape

WIDTH, HEIGHT, FPS = 128, 96, 25.0
RGB = {
    "red": (220, 30, 35),
    "orange": (245, 130, 20),
    "yellow": (250, 225, 40),
    "green": (35, 175, 60),
    "blue": (35, 80, 220),
    "purple": (150, 45, 205),
}


def shape(name, motion, start, end=None, radius=20.0, size="large", **more):
    color, form = name.split()
    (x0, y0), (x1, y1) = start, end or start
    return Shape(
        form, color, motion, size, np.array(RGB[color], np.float32), 0.0,
        x0=x0, y0=y0, x1=x1, y1=y1, r0=radius, r1=radius, **more,
    )  # fmt: skip


def gradient(top, bottom):
    f = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - f) + np.array(bottom, np.float32) * f
    return np.broadcast_to(rows, (HEIGHT, WIDTH, 3)).copy()


def stories():
    small = dict(radius=14.0, size="small")
    yield (
        "passing",
        6.0,
        gradient((238, 240, 244), (206, 210, 218)),
        [
            shape("red circle", "right", (26, 68), (100, 68)),
            shape("blue square", "still", (94, 22), **small),
        ],
    )
    yield (
        "arrival",
        8.0,
        gradient((24, 26, 34), (52, 54, 62)),
        [
            shape("yellow triangle", "up", (28, 68), (28, 28)),
            shape("green star", "left", (106, 48), (72, 48), appear_s=3.8, **small),
        ],
    )
    yield (
        "departure",
        9.0,
        gradient((250, 250, 246), (228, 226, 220)),
        [
            shape("purple star", "down", (22, 22), (22, 74), **small),
            shape("orange square", "still", (62, 48), vanish_s=5.2, **small),
            shape("blue circle", "up", (102, 70), (102, 26)),
        ],
    )


# What a newcomer may ask, with the truth. Only questions that the shipped model answers right:
# tests/demo asks them all. The first of the first clip is the one that ./run shows.
QUESTIONS = {
    "passing": {
        "What happens in the video?": "A red circle moves to the right. A blue square stays still.",
        "Which way does the red circle move?": "The red circle moves to the right.",
        "How many shapes are there?": "There are two shapes.",
        "What colour is the square?": "The square is blue.",
        "What colour is the star?": "There is no star here.",
        "Give me the shapes as JSON.": '[{"color": "red", "shape": "circle", "motion": "right"}, '
        '{"color": "blue", "shape": "square", "motion": "still"}]',
    },
    "arrival": {
        "What happens in the video?": "A yellow triangle moves up. "
        "A green star appears at [00:04.0] and moves to the left.",
        "When does the green star appear?": "The green star appears at [00:04.0].",
        "How many shapes are there?": "There are two shapes.",
        "What shape is the green one?": "The green shape is a star.",
        "Which way does the yellow triangle move?": "The yellow triangle moves up.",
        "Is there a red circle?": "No, there is no red circle.",
    },
    "departure": {
        "What happens in the video?": "An orange square stays still and disappears at [00:05.0]. "
        "A blue circle moves up. A purple star moves down.",
        "When does the orange square leave?": "The orange square disappears at [00:05.0].",
        "What colour is the square?": "The square is orange.",
        "What colour is the star?": "The star is purple.",
        "Which way does the blue circle move?": "The blue circle moves up.",
    },
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for name, duration_s, background, shapes in stories():
        scene = Scene(WIDTH, HEIGHT, FPS, round(duration_s * FPS), shapes, background, 2.0, 1)
        for s in shapes:
            s.end_s = duration_s
        frames = scenes.render(scene, np.arange(scene.frames_total) / FPS)
        scenes.encode(frames, FPS, 20, folder / f"{name}.mp4")
        asker = Asker(np.random.default_rng(0), scene, scenes.sample_indices(len(frames), FPS))
        truth[f"{name}.mp4"] = {
            "questions": QUESTIONS[name],
            "description": asker.describe().answer,
            "shapes": asker.describe().truth["shapes"],
        }
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
