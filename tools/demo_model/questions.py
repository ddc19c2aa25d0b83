"""Questions about a scene in many wordings, and their truthful answers."""

import json
import re
from dataclasses import dataclass, field

from scenes import COLORS, SHAPES
from wordings import EMPTY, MOTION_ASK, MOTION_TEXT, NUMBERS, OTHER_WORDS, REFUSAL, WORDINGS

FOLLOWED = ("direction", "appear", "vanish", "first", "size")
FOLLOW_UPS = {
    "color": ("What colour is it?", "And its colour?", "Which color?"),
    "shape": ("What shape is it?", "And its shape?"),
    "direction": ("Which way does it move?", "Where does it go?", "And how does it move?"),
    "appear": ("When does it appear?", "And when does it appear?"),
    "vanish": ("When does it disappear?", "And when does it leave?"),
}


@dataclass
class Question:
    kind: str
    text: str
    answer: str
    truth: dict = field(default_factory=dict)
    about: list = field(default_factory=list)  # see Asker.told


def _choose(rng, options):
    return options[int(rng.integers(len(options)))]


def fill(rng, pattern, **names):
    """One random text of a pattern."""
    pattern = re.sub(r"\{([^{}]*)\}", lambda m: _choose(rng, m[1].split("|")), pattern)
    pattern = re.sub(r"\{([^{}]*)\}", lambda m: _choose(rng, m[1].split("|")), pattern)
    text = re.sub(r"\[(\w)\]", lambda m: names[m[1]], pattern)
    text = re.sub("<w>", lambda m: _unknown_word(rng), text)
    text = re.sub("<n>", lambda m: str(int(rng.integers(100))), text)
    text = re.sub(r" +([?.]|$)", r"\1", re.sub("  +", " ", text))
    text = re.sub(r"\ba ([aeiou])", r"an \1", text)
    return text[0].upper() + text[1:]


def _unknown_word(rng):
    if rng.random() < 0.75:
        return _choose(rng, OTHER_WORDS)
    letters = [
        _choose(rng, "bcdfghklmnprstvw") + _choose(rng, "aeiou")
        for _ in range(int(rng.integers(1, 5)))
    ]
    return "".join(letters) + _choose(rng, ("", "n", "r", "s", "t"))


def _untidy(rng, text):
    """As people type: sometimes no capital, no full stop, or other blanks."""
    roll = rng.random()
    if roll < 0.08:
        return text.lower()
    if roll < 0.13:
        return text.rstrip("?.!")
    if roll < 0.18:
        return text.lower().rstrip("?.!")
    return text


def clock(time_s):
    """To half a second: the frames, two per second, tell no more."""
    tenths = 5 * round(time_s * 2)
    return f"[{tenths // 600:02d}:{tenths % 600 // 10:02d}.{tenths % 10}]"


def an(text):
    return ("an " if text[0] in "aeiou" else "a ") + text


class Asker:
    """Asks about one scene. Times in answers are those a viewer of the sampled frames can know:
    the middle between the last frame before an event and the first one after it."""

    def __init__(self, rng, scene, indices, image=False, heldout=False, early=False):
        self.rng, self.scene, self.image, self.heldout = rng, scene, image, heldout
        self.kinds = self.KINDS | self.EARLY if early else self.KINDS
        self.seen_s = [i / scene.fps for i in indices]
        self.shapes = sorted(
            scene.shapes, key=lambda s: (COLORS.index(s.color), SHAPES.index(s.shape))
        )
        if image:
            self.shapes = [s for s in self.shapes if s.visible(0.0)]

    # --- names ---

    def _only(self, attribute, value):
        return sum(getattr(s, attribute) == value for s in self.shapes) == 1

    def refer(self, s):
        """A phrase that means only this object."""
        options = [f"the {s.name}"] * 3
        if self._only("shape", s.shape):
            options.append(f"the {s.shape}")
        if self._only("color", s.color):
            options.append(
                f"the {s.color} {_choose(self.rng, ('shape', 'object', 'one', 'thing'))}"
            )
        if len(self.shapes) == 1:
            options += ["the shape", "the object", "it"]
        return _choose(self.rng, options)

    def _ask(self, kind, answer, truth=None, about=(), **names):
        wordings = WORDINGS[kind]
        pattern = wordings[-1] if self.heldout else _choose(self.rng, wordings[:-1])
        text = fill(self.rng, pattern, **names)
        if not self.heldout:
            text = _untidy(self.rng, text)
        return Question(kind, text, answer, truth or {}, list(about))

    def told(self, s, text, start=0):
        """What a text about an object is about, from each character on: (first character, shape,
        (from_s, to_s) or None for the whole clip). A time is about the frames around its event."""
        spans = [(start, s, None)]
        for m in re.finditer(r"(dis)?appears at (\[[^\]]*\])", text):
            k = self._event_frame(s, "vanish" if m[1] else "appear")
            spans.append((start + m.start(2), s, (self.seen_s[k - 1], self.seen_s[k])))
            spans.append((start + m.end(2), s, None))
        return spans

    # --- times ---

    def _event_frame(self, s, which):
        """The first seen frame after the event."""
        flags = [s.visible(t) for t in self.seen_s]
        return flags.index(True) if which == "appear" else len(flags) - flags[::-1].index(True)

    def event_s(self, s, which):
        """The seen time of "appear" or "vanish", or None without such an event."""
        if getattr(s, which + "_s") is None:
            return None
        k = self._event_frame(s, which)
        return (self.seen_s[k - 1] + self.seen_s[k]) / 2

    # --- answers ---

    def sentence(self, s):
        """All about one object."""
        if self.image:
            return f"There is {an(s.name)}."
        parts = [MOTION_TEXT[s.motion]]
        appear, vanish = self.event_s(s, "appear"), self.event_s(s, "vanish")
        if appear is not None:
            parts.insert(0, f"appears at {clock(appear)}")
        if vanish is not None:
            parts.append(f"disappears at {clock(vanish)}")
        if len(parts) == 3:
            return f"{an(s.name).capitalize()} {parts[0]}, {parts[1]} and {parts[2]}."
        return f"{an(s.name).capitalize()} {' and '.join(parts)}."

    def _facts(self, s):
        keys = ("color", "shape", "motion", "appear_s", "vanish_s")
        return {key: getattr(s, key) for key in keys}

    def describe(self):
        answer, about = "", []
        for s in self.shapes:
            sentence = self.sentence(s)
            about += self.told(s, sentence, len(answer))
            answer += sentence + " "
        truth = {"shapes": [self._facts(s) for s in self.shapes]}
        kind = "describe_image" if self.image else "describe"
        return self._ask(kind, answer.rstrip() or EMPTY, truth, about)

    def count(self):
        n = len(self.shapes)
        answer = f"There are {NUMBERS[n]} shapes." if n > 1 else "There is one shape."
        answer = answer if n else EMPTY
        return self._ask("count", answer, {"count": n})

    def color(self):
        options = [s for s in self.shapes if self._only("shape", s.shape)]
        absent = [n for n in SHAPES if not any(s.shape == n for s in self.shapes)]
        if not options or (absent and self.rng.random() < 0.08):
            if not absent:
                return None
            shape = _choose(self.rng, absent)
            return self._ask(
                "color", f"There is no {shape} here.", {"none": True}, s=f"the {shape}"
            )
        s = _choose(self.rng, options)
        names = [f"the {s.shape}"] + (
            ["it", "the shape", "the object"] if len(self.shapes) == 1 else []
        )
        return self._ask(
            "color",
            f"The {s.shape} is {s.color}.",
            {"color": s.color},
            self.told(s, ""),
            s=_choose(self.rng, names),
        )

    def shape(self):
        options = [s for s in self.shapes if self._only("color", s.color)]
        if not options:
            return None
        s = _choose(self.rng, options)
        names = [f"the {s.color} {_choose(self.rng, ('one', 'object', 'thing', 'shape'))}"]
        names += ["it", "the object"] if len(self.shapes) == 1 else []
        answer, told = f"The {s.color} shape is {an(s.shape)}.", self.told(s, "")
        return self._ask("shape", answer, {"shape": s.shape}, told, c=_choose(self.rng, names))

    def _pick(self):
        return _choose(self.rng, self.shapes) if self.shapes else None

    def direction(self):
        s = self._pick()
        if s is None or self.image:
            return None
        answer = f"The {s.name} {MOTION_TEXT[s.motion]}."
        told = self.told(s, "")
        return self._ask("direction", answer, {"motion": s.motion}, told, o=self.refer(s))

    def moves(self):
        s = self._pick()
        if s is None or self.image:
            return None
        asked = _choose(self.rng, [m for m in MOTION_ASK])
        if s.motion in MOTION_ASK and self.rng.random() < 0.5:
            asked = s.motion
        answer = f"{'Yes' if asked == s.motion else 'No'}, it {MOTION_TEXT[s.motion]}."
        words = _choose(self.rng, MOTION_ASK[asked])
        truth = {"yes": asked == s.motion}
        return self._ask("moves", answer, truth, self.told(s, ""), o=self.refer(s), d=words)

    def presence(self):
        color, shape = _choose(self.rng, COLORS), _choose(self.rng, SHAPES)
        if self.shapes:
            s = _choose(self.rng, self.shapes)
            roll = self.rng.random()
            if roll < 0.5:
                color, shape = s.color, s.shape
            elif roll < 0.65:  # a near miss: the colour or the shape of something that is there
                color = s.color
            elif roll < 0.8:
                shape = s.shape
        form = int(self.rng.integers(3))
        if form == 0:
            name, found = shape, [s for s in self.shapes if s.shape == shape]
        elif form == 1:
            name = f"{color} {_choose(self.rng, ('shape', 'object', 'thing'))}"
            found = [s for s in self.shapes if s.color == color]
        else:
            name = f"{color} {shape}"
            found = [s for s in self.shapes if s.name == name]
        answer = f"Yes, there is {an(name)}." if found else f"No, there is no {name}."
        about = self.told(found[0], "") if found else []
        return self._ask("presence", answer, {"yes": bool(found)}, about, q=name)

    def when(self, s, which):
        seen = self.event_s(s, which)
        if seen is None:
            rest = "is there from the start" if which == "appear" else "stays until the end"
            return f"The {s.name} {rest}."
        return f"The {s.name} {'appears' if which == 'appear' else 'disappears'} at {clock(seen)}."

    def _event(self, which):
        if self.image or not self.shapes:
            return None
        with_event = [s for s in self.shapes if getattr(s, which + "_s") is not None]
        if with_event and self.rng.random() < 0.85:
            s = _choose(self.rng, with_event)
        elif self.rng.random() < 0.3:
            s = self._pick()
        else:
            return None
        truth, answer = {"time_s": getattr(s, which + "_s")}, self.when(s, which)
        return self._ask(which, answer, truth, self.told(s, answer), o=self.refer(s))

    def appear(self):
        return self._event("appear")

    def vanish(self):
        return self._event("vanish")

    def first(self):
        if self.image or not self.shapes:
            return None
        order = sorted(self.shapes, key=lambda s: s.appear_s or 0.0)
        if len(order) > 1 and (order[1].appear_s or 0.0) - (order[0].appear_s or 0.0) < 1.2:
            return None
        name, about = order[0].name, self.told(order[0], "")
        return self._ask("first", f"The {name} appears first.", {"name": name}, about)

    def json(self):
        if self.image:
            items = [{"color": s.color, "shape": s.shape} for s in self.shapes]
        else:
            items = [{"color": s.color, "shape": s.shape, "motion": s.motion} for s in self.shapes]
        answer = json.dumps(items)
        starts = [m.start() for m in re.finditer("{", answer)]
        about = [(start, s, None) for start, s in zip(starts, self.shapes)]
        return self._ask("json", answer, {"items": items}, about)

    def box(self):
        s = self._pick()
        if s is None:
            return None
        times = [t for t in (self.seen_s[0], self.seen_s[-1]) if s.visible(t)]
        if not times:
            return None
        t = _choose(self.rng, times)
        if self.image or s.motion == "still":
            words = ""
        else:
            at_start = ("at the start", "in the first frame", "at the beginning")
            at_end = ("at the end", "in the last frame")
            words = _choose(self.rng, at_start if t == self.seen_s[0] else at_end)
        w, h = self.scene.width, self.scene.height
        x0, y0, x1, y1 = s.box(t)
        exact = [1000 * x0 / w, 1000 * y0 / h, 1000 * x1 / w, 1000 * y1 / h]
        # Steps of 20 thousandths, about two pixels: fewer values to tell apart.
        rounded = [min(980, max(0, 20 * round(v / 20))) for v in exact]
        # The name first: what is said last leads to the place, as in the other answers.
        answer = json.dumps({"label": s.name, "bbox_2d": rounded})
        name = f"the {s.name}" if len(self.shapes) > 1 else self.refer(s)
        return self._ask("box", answer, {"box": exact}, [(0, s, (t, t))], o=name, w=words)

    def size(self):
        options = [s for s in self.shapes if s.size]
        if not options:
            return None
        s = _choose(self.rng, options)
        answer, told = f"The {s.name} is {s.size}.", self.told(s, "")
        return self._ask("size", answer, {"size": s.size}, told, o=self.refer(s))

    def other(self):
        return self._ask("other", REFUSAL, {"refusal": True})

    # --- dialogues ---

    def follow_up(self, question):
        """A second turn about the object of a first one, or None."""
        match = re.search(rf"({'|'.join(COLORS)}) ({'|'.join(SHAPES)})", question.answer)
        if self.image or not match or question.kind not in FOLLOWED:
            return None
        s = next((s for s in self.shapes if s.name == match[0]), None)
        if s is None:
            return None
        kind = _choose(self.rng, [k for k in FOLLOW_UPS if k != question.kind])
        if kind == "color":
            answer, truth = f"The {s.shape} is {s.color}.", {"color": s.color}
        elif kind == "shape":
            answer, truth = f"The {s.color} shape is {an(s.shape)}.", {"shape": s.shape}
        elif kind == "direction":
            answer, truth = f"The {s.name} {MOTION_TEXT[s.motion]}.", {"motion": s.motion}
        else:
            answer, truth = self.when(s, kind), {"time_s": getattr(s, kind + "_s")}
        return Question(
            kind, _choose(self.rng, FOLLOW_UPS[kind]), answer, truth, self.told(s, answer)
        )

    KINDS = {
        "describe": 1.2,
        "count": 0.5,
        "color": 1.4,
        "shape": 0.6,
        "direction": 1.2,
        "moves": 0.5,
        "presence": 1.0,
        "appear": 1.8,
        "vanish": 1.8,
        "first": 0.3,
        "json": 0.3,
        "box": 2.0,
        "size": 0.4,
        "other": 0.4,
    }  # fmt: skip

    # While words are still unknown: boxes and times are many digits that none could guess yet, and
    # they drown what could be learnt first.
    EARLY = {"box": 0.3, "appear": 1.0, "vanish": 1.0, "direction": 2.0, "moves": 0.7, "shape": 0.8}

    def dialogues(self, n):
        """n lists of one or two questions, of different kinds where the scene allows."""
        kinds, total = list(self.kinds), sum(self.kinds.values())
        weights = list(self.kinds.values())
        result, used = [], set()
        while len(result) < n:
            kind = kinds[int(self.rng.choice(len(kinds), p=[w / total for w in weights]))]
            if kind in used and self.rng.random() < 0.7:
                continue
            question = getattr(self, kind)()
            if question is None:
                continue
            used.add(kind)
            turns = [question]
            if self.rng.random() < 0.3:
                second = self.follow_up(question)
                if second is not None:
                    turns.append(second)
            result.append(turns)
        return result
