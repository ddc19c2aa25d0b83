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

STAGES = ("vision", "language", "all")
PARTS, PROCESSES = STAGES[:2], 2
PARTS_SHARE = 0.33  # of the CPU budget goes to the two halves apart
STEP_COST = 6.0  # GFLOP of a forward pass, per process and step
BRANCHES = {"vision": 0, "language": 8, "all": 12}  # questions on one clip
MUON_LR, ADAM_LR, AUX_WEIGHT = 8e-3, 2e-3, 0.5
WATCHED_LAYERS, FOCUS_WEIGHT = (1, 2), 0.3
EXCHANGE_STEPS = 5
ALL_LR = 0.6  # first factor of the learning rate in the last stage; falls in a straight line


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


def split(model, head, stage):
    """(matrices, others) that a stage trains."""
    matrices, others = [], list(head.parameters()) if stage != "language" else []
    for name, p in model.named_parameters():
        if stage != "all" and ("visual" in name) != (stage == "vision"):
            continue
        if stage == "vision" and "deepstack" in name:
            continue
        matrix = p.ndim >= 2 and "embed_tokens" not in name and "pos_embed" not in name
        (matrices if matrix else others).append(p)
    return matrices, others


def factor_basis(width=VISION["hidden"]):
    """The directions [FACTORS, width], at right angles, along which visual features tell factors.
    Fixed from the start, so that both halves can learn them apart."""
    g = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(width, width, generator=g))[0][: data.FACTORS]


class Head(torch.nn.Module):
    """A read-out used in training only: per patch, after the block of the deepstack tap, the cover
    of its 32 squares."""

    def __init__(self, width=VISION["hidden"]):
        super().__init__()
        self.cover = torch.nn.Linear(width, 32)


CLASSES = (data.COLOR_AT, data.SHAPE_AT, data.MOTION_AT)
COLOR_AT, SHAPE_AT, MOTION_AT = CLASSES
SHARPNESS = 8.0  # from a feature of 0 to 1 to a logit


def vision_loss(head, basis, merged, inner, b):
    """How far visual features are from the factors, and shares of right colour, shape and motion
    in cells with objects, the mean error of their waves, and the cover's loss."""
    merged = merged.reshape(-1, merged.shape[-1])
    out, want, certain, there = merged @ basis.T, b["factors"], b["certain"], b["there"]
    weight = torch.where(there, 1.0, 0.2)
    rest = (merged - out @ basis).square().sum(1)
    loss, right = 0.05 * rest.mean(), []
    for at in CLASSES:
        sure = certain[:, at.start]
        target = want[:, at].argmax(1)
        if at is data.MOTION_AT:
            sure = sure & there
        each = F.cross_entropy(SHARPNESS * out[:, at], target, reduction="none") * weight
        harder = 2.0 if at is data.SHAPE_AT else 1.0
        loss = loss + harder * (each * sure).sum() / (weight * sure).sum().clamp(min=1)
        hits = (out[:, at].argmax(1) == target)[there & sure]
        right.append(float(hits.float().mean()) if len(hits) else math.nan)
    error = (out - want).square() * certain
    error = (error[:, : data.MOTION_AT.stop].sum(1) + error[:, data.MOTION_AT.stop :].sum(1) * 1.5)
    loss = loss + (error * weight).sum() / weight.sum()
    waves = (out - want)[there, data.MOTION_AT.stop :].detach().square().mean()
    right.append(float(waves) ** 0.5 if there.any() else math.nan)
    cover = F.binary_cross_entropy_with_logits(head.cover(inner), b["covers"])
    return loss + 3.0 * cover, right + [float(cover.detach())]


def name_factors(model, prompter, basis):
    """Starts the embedding of each word that names a factor in that factor's direction, so that
    a word and what it names are alike from the first step."""
    table = model.model.language_model.embed_tokens.weight
    named = {name: COLOR_AT.start + 1 + i for i, name in enumerate(data.COLORS)}
    named |= {name: SHAPE_AT.start + 1 + i for i, name in enumerate(data.SHAPES)}
    named |= {name: MOTION_AT.start + i for i, name in enumerate(data.CELL_MOTIONS)}
    named["stay"] = named["still"]
    with torch.no_grad():
        for token in range(prompter.tokenizer.get_vocab_size()):
            word = prompter.tokenizer.decode([token]).strip(' "').lower()
            at = named.get(word, named.get(word.removesuffix("s")))
            if at is not None:
                table[token] = 0.3 * table[token] + basis[at]


def focus_loss(attention, b):
    """How little the watched heads look at the cells that tell what to say next."""
    rows = b["focus"].any(1).nonzero()[:, 0]
    places, length = b["places"][rows], b["ids"].shape[1]
    clip = places // length
    cells = b["seen"].nonzero()[:, 1].reshape(len(b["ids"]), -1)
    scores = attention.scores[clip, :, places % length - b["prefix"]]  # [rows, heads, places]
    share = scores.log_softmax(-1).gather(2, cells[clip][:, None].expand(-1, scores.shape[1], -1))
    share = share.masked_fill(~b["focus"][rows][:, None], float("-inf")).logsumexp(-1)
    return -share.sum() / max(share.numel(), 1)  # a batch may ask only what no cell tells


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
    """One stage: "vision" and "language" go on side by side, one process each; then "all"."""

    def __init__(self, args, rank, stage):
        self.args, self.rank, self.stage, self.state = args, rank, stage, Path(args.state)
        torch.set_num_threads(1)
        Linear.half_products = args.bf16
        self.prompter = Prompter(Tokenizer.from_file(str(self.state / "tokenizer.json")))
        torch.manual_seed(args.seed)
        vocab = -(-self.prompter.tokenizer.get_vocab_size() // 32) * 32
        self.model, self.head, self.basis = DemoModel(vocab), Head(), factor_basis()
        name_factors(self.model, self.prompter, self.basis)
        layers = self.model.model.language_model.layers
        self.watched = [layers[i].self_attn for i in WATCHED_LAYERS]
        for attention in self.watched:
            attention.watched = True
        matrices, others = split(self.model, self.head, stage)
        self.params = matrices + others
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.97), weight_decay=0.0)
        self.step, self.cpu_s, self.wall_s = 0, 0.0, 0.0
        self.load()

    def load(self):
        path = self.state / f"{self.stage}.pt"
        if path.exists():
            saved = torch.load(path, weights_only=False)
            self.model.load_state_dict(saved["model"])
            self.head.load_state_dict(saved["head"])
            self.adam.load_state_dict(saved["adam"])
            self.muon.buffers = saved["muon"]
            self.step, self.cpu_s, self.wall_s = saved["step"], saved["cpu_s"], saved["wall_s"]
        elif self.stage == "all":
            halves = [torch.load(self.state / f"{s}.pt", weights_only=False) for s in PARTS]
            vision, language = (half["model"] for half in halves)
            own = {k: v for k, v in language.items() if "visual" not in k}
            self.model.load_state_dict(vision | own)
            self.head.load_state_dict(halves[0]["head"])

    def save(self):
        saved = dict(
            model=self.model.state_dict(), head=self.head.state_dict(), adam=self.adam.state_dict(),
            muon=self.muon.buffers, step=self.step, cpu_s=self.cpu_s, wall_s=self.wall_s,
        )  # fmt: skip
        torch.save(saved, self.state / f"{self.stage}.next")
        os.replace(self.state / f"{self.stage}.next", self.state / f"{self.stage}.pt")

    def budget_s(self):
        path = self.state / "budget"
        whole = 60 * (float(path.read_text()) if path.exists() else self.args.cpu_minutes)
        return whole * (1 - PARTS_SHARE if self.stage == "all" else PARTS_SHARE)

    def factor(self, progress):
        """Of the learning rate."""
        warm = min(1.0, (self.step + 1) / 30)
        if self.stage == "all":
            return warm * max(0.01, ALL_LR * (1 - progress))
        return warm * max(0.2, min(1.0, 1.6 * (1 - progress)))

    def train_step(self, progress, tally):
        seed = [self.args.seed, STAGES.index(self.stage), self.step]
        rng, shared = np.random.default_rng([*seed, self.rank]), np.random.default_rng(seed)
        aux, right, loss = torch.zeros(()), [math.nan] * 5, torch.zeros(())
        looking = torch.zeros(())
        seeing = self.stage != "language"
        if self.stage != "vision" and self.step % 40 == 39:
            text_loss(self.model, data.text_batch(rng, self.prompter), None, [], tally).backward()
            return math.nan, math.nan, right + [math.nan]
        h, w, t = data.choose_grid(shared, progress)
        t = 2 if self.stage == "vision" else t
        branches = BRANCHES[self.stage]
        count = max(2, round(STEP_COST / data.clip_cost(h, w, t, branches)))
        early = self.stage == "language" and progress < 0.5
        b = data.batch(rng, (h, w, t), self.prompter, min(count, 16), branches, seeing, early)
        if seeing:
            visual, taps, inner = self.model.model.visual(b["patches"], *b["grid"][1:])
            aux, right = vision_loss(self.head, self.basis, visual, inner[0], b)
        else:
            visual, taps = b["factors"] @ self.basis, []
        if branches:
            loss = text_loss(self.model, b, visual, taps, tally)
            looking = sum(focus_loss(a, b) for a in self.watched) / len(self.watched)
        whole = loss + (AUX_WEIGHT if self.stage == "all" else 1.0) * aux
        (whole + FOCUS_WEIGHT * looking).backward()
        return float(loss.detach()), float(aux.detach()), right + [float(looking.detach())]

    @torch.no_grad()
    def exchange(self, progress):
        """Average the weights of both processes (cheaper than gradients at every step where the
        processes do not run evenly); the first one's progress goes along and is returned."""
        if self.stage != "all":
            return progress
        mine = [p.reshape(-1) for p in self.params] + [torch.tensor([progress])]
        flat = torch.cat(mine)
        flat[-1] *= PROCESSES if self.rank == 0 else 0
        dist.all_reduce(flat)
        flat /= PROCESSES
        at = 0
        for p in self.params:
            p.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()
        return float(flat[-1])

    def run(self):
        start, wall = time.process_time() - self.cpu_s, time.time() - self.wall_s
        saved_at = time.time()
        writes = self.rank == 0 or self.stage != "all"
        progress, tally, window = self.cpu_s / self.budget_s(), {}, []
        while progress < 1.0:
            window.append(self.train_step(progress, tally))
            self.cpu_s, self.wall_s = time.process_time() - start, time.time() - wall
            factor = self.factor(progress)
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
            if writes and self.step % 25 == 0:
                self.log(window, tally, progress, factor)
                window = []
                if self.step % 200 == 0:
                    tally = {}
            if writes and self.step % EXCHANGE_STEPS == 0 and time.time() - saved_at > 150:
                self.save()
                saved_at = time.time()
        if writes:
            self.save()

    def log(self, window, tally, progress, factor):
        rows = np.array([[w[0], w[1], *w[2]] for w in window])
        mean = [float(np.mean(c[~np.isnan(c)])) if (~np.isnan(c)).any() else None for c in rows.T]
        mean = [None if m is None else round(m, 4) for m in mean]
        row = dict(
            stage=self.stage,
            step=self.step,
            cpu_s=round(self.cpu_s),
            wall_s=round(self.wall_s),
            progress=round(progress, 4),
            lr=round(factor, 3),
            loss=mean[0],
            aux=mean[1],
            cells=mean[2:],
            exact={k: [n, round(ok / n, 3)] for k, (n, ok) in sorted(tally.items())},
        )
        with open(self.state / "log.jsonl", "a") as f:
            f.write(json.dumps(row) + "\n")


def work(rank, args):
    from datetime import timedelta

    dist.init_process_group(
        "gloo", init_method=f"file://{Path(args.state).resolve()}/meet", rank=rank,
        world_size=PROCESSES, timeout=timedelta(hours=6),
    )  # fmt: skip
    if not (Path(args.state) / "all.pt").exists():
        Run(args, rank, PARTS[rank]).run()  # returns at once if it was done before
        dist.barrier()
    Run(args, rank, "all").run()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--state", required=True, help="folder of the run: checkpoint, log, tokenizer"
    )
    parser.add_argument("--cpu-minutes", type=float, default=60.0, help="CPU time of each process")
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
    torch.multiprocessing.spawn(work, (args,), nprocs=PROCESSES)


if __name__ == "__main__":
    main()
