"""Random scenes of coloured shapes with a known truth, and their frames.

Lengths are in source pixels (x to the right, y down), times in seconds since the first frame.
A scene is a function of time, so training renders only the frames the model will see.
"""

import io
import math
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from PIL import Image

SHAPES = ("circle", "square", "triangle", "star")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple")
MOTIONS = ("left", "right", "up", "down", "around", "still", "grow", "shrink")
SIDES = (84, 142)  # least and most, in pixels
FRAME_RATES = (5.0, 8.0, 10.0, 12.0, 15.0, 20.0, 24.0, 25.0, 30000 / 1001, 30.0)
MAX_SPEED = 42.0  # pixels per second: what two frames per second can follow

# Hue in degrees and its spread; saturation and value stay high so that every hue is clear.
_HUES = {
    "red": (0, 5),
    "orange": (28, 4),
    "yellow": (56, 4),
    "green": (125, 15),
    "blue": (222, 9),
    "purple": (280, 8),
}
# Vertices at radius 1; a shape is scaled so that all look about equally large.
_SCALE = {"circle": 1.0, "square": 1.25, "triangle": 1.25, "star": 1.3}


def _hsv(hue_deg, saturation, value):
    channels = []
    for shift in (5, 3, 1):
        k = (shift + hue_deg / 60.0) % 6
        channels.append(value - value * saturation * max(0.0, min(k, 4 - k, 1.0)))
    return np.array(channels, np.float32) * 255.0


@dataclass
class Shape:
    """One object. Position and radius go linearly from start to end over its visible time,
    except for motion "around", which circles once or more about (x0, y0)."""

    shape: str
    color: str
    motion: str
    size: str  # "small", "large", or "" when it grows or shrinks
    rgb: np.ndarray
    angle: float
    appear_s: float | None = None
    vanish_s: float | None = None
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0
    r0: float = 0.0
    r1: float = 0.0
    orbit: float = 0.0
    phase: float = 0.0
    turn: float = 0.0  # whole angle in radians, signed
    end_s: float = 0.0  # end of the clip

    @property
    def name(self):
        return f"{self.color} {self.shape}"

    def visible(self, time_s):
        after = self.appear_s is None or time_s >= self.appear_s
        return after and (self.vanish_s is None or time_s < self.vanish_s)

    def place(self, time_s):
        """(x, y, radius) at a time."""
        start = self.appear_s or 0.0
        end = self.end_s if self.vanish_s is None else self.vanish_s
        f = min(max((time_s - start) / max(end - start, 1e-6), 0.0), 1.0)
        r = self.r0 + (self.r1 - self.r0) * f
        if self.motion == "around":
            a = self.phase + self.turn * f
            return self.x0 + self.orbit * math.cos(a), self.y0 + self.orbit * math.sin(a), r
        return self.x0 + (self.x1 - self.x0) * f, self.y0 + (self.y1 - self.y0) * f, r

    def box(self, time_s):
        """(x_min, y_min, x_max, y_max) at a time."""
        x, y, r = self.place(time_s)
        if self.shape == "circle":
            return x - r, y - r, x + r, y + r
        points = _vertices(self.shape, r, self.angle)
        low, high = points.min(0), points.max(0)
        return x + low[0], y + low[1], x + high[0], y + high[1]


@dataclass
class Scene:
    width: int
    height: int
    fps: float
    frames_total: int
    shapes: list = field(default_factory=list)
    background: np.ndarray | None = None  # float32 [height, width, 3]
    grain: float = 0.0  # standard deviation of the noise of each frame
    seed: int = 0

    @property
    def duration_s(self):
        return self.frames_total / self.fps


def _vertices(shape, r, angle):
    r = r * _SCALE[shape]
    if shape == "star":
        angles = np.arange(10) * math.pi / 5
        radii = np.where(np.arange(10) % 2 == 0, r, 0.45 * r)
    else:
        n = 4 if shape == "square" else 3
        angles = np.arange(n) * 2 * math.pi / n + (math.pi / 4 if n == 4 else 0)
        radii = np.full(n, r)
    angles = angles + angle
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], 1)


def _coverage(shape, r, angle, dx, dy):
    """Antialiased coverage in [0, 1] of pixels at offsets dx [1, w], dy [h, 1] from the centre."""
    if shape == "circle":
        return np.clip(r - np.sqrt(dx * dx + dy * dy) + 0.5, 0, 1)
    points = _vertices(shape, r, angle)
    if shape != "star":
        distance = None
        for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, 0)):
            length = math.hypot(bx - ax, by - ay)
            d = ((bx - ax) * (dy - ay) - (by - ay) * (dx - ax)) / length
            distance = d if distance is None else np.minimum(distance, d)
        return np.clip(distance + 0.5, 0, 1)
    # Fold into one half of a point of the star: its edge runs from the tip to the inner corner.
    outer = r * _SCALE["star"]
    inner = 0.45 * outer
    theta = np.arctan2(dx, -dy) - angle
    theta = np.abs((theta + math.pi / 5) % (2 * math.pi / 5) - math.pi / 5)
    rho = np.sqrt(dx * dx + dy * dy)
    px, py = rho * np.cos(theta), rho * np.sin(theta)
    bx, by = inner * math.cos(math.pi / 5), inner * math.sin(math.pi / 5)
    length = math.hypot(bx - outer, by)
    d = ((px - outer) * by - (bx - outer) * py) / length
    return np.clip(0.5 - d, 0, 1)


# --- random scenes ---------------------------------------------------------------------------


def _random_color(rng, color):
    hue, spread = _HUES[color]
    low_value = 0.85 if color in ("orange", "yellow") else 0.68
    return _hsv(
        (hue + rng.uniform(-spread, spread)) % 360, rng.uniform(0.82, 1), rng.uniform(low_value, 1)
    )


def _random_background(rng, width, height):
    """A nearly grey background: plain, gradient, texture or stripes, light or dark."""

    def tone(low, high):
        return _hsv(rng.uniform(0, 360), rng.uniform(0, 0.14), rng.uniform(low, high))

    low, high = ((0.78, 1.0), (0.03, 0.28), (0.35, 0.62))[rng.choice(3, p=(0.4, 0.4, 0.2))]
    kind = rng.choice(("plain", "gradient", "texture", "stripes"), p=(0.35, 0.25, 0.25, 0.15))
    first = tone(low, high)
    if kind == "plain":
        return np.broadcast_to(first, (height, width, 3)).astype(np.float32)
    spread = 0.12 if kind != "gradient" else 0.25
    other = np.clip(first + 255 * rng.uniform(-spread, spread), 0, 255)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    a = rng.uniform(0, 2 * math.pi)
    along = x * math.cos(a) + y * math.sin(a)
    if kind == "gradient":
        f = (along - along.min()) / max(along.max() - along.min(), 1e-6)
    elif kind == "stripes":
        f = ((along / rng.uniform(5, 18)).astype(np.int64) % 2).astype(np.float32)
    else:
        cells = rng.random((int(rng.integers(4, 14)), int(rng.integers(4, 14)))).astype(np.float32)
        f = np.asarray(Image.fromarray(cells).resize((width, height), Image.BICUBIC))
    return (first + (other - first) * f[..., None]).astype(np.float32)


def _random_events(rng, duration_s, samples_s):
    """(appear, vanish), well inside the clip and at least 2 seen frames from either end."""
    if duration_s < 3.0 or len(samples_s) < 6 or rng.random() < 0.5:
        return None, None
    low, high = samples_s[1] + 0.15, samples_s[-2] - 0.15
    kind = rng.random()
    if kind < 0.42:
        return rng.uniform(low, max(low, high - 1.0)), None
    if kind < 0.84:
        return None, rng.uniform(min(high, low + 1.0), high)
    if high - low < 3.0:
        return None, None
    appear = rng.uniform(low, high - 2.5)
    return appear, rng.uniform(appear + 2.5, high)


def _random_shape(rng, scene, name, samples_s):
    color, shape = name
    appear, vanish = _random_events(rng, scene.duration_s, samples_s)
    span = (scene.duration_s if vanish is None else vanish) - (appear or 0.0)
    motions, weights = list(MOTIONS), np.array([4, 4, 4, 4, 2, 4, 1.5, 1.5])
    if span < 3.2 or min(scene.width, scene.height) < 90:
        weights[4] = 0
    motion = motions[rng.choice(8, p=weights / weights.sum())]
    size = ("small", "large")[int(rng.integers(2))]
    r = rng.uniform(13, 15) if size == "small" else rng.uniform(19.5, 23)
    s = Shape(shape, color, motion, size, _random_color(rng, color), rng.uniform(-0.1, 0.1))
    s.appear_s, s.vanish_s, s.end_s = appear, vanish, scene.duration_s
    s.r0 = s.r1 = r
    if motion in ("grow", "shrink"):
        s.size, s.r0, s.r1 = "", rng.uniform(11, 13), rng.uniform(20, 23)
        if motion == "shrink":
            s.r0, s.r1 = s.r1, s.r0
    margin = max(s.r0, s.r1) * 1.25 + 2
    free_w, free_h = scene.width - 2 * margin, scene.height - 2 * margin
    if free_w < 1 or free_h < 1:
        return None
    s.x0 = s.x1 = margin + rng.uniform(0, free_w)
    s.y0 = s.y1 = margin + rng.uniform(0, free_h)
    if motion == "around":
        most = min(free_w, free_h) / 2
        if most < 13:
            return None
        s.orbit, s.phase = rng.uniform(13, min(most, 30)), rng.uniform(0, 2 * math.pi)
        s.x0 = margin + s.orbit + rng.uniform(0, free_w - 2 * s.orbit)
        s.y0 = margin + s.orbit + rng.uniform(0, free_h - 2 * s.orbit)
        # At most 60 degrees between two seen frames, else the sense of rotation is lost.
        most_turn = min(span * math.radians(115), 4.5 * math.pi)
        s.turn = rng.choice((-1, 1)) * rng.uniform(min(5.6, most_turn), most_turn)
    if motion in ("left", "right", "up", "down"):
        free = free_w if motion in ("left", "right") else free_h
        most = min(free, MAX_SPEED * span)
        if most < 26:
            return None
        travel = rng.uniform(max(26, 0.4 * most), most)
        start = margin + rng.uniform(0, free - travel)
        a, b = start, start + travel
        if motion in ("left", "up"):
            a, b = b, a
        drift = rng.uniform(-0.08, 0.08) * travel
        if motion in ("left", "right"):
            s.x0, s.x1, s.y1 = a, b, float(np.clip(s.y0 + drift, margin, margin + free_h))
        else:
            s.y0, s.y1, s.x1 = a, b, float(np.clip(s.x0 + drift, margin, margin + free_w))
    return s


def _collide(a, b, times_s):
    events = [e for e in (a.appear_s, b.appear_s) if e is not None]
    for t in [*times_s, *events]:
        if a.visible(t) and b.visible(t):
            ax, ay, ar = a.place(t)
            bx, by, br = b.place(t)
            if math.hypot(ax - bx, ay - by) < 1.12 * (ar + br) + 2:
                return True
    return False


def sample_indices(frames_total, fps):
    """The indices of the frames the model sees: 2 per second, at least 4 (spec section 4)."""
    n = int(frames_total / fps * 2.0)
    n = min(max(n, 4), 768, frames_total)
    if n == 1:
        return [0]
    step = (frames_total - 1) / (n - 1)
    indices = [int(round(i * step)) for i in range(n)]
    indices[-1] = frames_total - 1
    return indices


def timestamps(indices, fps):
    """One time per temporal patch: the mean of its two frames."""
    indices = list(indices) + ([indices[-1]] if len(indices) % 2 else [])
    times = [i / fps for i in indices]
    return [(a + b) / 2 for a, b in zip(times[::2], times[1::2])]


def random_scene(rng, width, height, duration_s, count=None, fps=None, grain=None):
    """A scene with `count` shapes, all different in colour and shape; fewer if they do not fit."""
    fps = float(rng.choice(FRAME_RATES)) if fps is None else fps
    scene = Scene(width, height, fps, max(4, round(duration_s * fps)))
    scene.seed = int(rng.integers(1 << 30))
    scene.background = _random_background(rng, width, height)
    scene.grain = float(rng.choice((0, 2, 4, 7))) if grain is None else grain
    if count is None:
        count = int(rng.choice(4, p=(0.05, 0.25, 0.35, 0.35)))
    samples_s = [i / fps for i in sample_indices(scene.frames_total, fps)]
    fine_s = np.linspace(0, scene.duration_s, 2 * len(samples_s) + 1)
    colors = rng.choice(COLORS, count, replace=rng.random() < 0.25)
    shapes = rng.choice(SHAPES, count, replace=rng.random() < 0.5)
    for name in dict.fromkeys((str(c), str(s)) for c, s in zip(colors, shapes)):
        for _ in range(30):
            s = _random_shape(rng, scene, name, samples_s)
            if s is not None and not any(_collide(s, o, fine_s) for o in scene.shapes):
                scene.shapes.append(s)
                break
    return scene


# --- frames ----------------------------------------------------------------------------------

_NOISE = np.random.default_rng(1).standard_normal((1 << 20,)).astype(np.float32)


def render(scene, times_s, with_ids=False):
    """uint8 [n, height, width, 3]; with_ids also uint8 [n, height, width], 0 or 1 + index."""
    n, h, w = len(times_s), scene.height, scene.width
    frames = np.empty((n, h, w, 3), np.uint8)
    ids = np.zeros((n, h, w), np.uint8)
    rng = np.random.default_rng(scene.seed)
    for i, t in enumerate(times_s):
        image = scene.background.copy()
        if scene.grain:
            start = int(rng.integers(len(_NOISE) - h * w))
            noise = _NOISE[start : start + h * w].reshape(h, w, 1)
            image += scene.grain * noise
        for k, s in enumerate(scene.shapes):
            if not s.visible(t):
                continue
            x, y, r = s.place(t)
            reach = r * 1.35 + 2
            x_lo, x_hi = max(0, int(x - reach)), min(w, int(x + reach) + 1)
            y_lo, y_hi = max(0, int(y - reach)), min(h, int(y + reach) + 1)
            dx = np.arange(x_lo, x_hi, dtype=np.float32)[None] + np.float32(0.5 - x)
            dy = np.arange(y_lo, y_hi, dtype=np.float32)[:, None] + np.float32(0.5 - y)
            c = _coverage(s.shape, r, s.angle, dx, dy)
            part = image[y_lo:y_hi, x_lo:x_hi]
            part += c[..., None] * (s.rgb - part)
            ids[i, y_lo:y_hi, x_lo:x_hi][c > 0.5] = k + 1
        np.clip(image, 0, 255, out=image)
        frames[i] = image
    return (frames, ids) if with_ids else frames


def seen(scene, with_ids=False):
    """The frames the model sees, and their indices."""
    indices = sample_indices(scene.frames_total, scene.fps)
    return render(scene, [i / scene.fps for i in indices], with_ids), indices


def jpeg_noise(frames, quality):
    """Cheap compression artefacts: each frame through JPEG with halved chroma."""
    out = np.empty_like(frames)
    for i, frame in enumerate(frames):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=2)
        out[i] = np.asarray(Image.open(buffer))
    return out


def encode(frames, fps, crf, path):
    """Write an H.264 mp4 with the ffmpeg program. Odd sides are cut by one pixel, as 4:2:0
    needs."""
    frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    rate = Fraction(fps).limit_denominator(1001)
    command = (
        f"ffmpeg -nostdin -loglevel error -y -f rawvideo -pix_fmt rgb24 -r {rate} "
        f"-s {frames.shape[2]}x{frames.shape[1]} -i pipe: -c:v libx264 -threads 1 "
        f"-preset veryfast -crf {crf} -pix_fmt yuv420p"
    )
    subprocess.run([*command.split(), str(path)], input=frames.tobytes(), check=True)


def h264_noise(frames, crf):
    """Frames through H.264 and back."""
    import av

    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=4)
        stream.width, stream.height = frames.shape[2] // 2 * 2, frames.shape[1] // 2 * 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for frame in frames[:, : stream.height, : stream.width]:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))))
        out.mux(stream.encode())
    memory.seek(0)
    coded = decode(memory)[0]
    return coded if len(coded) == len(frames) else frames


def decode(source):
    """(uint8 [n, h, w, 3], average frame rate) of a video file."""
    import av

    with av.open(source) as container:
        stream = container.streams.video[0]
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate)
