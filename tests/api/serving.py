"""`tru serve` as its clients meet it: a process, its log, and plain HTTP."""
import functools
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.parse

from contract import check_answer

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))
BOUNDARY = "----tru-test-boundary"
WAIT_S = 120  # for what takes a second unless the machine is very busy
BANNER = re.compile(r"TRU is at http://\S+?:(\d+)/?\s")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS",
        "UBSAN_OPTIONS", "TSAN_OPTIONS")


def eventually(condition, what, timeout_s=10):
    """Waits until the condition holds, and returns what it returned."""
    end = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return result


class Answer:
    """A response that was read to its end. Each one is held to the contract."""

    def __init__(self, method, response):
        self.status = response.status
        self.headers = response.headers  # get_all(name) gives repeated ones
        self.body = response.read()
        check_answer(method, self)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    @property
    def refusal(self):
        """(status, code), which the tables of errors list."""
        return self.status, self.error["code"]


class Server:
    """A running service on a port of its own; its uploads and its data lie in `folder`."""

    def __init__(self, program, folder, model="dense-tied", **settings):
        self.folder = folder
        self.uploads = folder / "uploads"
        self.log_path = folder / "log"
        named = {"PORT": 0, "MODEL_PATH": DATA / "models" / model, "DATA_DIR": folder / "data",
                 "UPLOAD_DIR": self.uploads, "TEMPERATURE": 0, "MAX_NEW_TOKENS": 8,
                 "THREADS": 1, **settings}
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {name: str(value) for name, value in named.items() if value is not None}
        self.uploads.mkdir(parents=True)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "serve"], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_alive(self):
        """Waits until it listens."""
        eventually(lambda: self.process.poll() is not None or BANNER.search(self.log_text()),
                   "the service does not listen", WAIT_S)
        assert self.process.poll() is None, self.log_text()
        return self

    def wait_ready(self):
        """Waits until it can answer questions."""
        self.wait_alive()
        eventually(lambda: self.get("/v1/ready").status == 200, "the model does not load", WAIT_S)
        return self

    @functools.cached_property
    def port(self):
        """Any free one; the service tells which."""
        return int(BANNER.search(self.log_text())[1])

    def stop(self, timeout_s=30):
        """Asks it to stop; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def open(self, method, path, body=None, headers=None, timeout_s=WAIT_S):
        """(connection, response) whose body is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        connection.request(method, path, body, headers or {})
        return connection, connection.getresponse()

    def request(self, method, path, body=None, headers=None, timeout_s=WAIT_S):
        connection, response = self.open(method, path, body, headers, timeout_s)
        try:
            return Answer(method, response)
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, value, headers=None, timeout_s=WAIT_S):
        """POSTs JSON: a value, or its text as it is."""
        body = value if isinstance(value, (str, bytes)) else json.dumps(value)
        if isinstance(body, str):
            body = body.encode()
        return self.request("POST", path, body,
                            {"Content-Type": "application/json", **(headers or {})}, timeout_s)

    def ask(self, content, headers=None, **fields):
        """POST /v1/chat/completions with one user's message."""
        messages = [{"role": "user", "content": content}]
        return self.post("/v1/chat/completions", {"messages": messages, **fields}, headers)

    def upload(self, *parts, path="/v1/inference/upload", headers=None):
        """POSTs form parts as `multipart` takes them."""
        return self.request("POST", path, multipart(*parts),
                            {"Content-Type": FORM, **(headers or {})})

    def keep(self, clip, headers=None):
        """Uploads a clip to stay; its id."""
        answer = self.request("POST", "/v1/videos", clip.read_bytes(),
                              {"Content-Type": "video/mp4", **(headers or {})})
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def log_text(self):
        return self.log_path.read_text("utf-8")

    def log(self):
        """The log's lines that are JSON objects."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    def log_of(self, request_id, *awaited):
        """The lines about a request, once those of these events are there: several threads write
        them, and they follow the answer."""
        awaited = set(awaited or ["request"])

        def mine():
            lines = [line for line in self.log() if line.get("request_id") == request_id]
            return lines if awaited <= {line["event"] for line in lines} else None
        return eventually(mine, f"not all lines {awaited} about {request_id}")

    def leftovers(self):
        """Files of uploads that are still there."""
        folders = (self.uploads, self.folder / "data" / "incoming")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def field(name, value):
    return (f'Content-Disposition: form-data; name="{name}"', str(value).encode())


def file(path, name="video", filename=None, kind="video/mp4"):
    data = path if isinstance(path, bytes) else path.read_bytes()
    label = filename if filename is not None else getattr(path, "name", "clip.mp4")
    return (f'Content-Disposition: form-data; name="{name}"; filename="{label}"\r\n'
            f"Content-Type: {kind}", data)


def multipart(*parts, boundary=BOUNDARY):
    """The body of a form: each part is (its header lines, its bytes)."""
    lines = []
    for head, data in parts:
        lines += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), data, b"\r\n"]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def quote(text):
    return urllib.parse.quote(text, safe="")
