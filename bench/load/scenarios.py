"""The scenarios. Each yields rows: what, what was measured, what must hold."""
import asyncio
import concurrent.futures
import contextlib
import http.server
import json
import re
import shutil
import subprocess
import threading
import time

from probe import (DEMO, PROGRAM, ROOT, TALKER, Service, health_times, idle_health, median,
                   peak_memory, percentile, show)

BOUNDARY = "tru-load"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
EVENTS = {**FORM, "Accept": "text/event-stream"}
STORY = {"messages": [{"role": "user", "content": "Tell a story"}], "temperature": 1,
         "max_tokens": 32768, "stream": True}
JSON = {"Content-Type": "application/json"}


def form(clip, **fields):
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="video"; '
                 f'filename="clip.mp4"\r\n\r\n')
    return "".join(parts).encode() + clip.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def health():
    """The quickest route, unloaded and as fast as it goes."""
    with Service(DEMO) as service:
        yield "`/v1/health`, idle: p50 / p99", show(idle_health(service)), "p99 <= 50 ms"
        if not shutil.which("wrk"):
            yield "`/v1/health`, wrk", "not measured: no wrk here", ">= 5,000 requests/s"
            return
        done = subprocess.run(
            ["wrk", "-t1", "-c32", "-d10s", f"http://127.0.0.1:{service.port}/v1/health"],
            capture_output=True, text=True, check=True)
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
        yield "`/v1/health`, wrk with 32 connections", f"{rate:,.0f} requests/s", ">= 5,000"


def overhead(rounds=15):
    """A whole request over HTTP beside `tru ask`'s own account of the same question."""
    clip = DEMO / "samples" / "passing.mp4"
    fields = {"prompt": "What happens?", "max_tokens": 4, "temperature": 0}
    over_http, inside, asked = [], [], []
    with Service(DEMO) as service:
        body = form(clip, **fields)
        for _ in range(rounds):
            begin = time.perf_counter()
            status, answer = service.call("POST", "/v1/inference/upload", body, FORM)
            over_http.append((time.perf_counter() - begin) * 1000)
            assert status == 200, answer
            inside.append(json.loads(answer)["timings_ms"]["total"])
            done = subprocess.run(
                [PROGRAM, "ask", clip, fields["prompt"], "--model", DEMO, "--max-tokens", "4",
                 "--temperature", "0", "--json", "--quiet"],
                capture_output=True, text=True, check=True)
            asked.append(json.loads(done.stdout)["timings_ms"]["total"])
    yield ("one request: over HTTP / its own total / `tru ask`'s total, medians",
           f"{median(over_http):.1f} / {median(inside):.1f} / {median(asked):.1f} ms", "")
    yield ("service over `tru ask`", f"{median(over_http) - median(asked):.1f} ms", "<= 20 ms")


def make_long_clip(folder):
    """Fifty seconds of 1080p, whose decoding alone takes long."""
    part, whole = f"{folder}/part.mp4", f"{folder}/long.mp4"
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error"]
    subprocess.run([*quiet, "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=2",
                    "-c:v", "libx264", "-preset", "veryfast", "-crf", "40", "-g", "60",
                    part], check=True)
    subprocess.run([*quiet, "-stream_loop", "24", "-i", part, "-c", "copy", whole], check=True)
    return type(DEMO)(whole)


def stages(folder):
    """(stage, request body) that stays long in it."""
    media = ROOT / "tests" / "data" / "media"
    one = media / "one_frame.mp4"
    yield "decode", form(make_long_clip(folder), prompt="x", fps=6, min_pixels=1024,
                         max_pixels=4096)
    yield "vision", form(media / "fast_60fps.mp4", prompt="x", num_frames=120,
                         min_pixels=1_000_000, max_pixels=1_000_000, total_pixels=120_000_000)
    yield "prefill", form(one, prompt="many words " * 4000)
    yield "generate", form(one, prompt="x", max_tokens=32768)


def reach(service, stage, body):
    """A streamed request that has got to the stage."""
    path, headers = ("url", JSON) if stage == "download" else ("upload", EVENTS)
    connection = service.open("POST", f"/v1/inference/{path}", body, headers)
    response = connection.getresponse()
    name = b""
    while line := response.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip()
        elif line.startswith(b"data: "):
            at_stage = name == b"token" if stage == "generate" else (
                name == b"progress" and json.loads(line[6:])["stage"] == stage)
            if at_stage:
                return connection, response
            assert name in (b"queued", b"progress"), line
    raise AssertionError(f"the request ended before {stage}")


class SlowSite(http.server.BaseHTTPRequestHandler):
    """A clip whose download never ends."""

    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Length", "900000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"\0" * 65536)
                time.sleep(0.05)

    def log_message(self, *_):
        pass


def from_site(site):
    """The body of a question about the clip of a SlowSite."""
    url = f"http://127.0.0.1:{site.server_port}/clip.mp4"
    return json.dumps({"video_url": url, "prompt": "x", "stream": True}).encode()


def cancel(rounds=5):
    """From a client's leaving to the answer of the next, beside that answer on an idle engine."""
    short = form(ROOT / "tests" / "data" / "media" / "one_frame.mp4", prompt="x", max_tokens=1)

    def ask(service):
        begin = time.perf_counter()
        status, answer = service.call("POST", "/v1/inference/upload", short, FORM)
        assert status == 200, answer
        return (time.perf_counter() - begin) * 1000

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowSite)
    site.daemon_threads = True
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with Service(TALKER, TEMPERATURE=1, ALLOW_PRIVATE_URLS=1) as service:
        idle_ms = median([ask(service) for _ in range(rounds)])
        for stage, body in [("download", from_site(site)), *stages(service.folder.name)]:
            times = []
            for _ in range(rounds):
                connection, response = reach(service, stage, body)
                time.sleep(0.3)
                response.close()
                connection.close()
                times.append(ask(service))
            yield (f"cancel in {stage}: next answer, median / worst (idle {idle_ms:.0f} ms)",
                   f"{median(times):.0f} / {max(times):.0f} ms", "<= 2 s over idle")


async def hold(port, number, kind, until):
    """One client of the crowd, from a loopback address of its own neighbourhood."""
    source = (f"127.0.{number % 16}.{2 + number // 16 % 200}", 0)
    head = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n"
    if kind == "slow_body":
        head = (b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n"
                b"Content-Length: 1000000\r\n\r\n")
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
            writer.write(b"" if kind == "silent" else head)
            end = time.monotonic() + min(left, 60)
            while time.monotonic() < end and not reader.at_eof():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(reader.read(1000), 2)
                writer.write(b"" if kind == "silent" else b"\0" if kind == "slow_body" else b"X")
            writer.close()
        await asyncio.sleep(0.05)


def crowd(duration_s=40):
    """1,000 connections that do nothing or hardly anything, and one answer under way."""
    kinds = ["silent", "silent", "slow_head", "slow_body"]

    async def run(port):
        until = time.monotonic() + duration_s
        await asyncio.gather(*[hold(port, n, kinds[n % 4], until) for n in range(1000)])

    with Service(TALKER, LOG_LEVEL="error") as service:
        idle = idle_health(service)
        story = service.open("POST", "/v1/chat/completions", json.dumps(STORY).encode(), JSON)
        story.getresponse().readline()
        alone = idle_health(service)
        with peak_memory(service) as memory, health_times(service) as times:
            asyncio.run(run(service.port))
        story.close()
    yield "health, idle: p50 / p99", show(idle), ""
    yield "health beside one generation", show(alone), "p99 <= 50 ms"
    yield ("health beside 1,000 idle or slow connections and one generation", show(times),
           "p99 <= 50 ms")
    yield "memory that the crowd adds", f"{memory[-1] - memory[0]:.1f} MiB", ""


async def send_keys(port, per_s, duration_s):
    """Requests with wrong keys at this rate over 20 connections; {status: count}."""
    requests = [(f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-API-Key: wrong-{n}\r\n\r\n")
                .encode() for n in range(1000)]
    each = per_s // 20 // 50  # per connection and 20 ms
    counts, end = {}, time.monotonic() + duration_s

    async def read(reader):
        kept = b""
        while data := await reader.read(65536):
            data = kept + data
            for status in re.findall(rb"HTTP/1\.1 (\d{3})", data):
                counts[status.decode()] = counts.get(status.decode(), 0) + 1
            kept = data[-11:] if not data.endswith(b"}") else b""

    async def one(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        task = asyncio.ensure_future(read(reader))
        turn, due = number, time.monotonic()
        while time.monotonic() < end:
            writer.write(b"".join(requests[(turn + i) % 1000] for i in range(each)))
            await writer.drain()
            turn, due = turn + each, due + 0.02
            await asyncio.sleep(max(0, due - time.monotonic()))
        await asyncio.sleep(1)
        writer.close()
        task.cancel()

    await asyncio.gather(*[one(n) for n in range(20)])
    return counts


def wrong_keys(duration_s=20):
    """10,000 wrong keys a second, and what health's readers notice."""
    with Service(DEMO, AUTH="on", API_KEYS="the-only-right-key", LOG_LEVEL="error") as service:
        idle = idle_health(service, 5)
        with peak_memory(service) as memory, health_times(service) as times:
            counts = asyncio.run(send_keys(service.port, 10_000, duration_s))
    rate = sum(counts.values()) / duration_s
    yield ("health beside wrong keys: p50 / p99 (idle " + show(idle) + ")", show(times),
           "p99 <= 50 ms")
    yield "wrong keys answered", f"{rate:,.0f}/s, {counts}", "10,000/s"
    yield "memory that they add", f"{memory[-1] - memory[0]:.1f} MiB", "flat"


def overload(duration_s=120, clients=650):
    """Ten times as many clients as the queue holds, each asking again as soon as it is answered."""
    statuses, taken = {}, []

    def client(service, end):
        while time.monotonic() < end:
            begin = time.monotonic()
            status, answer = service.chat("What happens?", max_tokens=16, temperature=0)
            statuses[status] = statuses.get(status, 0) + 1
            if status == 200:
                taken.append((time.monotonic() - begin, answer["choices"][0]["message"]["content"]))
            else:
                assert answer["error"]["retry_after_s"] >= 1
                time.sleep(1)  # far less than it was told

    with Service(TALKER, LOG_LEVEL="error") as service:
        expected = service.chat("What happens?", max_tokens=16, temperature=0)[1]
        expected = expected["choices"][0]["message"]["content"]
        end = time.monotonic() + duration_s
        levels = []
        with health_times(service) as times, \
                concurrent.futures.ThreadPoolExecutor(clients) as pool:
            running = [pool.submit(client, service, end) for _ in range(clients)]
            while time.monotonic() < end:
                time.sleep(1)
                levels.append(service.memory_mb())
            for done in running:
                done.result()
    waits = [seconds for seconds, _ in taken]
    yield f"{clients} clients for {duration_s} s: answers", str(dict(sorted(statuses.items()))), ""
    yield ("accepted: right answers, wait p50 / p99",
           f"{sum(text == expected for _, text in taken)} of {len(taken)}, "
           f"{percentile(waits, 0.5):.1f} / {percentile(waits, 0.99):.1f} s", "all")
    yield ("memory after 10 s / at the end / peak",
           f"{levels[9]:.0f} / {levels[-1]:.0f} / {max(levels):.0f} MiB", "flat")
    yield "health meanwhile: p50 / p99", show(times), "p99 <= 50 ms"


async def upload(port, head, size):
    """A clip with so much padding; its status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n"
                 b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size + head)
    sent, zeros = len(head), bytes(1 << 20)
    while sent < size:
        piece = zeros[:min(len(zeros), size - sent)]
        writer.write(piece)
        await writer.drain()
        sent += len(piece)
    answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n")[0].decode()


def uploads(count=32, size=1000 << 20):
    """Whole clips with a `free` box behind them, so that each is a valid file of the largest size.

    The first bytes differ, so that no two are the same video.
    """
    clip = (ROOT / "tests" / "data" / "media" / "one_frame.mp4").read_bytes()

    def head(number):
        free = (size - len(clip)).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big")
        return clip + free

    async def run(port):
        return await asyncio.gather(*[upload(port, head(n), size) for n in range(count)])

    with Service(DEMO) as service:
        idle = idle_health(service, 5)
        begin = time.monotonic()
        with peak_memory(service) as memory, health_times(service) as times:
            lines = asyncio.run(run(service.port))
        seconds = time.monotonic() - begin
    yield (f"{count} uploads of {size >> 20} MiB at once: answers",
           ", ".join(f"{lines.count(line)} x {line}" for line in sorted(set(lines))), "201")
    yield "memory that they add", f"{memory[-1] - memory[0]:.1f} MiB", "<= 64 MiB"
    yield "rate", f"{count * (size >> 20) / seconds:,.0f} MiB/s", ""
    yield ("health meanwhile: p50 / p99 (idle " + show(idle) + ")", show(times), "p99 <= 50 ms")
