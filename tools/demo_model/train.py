"""Train the demo model from nothing on random clips: two processes of one thread, resumable.

    nice -n 19 python train.py --state STATE [--cpu-minutes 60] [--bf16]

The schedule follows the CPU time of the first process, so a paused or starved run loses nothing.
STATE/budget, if it exists, overrides --cpu-minutes while the run goes on.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from tokenizers import Tokenizer

import data
import tokenizer as tokenizer_module
from model import VISION, DemoModel, Linear
from prompt import Prompter

VISION_CPU_S = 330.0  # vision-only training at the start, seconds of CPU per process
STEP_COST = 6.0  # GFLOP of a forward pass, per process and step
MUON_LR, ADAM_LR, AUX_WEIGHT = 8e-3, 2e-3, 0.5
CLASSES = (7, 5, len(data.CELL_MOTIONS))  # colour, shape, motion of a cell
EXCHANGE_STEPS = 5
DECAY_FROM = 0.6  # share of the budget with a constant learning rate


class Muon:
    """Momentum with orthogonalised updates for matrices (K. Jordan, 2024). Tall matrices are taken
    in pieces of 128 rows (q, k and v apart, and cheaper); pieces of equal shape go together."""

    def __init__(self, params, momentum=0.95):
        self.momentum = momentum
        self.groups = {}
        for p in params:
            rows, cols = p.flatten(1).shape
            piece = 128 if rows % 128 == 0 else rows
            self.groups.setdefault((piece, cols), []).append(p)
        self.buffers = {
            s: torch.zeros(sum(p.numel() for p in ps) // (s[0] * s[1]), *s)
            for s, ps in self.groups.items()
        }

    @torch.no_grad()
    def step(self, lr):
        for shape, params in self.groups.items():
            g = torch.cat([p.grad.reshape(-1, *shape) for p in params])
            buffer = self.buffers[shape]
            buffer.mul_(self.momentum).add_(g, alpha=1 - self.momentum)
            x = g.lerp(buffer, self.momentum).bfloat16()
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).bfloat16()
            for _ in range(5):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            x = (x.mT if tall else x).float() * max(1.0, shape[0] / shape[1]) ** 0.5
            at = 0
            for p in params:
                n = p.numel() // (shape[0] * shape[1])
                p.mul_(1 - 0.01 * lr).add_(x[at : at + n].reshape(p.shape), alpha=-lr)
                at += n


def split(model, head):
    matrices, others = [], list(head.parameters())
    for name, p in model.named_parameters():
        matrix = p.ndim >= 2 and "embed_tokens" not in name and "pos_embed" not in name
        (matrices if matrix else others).append(p)
    return matrices, others


class Head(torch.nn.Module):
    """Linear read-outs, used in training only: per merged cell colour 7, shape 5, motion 9 and box
    6 values; per patch, after the block of the deepstack tap, the cover of its 32 squares."""

    def __init__(self, width=VISION["hidden"]):
        super().__init__()
        self.cells = torch.nn.Linear(width, sum(CLASSES) + 6)
        self.cover = torch.nn.Linear(width, 32)


def vision_loss(head, merged, inner, b):
    """The factored loss, and the right shares of colour, shape and motion in cells with objects."""
    out = head.cells(merged.reshape(-1, merged.shape[-1]))
    labels, boxes = b["cell_labels"], b["cell_boxes"]
    loss, at, right = 0.0, 0, []
    for i, size in enumerate(CLASSES):
        part, want = out[:, at : at + size], labels[:, i]
        weight = torch.ones(size)
        if i < 2:
            weight[0] = 0.3  # most cells are empty
        loss = loss + F.cross_entropy(part, want, weight=weight)
        judged = (labels[:, 0] > 0) & (want >= 0)
        hits = (part.argmax(1) == want)[judged]
        right.append(float(hits.float().mean()) if len(hits) else math.nan)
        at += size
    known = ~torch.isnan(boxes[:, 0])
    if known.any():
        loss = loss + 12.0 * (out[known, at:] - boxes[known]).abs().mean()
    cover = F.binary_cross_entropy_with_logits(head.cover(inner), b["covers"])
    return loss + 3.0 * cover, right, float(cover.detach())


def text_loss(model, b, visual, taps, tally):
    hidden = model.hidden(b["ids"], b["positions"], b["seen"], visual, taps, b["prefix"], b["mask"])
    logits = model.logits(hidden.reshape(-1, hidden.shape[-1])[b["places"]])
    losses = F.cross_entropy(logits, b["targets"], reduction="none")
    with torch.no_grad():
        # An answer whose every token is the best guess is what greedy decoding would say.
        hits = logits.argmax(1) == b["targets"]
        branch = b["branch"]
        wrong = torch.zeros(len(b["kinds"])).index_add_(0, branch, (~hits).float())
        for kind, w in zip(b["kinds"], wrong.tolist()):
            n, ok = tally.get(kind, (0, 0))
            tally[kind] = (n + 1, ok + (w == 0))
    return (losses * b["weights"]).sum() / b["weights"].sum()


class Run:
    def __init__(self, args, rank):
        self.args, self.rank, self.state = args, rank, Path(args.state)
        torch.set_num_threads(1)
        Linear.half_products = args.bf16
        self.prompter = Prompter(Tokenizer.from_file(str(self.state / "tokenizer.json")))
        torch.manual_seed(args.seed)
        vocab = -(-self.prompter.tokenizer.get_vocab_size() // 32) * 32
        self.model, self.head = DemoModel(vocab), Head()
        matrices, others = split(self.model, self.head)
        self.params = matrices + others
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.97), weight_decay=0.0)
        self.step, self.cpu_s, self.wall_s = 0, 0.0, 0.0
        if (self.state / "last.pt").exists():
            self.load()

    def load(self):
        saved = torch.load(self.state / "last.pt", weights_only=False)
        self.model.load_state_dict(saved["model"])
        self.head.load_state_dict(saved["head"])
        self.adam.load_state_dict(saved["adam"])
        self.muon.buffers = saved["muon"]
        self.step, self.cpu_s, self.wall_s = saved["step"], saved["cpu_s"], saved["wall_s"]

    def save(self, name="last.pt"):
        saved = dict(
            model=self.model.state_dict(), head=self.head.state_dict(), adam=self.adam.state_dict(),
            muon=self.muon.buffers, step=self.step, cpu_s=self.cpu_s, wall_s=self.wall_s,
        )  # fmt: skip
        torch.save(saved, self.state / "next.pt")
        os.replace(self.state / "next.pt", self.state / name)

    def budget_s(self):
        path = self.state / "budget"
        return 60 * (float(path.read_text()) if path.exists() else self.args.cpu_minutes)

    def train_step(self, vision_only, progress, tally):
        shared = np.random.default_rng([self.args.seed, self.step])
        rng = np.random.default_rng([self.args.seed, self.step, self.rank])
        loss_aux, right = torch.zeros(()), [math.nan] * 4
        if not vision_only and self.step % 40 == 0:
            b = data.text_batch(rng, self.prompter)
            loss = text_loss(self.model, b, None, [], tally)
        else:
            h, w, t = data.choose_grid(shared, 0.0 if vision_only else progress)
            t = 2 if vision_only else t
            branches = 0 if vision_only else (6 if t * h * w < 80_000 else 8)
            count = max(2, round(STEP_COST / data.clip_cost(h, w, t, branches)))
            b = data.batch(rng, (h, w, t), self.prompter, min(count, 16), branches)
            visual, taps, inner = self.model.model.visual(b["patches"], *b["grid"][1:])
            loss_aux, right, cover = vision_loss(self.head, visual, inner[0], b)
            right.append(cover)
            loss = torch.zeros(())
            if not vision_only:
                loss = text_loss(self.model, b, visual, taps, tally)
        total = loss + (1.0 if vision_only else AUX_WEIGHT) * loss_aux
        total.backward()
        return float(loss.detach()), float(loss_aux.detach()), right

    @torch.no_grad()
    def exchange(self, progress):
        """Average the weights of both processes (cheaper than gradients at every step where the
        processes do not run evenly); the first one's progress goes along and is returned."""
        mine = [p.reshape(-1) for p in self.params] + [torch.tensor([progress])]
        flat = torch.cat(mine)
        if self.args.processes > 1:
            flat[-1] *= self.args.processes if self.rank == 0 else 0
            dist.all_reduce(flat)
            flat /= self.args.processes
        at = 0
        for p in self.params:
            p.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()
        return float(flat[-1])

    def run(self):
        start, wall, saved_at = (
            time.process_time() - self.cpu_s,
            time.time() - self.wall_s,
            time.time(),
        )
        progress, tally, window = self.cpu_s / self.budget_s(), {}, []
        while progress < 1.0:
            vision_only = progress * self.budget_s() < VISION_CPU_S
            window.append(self.train_step(vision_only, progress, tally))
            self.cpu_s, self.wall_s = time.process_time() - start, time.time() - wall
            factor = min(1.0, (self.step + 1) / 30, max(0.02, (1 - progress) / (1 - DECAY_FROM)))
            for p in self.params:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            self.muon.step(MUON_LR * factor)
            for group in self.adam.param_groups:
                group["lr"] = ADAM_LR * factor
            self.adam.step()
            for p in self.params:
                p.grad = None
            self.step += 1
            if self.step % EXCHANGE_STEPS == 0:
                progress = self.exchange(self.cpu_s / self.budget_s())
            if self.rank == 0 and self.step % 25 == 0:
                self.log(window, tally, progress, factor, vision_only)
                window = []
                if self.step % 200 == 0:
                    tally = {}
            if self.rank == 0 and self.step % EXCHANGE_STEPS == 0 and time.time() - saved_at > 150:
                self.save()
                saved_at = time.time()
        if self.rank == 0:
            self.save()

    def log(self, window, tally, progress, factor, vision_only):
        mean = np.nanmean(np.array([[w[0], w[1], *w[2]] for w in window]), 0)
        row = dict(
            step=self.step,
            cpu_s=round(self.cpu_s),
            wall_s=round(self.wall_s),
            progress=round(progress, 4),
            lr=round(factor, 3),
            vision_only=vision_only,
            loss=round(mean[0], 4),
            aux=round(mean[1], 4),
            cells=[round(float(v), 3) for v in mean[2:]],
            exact={k: [n, round(ok / n, 3)] for k, (n, ok) in sorted(tally.items())},
        )
        with open(self.state / "log.jsonl", "a") as f:
            f.write(json.dumps(row) + "\n")


def work(rank, args):
    if args.processes > 1:
        from datetime import timedelta

        dist.init_process_group(
            "gloo", init_method=f"file://{Path(args.state).resolve()}/meet", rank=rank,
            world_size=args.processes, timeout=timedelta(hours=6),
        )  # fmt: skip
    Run(args, rank).run()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--state", required=True, help="folder of the run: checkpoint, log, tokenizer"
    )
    parser.add_argument("--cpu-minutes", type=float, default=60.0, help="CPU time of each process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--bf16", action="store_true", help="bfloat16 products, for CPUs with AVX512-BF16 or AMX"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    state = Path(args.state)
    state.mkdir(parents=True, exist_ok=True)
    (state / "meet").unlink(missing_ok=True)
    if not (state / "tokenizer.json").exists():
        tokenizer_module.train().save(str(state / "tokenizer.json"))
    torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
