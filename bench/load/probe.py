"""Measuring: latencies from a process of their own, memory, and a service to measure."""
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))
DEMO = ROOT / "models" / "demo"
# Random weights that never end an answer by themselves at temperature 1.
TALKER = ROOT / "tests" / "data" / "models" / "moe"


class Service:
    """`tru serve` with these settings, ready, in a folder that goes with it."""

    def __init__(self, model, **settings):
        self.folder = tempfile.TemporaryDirectory(prefix="tru-load-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        named = {"MODEL_PATH": model, "DATA_DIR": self.folder.name + "/data",
                 "UPLOAD_DIR": self.folder.name + "/uploads", "LOG_LEVEL": "warning", **settings}
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {name: str(value) for name, value in named.items()}
        self.log = open(self.folder.name + "/log", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen([PROGRAM, "serve", "--port", str(self.port)],
                                        env=environment, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(pathlib.Path(self.log.name).read_text("utf-8"))
            time.sleep(0.05)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.call("GET", "/v1/ready")[0] == 200
        return False

    def open(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(method, path, body, headers or {})
        return connection

    def call(self, method, path, body=None, headers=None):
        connection = self.open(method, path, body, headers)
        try:
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def chat(self, text, **fields):
        """The status and the answer of one question without media."""
        body = {"messages": [{"role": "user", "content": text}], **fields}
        status, answer = self.call("POST", "/v1/chat/completions", json.dumps(body).encode(),
                                   {"Content-Type": "application/json"})
        return status, json.loads(answer)

    def memory_mb(self):
        """Anonymous and shared pages of the process and its children, MiB."""
        return sum(map(_memory_kb, _tree(self.process.pid))) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        finally:
            self.process.kill()
            self.log.close()
            self.folder.cleanup()


def _tree(pid):
    yield pid
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _memory_kb(pid):
    with contextlib.suppress(OSError):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines
                   if line.startswith(("RssAnon:", "RssShmem:")))
    return 0


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values):
    return statistics.median(values)


@contextlib.contextmanager
def peak_memory(service):
    """Gives a list whose first value is the memory before, and its last the peak since, MiB."""
    seen = [service.memory_mb()]
    done = threading.Event()

    def watch():
        highest = seen[0]
        while not done.wait(0.2):
            highest = max(highest, service.memory_mb())
        seen.append(max(highest, service.memory_mb()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def _ask_health(port, done, pipe):
    """Asks once every 20 ms on one connection; the latencies in ms go into the pipe."""
    times = []
    request = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not done.wait(0.02):
            begin = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            times.append((time.perf_counter() - begin) * 1000)
    pipe.send(times)


@contextlib.contextmanager
def health_times(service):
    """Gives a list that holds the latencies (ms) of /v1/health during the block."""
    done = multiprocessing.Event()
    here, there = multiprocessing.Pipe(duplex=False)
    prober = multiprocessing.Process(target=_ask_health, args=(service.port, done, there))
    prober.start()
    times = []
    try:
        yield times
    finally:
        done.set()
        if here.poll(40):
            times += here.recv()
        prober.join()


def show(times):
    return f"{percentile(times, 0.5):.1f} / {percentile(times, 0.99):.1f} ms"


def idle_health(service, duration_s=10):
    with health_times(service) as times:
        time.sleep(duration_s)
    return times
