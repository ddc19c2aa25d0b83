"""Write the three sample videos and their truth: python samples.py models/demo/samples"""

import json
import sys
from pathlib import Path

import numpy as np

import scenes
from questions import Asker
from scenes import Scene, Shape
from wordings import MOTION_TEXT

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


QUESTIONS = {
    "passing": (
        "What happens in the video?",
        "Which way does the red circle move?",
        "How many shapes are there?",
    ),
    "arrival": ("What happens in the video?", "When does the green star appear?"),
    "departure": ("What happens in the video?", "When does the orange square disappear?"),
}


def answer(asker, question):
    """The truth, for the wordings above."""
    named = next((s for s in asker.shapes if s.name in question), None)
    if named is None:
        return (asker.describe() if question.startswith("What") else asker.count()).answer
    if question.startswith("When"):
        return asker.when(named, "appear" if "appear?" in question.split() else "vanish")
    return f"The {named.name} {MOTION_TEXT[named.motion]}."


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
            "questions": [{"question": q, "answer": answer(asker, q)} for q in QUESTIONS[name]],
            "shapes": asker.describe().truth["shapes"],
        }
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
