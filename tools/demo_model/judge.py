"""Whether an answer says the truth about a scene."""

import json
import re

from scenes import COLORS, SHAPES
from wordings import MOTION_TEXT, NUMBERS, REFUSAL

TIME_TOLERANCE_S = 0.6


def _times(text):
    return [60 * int(m) + float(s) for m, s in re.findall(r"\[(\d+):(\d+(?:\.\d+)?)\]", text)]


def _time_right(text, truth_s):
    times = _times(text)
    if truth_s is None:
        return not times
    return len(times) == 1 and abs(times[0] - truth_s) <= TIME_TOLERANCE_S


def _motion(text):
    for motion, words in MOTION_TEXT.items():
        if words in text:
            return motion
    return None


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def parse_json(text):
    text = re.sub(r"^```(?:json)?|```$", "", text.strip()).strip()
    try:
        return json.loads(text)
    except ValueError:
        return None


def _description_right(text, shapes, image):
    sentences = [s for s in re.split(r"(?<=[a-z\]])\.\s*", text) if s]
    if not shapes:
        return not any(c in text for c in COLORS)
    if len(sentences) != len(shapes):
        return False
    for fact in shapes:
        mine = [s for s in sentences if f"{fact['color']} {fact['shape']}" in s.lower()]
        if len(mine) != 1:
            return False
        if image:
            continue
        if _motion(mine[0]) != fact["motion"]:
            return False
        said = dict.fromkeys(("appear_s", "vanish_s"))
        for key, word in (("appear_s", "appears at "), ("vanish_s", "disappears at ")):
            match = re.search(rf"\b{word}(\[[^]]*\])", mine[0])
            said[key] = match[1] if match else None
            if (said[key] is None) != (fact[key] is None):
                return False
            if said[key] is not None and not _time_right(said[key], fact[key]):
                return False
    return True


def right(kind, truth, text):
    """Whether an answer says the truth."""
    low = text.lower()
    if kind in ("describe", "describe_image"):
        return _description_right(text, truth["shapes"], kind == "describe_image")
    if kind == "count":
        words = [n for n, w in enumerate(NUMBERS) if re.search(rf"\b({w}|{n})\b", low)]
        return words == [truth["count"]]
    if kind == "color":
        if truth.get("none"):
            return "no " in low
        return [c for c in COLORS if c in low] == [truth["color"]]
    if kind == "shape":
        return [s for s in SHAPES if s in low] == [truth["shape"]]
    if kind == "direction":
        return _motion(low) == truth["motion"]
    if kind in ("moves", "presence"):
        return low.startswith("yes") == truth["yes"] and low.startswith(("yes", "no"))
    if kind in ("appear", "vanish"):
        return _time_right(text, truth["time_s"])
    if kind == "first":
        return truth["name"] in low
    if kind == "json":
        return parse_json(text) == truth["items"]
    if kind == "box":
        value = parse_json(text)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        box = value.get("bbox_2d") if isinstance(value, dict) else None
        return isinstance(box, list) and len(box) == 4 and iou(box, truth["box"]) >= 0.5
    if kind == "size":
        return truth["size"] in low
    if kind == "other":
        return low.strip() == REFUSAL.lower()
    raise ValueError(kind)
