"""The shipped demo model through the program: held-out clips, reversed clips, the samples."""
import json
import math
import os
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "demo_model"))

import scenes  # noqa: E402
import score  # noqa: E402
from wordings import MOTION_TEXT  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))
MODEL = ROOT / "models" / "demo"
SAMPLES = MODEL / "samples"
WORKERS = os.cpu_count() or 1
CLIPS, SEED, QUESTIONS = 60, 60_000, 4  # questions on each clip
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}


def least(share, questions):
    """The fewest right answers that 60 clips must show of a kind that is right with a probability
    of `share`: one chance in a thousand (3.1 standard deviations) to fall below; never none."""
    return max(1, math.floor(questions * share - 3.1 * math.sqrt(questions * share * (1 - share))))


@pytest.fixture(scope="module")
def heldout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heldout")
    return folder, score.make(folder, CLIPS, SEED, QUESTIONS, tuple(score.TARGETS))


@pytest.mark.parametrize("weights", ["f32", "int8", "int4"])
def test_it_watches_unseen_clips(heldout, weights):
    folder, rows = heldout
    flags = ["--model", MODEL, "--weights", weights]
    counts = score.tally(score.by_tru(folder, rows, PROGRAM, flags, WORKERS))
    score.print_table(counts)
    for kind, target in score.TARGETS.items():
        questions, right = counts[kind, "all"]
        assert questions >= 10
        assert right >= least(target, questions), kind


def ask(clip, question):
    return score.ask_tru(PROGRAM, clip, question, "--model", MODEL, "--threads", "1")


def moving_clips(count):
    """Scenes of one object that moves in a straight line."""
    seed = 0
    while count:
        seed += 1
        scene = scenes.random_scene(np.random.default_rng([SEED, seed]), 128, 128, 5.0, 1)
        shape = next(iter(scene.shapes), None)
        if shape and shape.motion in OPPOSITE and shape.appear_s is None and not shape.vanish_s:
            count -= 1
            yield scene, shape


def test_a_clip_played_backwards_moves_the_other_way(tmp_path):
    flipped, clips = 0, list(moving_clips(12))
    for number, (scene, shape) in enumerate(clips):
        frames = scenes.render(scene, np.arange(scene.frames_total) / scene.fps)
        answers = []
        for name, order in (("forward", frames), ("backward", frames[::-1])):
            clip = tmp_path / f"{number}{name}.mp4"
            scenes.encode(order, scene.fps, 20, clip)
            answers.append(ask(clip, f"Which way does the {shape.name} move?"))
        flipped += (MOTION_TEXT[shape.motion] in answers[0]
                    and MOTION_TEXT[OPPOSITE[shape.motion]] in answers[1])
    assert flipped >= len(clips) - 1


TRUTH = json.loads((SAMPLES / "truth.json").read_text())


@pytest.mark.parametrize("clip", TRUTH)
def test_samples_are_answered_truly(clip):
    assert (SAMPLES / clip).stat().st_size <= 300_000
    for question, answer in TRUTH[clip]["questions"].items():
        assert ask(SAMPLES / clip, question) == answer
