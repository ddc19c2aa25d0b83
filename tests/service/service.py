"""A server on a free port, and a client without magic, for the tests of the service."""
import json
import os
import pathlib
import re
import subprocess
import threading
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("TRU_PROGRAM", ROOT / "build" / "bin" / "tru"))
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS",
        "UBSAN_OPTIONS", "TSAN_OPTIONS")
START_S = 60


class Reply:
    """A status, headers and a body; .json() reads it."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Server:
    """A running `tru serve`: .url, .port, .lines (its log so far), get(), post(), upload()."""

    def __init__(self, folder, model, **settings):
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PORT": "0", "MODEL_PATH": str(model), "TEMPERATURE": "0",
                        "UPLOAD_DIR": str(folder / "uploads"), "DATA_DIR": str(folder / "data")}
        environment |= {name: str(value) for name, value in settings.items()}
        self.folder = folder
        self.lines = []
        self._news = threading.Condition()
        self.process = subprocess.Popen([PROGRAM, "serve"], cwd=folder, env=environment, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        banner = self.wait_for_line(r"TRU is at (http://\S+:(\d+))/")
        self.port = int(banner[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for_line(self, pattern, timeout_s=START_S):
        """The match of the first line of the log that has one."""
        def found():
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)
        with self._news:
            self._news.wait_for(lambda: found() or self.process.poll() is not None, timeout_s)
            match = found()
        assert match, f"no line {pattern!r} among {self.lines}"
        return match

    def wait_until_ready(self):
        self.wait_for_line('"event":"model_loaded"')
        return self

    def open(self, method, path, body=None, headers=None, timeout_s=120):
        """The response, not read yet; errors are responses too."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {},
                                         method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            return error

    def get(self, path, **headers):
        return Reply(self.open("GET", path, headers=headers))

    def post(self, path, body, **headers):
        """body: bytes, or what becomes JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        return Reply(self.open("POST", path, body, headers))

    def upload(self, video, path="/v1/inference/upload", **fields):
        """A form with the file first; fields whose value is None are left out."""
        body, kind = multipart(video, fields)
        return Reply(self.open("POST", path, body, {"Content-Type": kind}))

    def stop(self):
        """Ends it as `kill` does; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(40)
        finally:
            self.process.kill()


def multipart(video, fields):
    """The body and the Content-Type of a form with one file."""
    boundary = "----tru-test-boundary"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             .encode() for name, value in fields.items() if value is not None]
    video = pathlib.Path(video)
    parts.insert(0, f'--{boundary}\r\nContent-Disposition: form-data; name="video"; '
                 f'filename="{video.name}"\r\nContent-Type: video/mp4\r\n\r\n'.encode()
                 + video.read_bytes() + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def events(response):
    """The server-sent events of a response as they come: (id, name, data)."""
    event = {"id": None, "event": None, "data": []}
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            event[name] = event["data"] + [value] if name == "data" else value
        elif not line and event["data"]:
            yield event["id"], event["event"], "\n".join(event["data"])
            event = {"id": None, "event": None, "data": []}
