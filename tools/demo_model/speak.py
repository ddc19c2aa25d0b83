"""Greedy answers of the PyTorch model to many questions about one clip at once."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import prompt
import scenes
from model import DemoModel

MAX_TOKENS = 120


class Speaker:
    def __init__(self, folder):
        folder = Path(folder)
        self.prompter = prompt.Prompter(Tokenizer.from_file(str(folder / "tokenizer.json")))
        weights = {k: v.float() for k, v in load_file(folder / "model.safetensors").items()}
        vocab = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
        self.model = DemoModel(vocab)
        self.model.load_state_dict(weights)
        self.model.eval()

    def watch(self, frames, fps, image=False):
        """All frames of a clip, or the one of a picture -> what answers() needs of it."""
        indices = [0] if image else scenes.sample_indices(len(frames), fps)
        pixels, grid = prompt.patches(prompt.resize(np.stack([frames[i] for i in indices])))
        media = self.prompter.media(grid, None if image else scenes.timestamps(indices, fps))
        with torch.no_grad():
            visual, taps = self.model.see(torch.from_numpy(pixels), *grid[1:])
        return self.prompter.opening() + media, grid, visual, taps

    @torch.no_grad()
    def answers(self, watched, dialogues, drafts):
        """dialogues: lists of (question, answer) turns, the last answer None. drafts: a guess of
        each answer. One pass over all guesses tells up to where each is what the model says
        (argmax at every token); the first other token is put right and the pass repeated, so the
        result is that of greedy decoding."""
        prefix, grid, visual, taps = watched
        p, end = self.prompter, self.prompter.im_end
        asked = [p.turns(turns)[0] for turns in dialogues]
        said = [p.encode(d) + [end] for d in drafts]
        known, done = [0] * len(asked), [False] * len(asked)
        while not all(done):
            open_ = [i for i in range(len(asked)) if not done[i]]
            branches = [(asked[i] + said[i], [-100] * len(asked[i] + said[i])) for i in open_]
            b = prompt.collate([prefix], [branches], p, grid)
            hidden = self.model.hidden(
                b["ids"], b["positions"], b["seen"], visual, taps, b["prefix"], b["mask"]
            )
            best = self.model.logits(hidden[0]).argmax(-1).tolist()
            at = b["prefix"]
            for i in open_:
                first = at + len(asked[i]) - 1
                at += len(asked[i]) + len(said[i])
                j = known[i]
                while j < len(said[i]) and best[first + j] == said[i][j] and said[i][j] != end:
                    j += 1
                token = best[first + j] if j < len(said[i]) else best[first + len(said[i])]
                said[i] = said[i][:j] + [token] + said[i][j + 1 :]
                known[i] = j + 1
                if token == end or known[i] >= MAX_TOKENS:
                    said[i], done[i] = said[i][: known[i]], True
        decode = self.prompter.tokenizer.decode
        return [decode([t for t in s if t != end]) for s in said]
