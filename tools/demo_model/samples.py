"""Write the three sample videos and their truth: python samples.py models/demo/samples"""

import json
import sys
from pathlib import Path

import numpy as np

import scenes
from questions import Asker
from scenes import Scene, Shape

WIDTH, HEIGHT, FPS = 160, 128, 25.0
RGB = {
    "red": (220, 30, 35),
    "orange": (245, 130, 20),
    "yellow": (250, 225, 40),
    "green": (35, 175, 60),
    "blue": (35, 80, 220),
    "purple": (150, 45, 205),
}


def shape(name, motion, start, end=None, radius=19.0, size="large", **more):
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
    yield (
        "passing",
        6.0,
        gradient((238, 240, 244), (206, 210, 218)),
        [
            shape("red circle", "right", (26, 88), (134, 88)),
            shape("blue square", "still", (112, 32), radius=17.0),
        ],
    )
    yield (
        "arrival",
        8.0,
        gradient((24, 26, 34), (52, 54, 62)),
        [
            shape("yellow triangle", "up", (42, 100), (42, 30)),
            shape("green star", "left", (132, 70), (92, 70), appear_s=3.8, radius=18.0),
        ],
    )
    yield (
        "departure",
        9.0,
        gradient((250, 250, 246), (228, 226, 220)),
        [
            shape("purple star", "down", (34, 30), (34, 98), radius=18.0),
            shape("orange square", "still", (84, 64), radius=13.0, size="small", vanish_s=5.2),
            shape("blue circle", "up", (130, 98), (130, 32), radius=18.0),
        ],
    )


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for name, duration_s, background, shapes in stories():
        scene = Scene(WIDTH, HEIGHT, FPS, round(duration_s * FPS), shapes, background, 2.0, 1)
        for s in shapes:
            s.end_s = duration_s
        frames = scenes.render(scene, np.arange(scene.frames_total) / FPS)
        scenes.h264(frames, FPS, 20, str(folder / f"{name}.mp4"))
        indices = scenes.sample_indices(scene.frames_total, FPS)
        asked = Asker(np.random.default_rng(0), scene, indices).describe()
        truth[f"{name}.mp4"] = {"description": asked.answer, **asked.truth}
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
