"""A stand-in for vLLM and its like: answers as they do, and fails as they do.

    server = FakeVllm()                   # on a free port of this machine, until close()
    server.chat = stall_after(3)          # what POST /v1/chat/completions does
    server.requests                       # bodies that came, in order
"""
import contextlib
import http.server
import json
import pathlib
import re
import socket
import struct
import sys
import threading
import time

WORDS = ["A", " red", " square", " moves", " to", " the", " left", "."]


class FakeVllm:
    """kind: vllm, llamacpp or other. trust: takes media_io_kwargs. nested: its prompt form."""

    def __init__(self, kind="vllm", *, trust=True, nested=True, images=True, key=None,
                 model="org/model", port=0):
        self.kind, self.trust, self.nested, self.images = kind, trust, nested, images
        self.key, self.model = key, model
        self.chat = answer()
        self.prompt_tokens = 100
        self.requests = []     # bodies of chat requests
        self.headers = []      # and their headers
        self.left_after_s = []  # how long clients stayed that left before the end
        outer = self

        class Handler(_Handler):
            fake = outer

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def tokenize(self, body):
        """(status, answer) of POST /tokenize, with the media of the first message expanded."""
        if "messages" not in body:
            return 400, error(400, "messages missing")
        kwargs = body.get("media_io_kwargs")
        if kwargs and not self.trust:
            return 400, error(400, "Per-request media_io_kwargs are disabled by default. Start "
                                   "the server with --trust-request-mm-kwargs to enable them.")
        text = ""
        for part in body["messages"][0]["content"]:
            if part["type"] == "text":
                text += part["text"]
            elif part["type"] == "image_url":
                if not self.images:
                    return 400, error(400, "At most 0 image(s) may be provided in one prompt.")
                text += "<|vision_start|><|image_pad|><|vision_end|>"
            else:
                frames = part["video_url"]["url"].split(";base64,")[1].split(",")
                text += self._video(len(frames), (kwargs or {}).get("video", {}))
        tokens = re.findall(r"<\|\w+\|>|\d|\w+|\s\w+|[^\w\s]", text)
        strings = [token.replace(" ", "\u0120") for token in tokens]
        return 200, {"count": len(tokens), "max_model_len": 8192,
                     "tokens": list(range(len(tokens))), "token_strs": strings}

    def _video(self, frames, kwargs):
        indices, fps = kwargs.get("frames_indices", list(range(frames))), kwargs.get("fps", 1.0)
        assert len(indices) == frames
        text = ""
        for first, second in zip(indices[::2], indices[1::2]):
            seconds = (first + second) / 2 / fps
            text += f"<{seconds:.1f} seconds><|vision_start|><|video_pad|><|vision_end|>"
        return f"<|vision_start|>{text}<|vision_end|>" if self.nested else text


@contextlib.contextmanager
def stand_ins():
    """A function that starts a FakeVllm; all of them are closed at the end."""
    with contextlib.ExitStack() as running:
        yield lambda *arguments, **options: running.enter_context(
            contextlib.closing(FakeVllm(*arguments, **options)))


def error(status, message):
    return {"error": {"message": message, "type": "BadRequestError", "param": None,
                      "code": status}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *_):
        pass

    def reply(self, status, body, content_type="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse_key(self):
        key = self.fake.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return False
        self.reply(401, {"error": "Unauthorized"})
        return True

    def do_GET(self):
        fake = self.fake
        if self.path == "/health":
            self.reply(200, b"")
        elif self.path == "/v1/models":
            if self.refuse_key():
                return
            model = {"id": fake.model, "object": "model"}
            if fake.kind == "vllm":
                model.update(owned_by="vllm", root="/models/secret", max_model_len=8192)
            if fake.kind == "llamacpp":
                model.update(owned_by="llamacpp", meta={"n_ctx": 8192})
            self.reply(200, {"object": "list", "data": [model]})
        elif self.path == "/version" and fake.kind == "vllm":
            self.reply(200, {"version": "0.32.0"})
        elif self.path == "/props" and fake.kind == "llamacpp":
            self.reply(200, {"total_slots": 2, "build_info": "b1-abc",
                             "modalities": {"vision": True}})
        else:
            self.reply(404, {"detail": "Not Found"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize" and self.fake.kind == "vllm":
            if not self.refuse_key():
                self.reply(*self.fake.tokenize(body))
        elif self.path == "/v1/chat/completions":
            if not self.refuse_key():
                self.fake.headers.append(self.headers)
                self.fake.requests.append(body)
                self.fake.chat(self, body)
        else:
            self.reply(404, {"detail": "Not Found"})

    # For what POST /v1/chat/completions does.

    def begin(self, content_type="text/event-stream; charset=utf-8"):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, data):
        text = data if isinstance(data, str) else json.dumps(data)
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()

    def chunk(self, content=None, finish=None, **extra):
        delta = {} if content is None else {"content": content}
        choice = {"index": 0, "delta": delta, "finish_reason": finish, **extra.pop("choice", {})}
        self.event({"id": "chatcmpl-1", "object": "chat.completion.chunk",
                    "model": self.fake.model, "choices": [choice], **extra})

    def usage(self, completion_tokens):
        prompt = self.fake.prompt_tokens
        self.event({"model": self.fake.model, "choices": [],
                    "usage": {"prompt_tokens": prompt, "completion_tokens": completion_tokens,
                              "total_tokens": prompt + completion_tokens}})

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def wait_until_left(self):
        begin = time.monotonic()
        self.connection.settimeout(60)
        self.connection.recv(1)
        self.fake.left_after_s.append(time.monotonic() - begin)
        self.close_connection = True


# What POST /v1/chat/completions may do.


def answer(words=WORDS, *, usage=True, done=True, finish="stop", model=None):
    def run(handler, body):
        handler.begin()
        handler.chunk("", choice={"delta": {"role": "assistant", "content": ""}})
        for number, word in enumerate(words):
            choice = {"token_ids": [1000 + number]} if body.get("return_token_ids") else {}
            if body.get("logprobs"):
                entry = {"token": f"token_id:{1000 + number}", "logprob": -0.5, "bytes": None}
                choice["logprobs"] = {"content": [{**entry, "top_logprobs": [entry]}]}
            extra = {"model": model} if model else {}
            if number == 0:
                extra["prompt_token_ids"] = [1, 2, 3]
            handler.chunk(word, choice=choice, **extra)
        if finish:
            handler.chunk("", finish)
        if usage:
            handler.usage(len(words))
        if done:
            handler.event("[DONE]")
    return run


def status(code, message="secret /models/path at 10.1.2.3", body=None):
    return lambda handler, _: handler.reply(code, error(code, message) if body is None else body)


def stall_before_the_answer(handler, _):
    handler.wait_until_left()


def stall_after(words):
    def run(handler, _):
        handler.begin()
        for word in WORDS[:words]:
            handler.chunk(word)
        handler.wait_until_left()
    return run


def reset_after(words):
    def run(handler, _):
        if words:
            handler.begin()
        for word in WORDS[:words]:
            handler.chunk(word)
        time.sleep(0.1)
        handler.reset()
    return run


def raw(data, content_type="text/event-stream"):
    def run(handler, _):
        handler.begin(content_type)
        handler.wfile.write(data)
    return run


def endless(handler, _):
    handler.begin()
    try:
        while True:
            handler.chunk(" again")
    except OSError:
        handler.fake.left_after_s.append(0)


def error_after(words, code=500):
    def run(handler, _):
        handler.begin()
        for word in WORDS[:words]:
            handler.chunk(word)
        time.sleep(0.3 if words else 0)  # what was said is heard before
        handler.event(error(code, "EngineDead: secret /models/path"))
        handler.event("[DONE]")
    return run


def in_turn(*steps):
    """Each request does the next step; the last one stays."""
    left = list(steps)

    def run(handler, body):
        step = left.pop(0) if len(left) > 1 else left[0]
        step(handler, body)
    return run


# A program `vllm` that serves the above.

PROGRAM = """#!{python}
import os, sys, threading
sys.path.insert(0, {folder!r})
import fake_vllm
with open({log!r}, "a") as log:
    print(os.getpid(), *sys.argv[1:], file=log)
if {broken} or ({old} and "--trust-request-mm-kwargs" in sys.argv):
    sys.exit("what ails it")
port = int(sys.argv[sys.argv.index("--port") + 1])
model = sys.argv[sys.argv.index("--served-model-name") + 1]
fake_vllm.FakeVllm(port=port, key=os.environ["VLLM_API_KEY"], model=model)
threading.Event().wait()
"""


def make_program(folder, *, old=False, broken=False):
    """Writes folder/bin/vllm. Returns the file to which it adds a line at each start: its process
    and arguments. old: knows no --trust-request-mm-kwargs."""
    log = folder / "starts"
    program = folder / "bin" / "vllm"
    program.parent.mkdir(exist_ok=True)
    here = str(pathlib.Path(__file__).parent)
    program.write_text(PROGRAM.format(python=sys.executable, folder=here, log=str(log), old=old,
                                      broken=broken))
    program.chmod(0o755)
    return log
