"""A stand-in for the Hugging Face hub: listing, redirects, digests, and its bad days."""
import contextlib
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE_BYTES = 50_000  # from here on a file is stored apart and named by its sha256


def etag_of(content):
    if len(content) >= LARGE_BYTES:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tree_entry(name, content):
    entry = {"type": "file", "path": name, "size": len(content), "oid": etag_of(content)}
    if len(content) >= LARGE_BYTES:
        entry["lfs"] = {"oid": etag_of(content), "size": len(content), "pointerSize": 130}
    return entry


class Server(http.server.ThreadingHTTPServer):
    """One of the hub's two addresses: where it is asked, and where large files come from."""
    daemon_threads = True

    def __init__(self, hub, is_store):
        super().__init__((hub.host, 0), Handler)
        self.hub, self.is_store = hub, is_store
        self.url = f"http://{hub.host}:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # clients that leave are part of the tests


class Hub:
    """models: {ORG/NAME: {file: bytes}}. The rest is how it behaves."""

    def __init__(self, models, host="127.0.0.1"):
        self.models = models
        self.host = host  # where it listens
        self.tokens = {}  # ORG/NAME -> the token that opens it
        self.gated = set()
        self.cut_after = {}  # file -> how many bytes come before the connection breaks
        self.corrupt = set()  # files that are not what was announced
        self.ranges = True
        self.statuses = []  # answered first, one after the other
        self.bytes_per_s = None
        self.log = []  # (method, is_store, path, headers)
        self.front, self.store = Server(self, False), Server(self, True)

    def sent(self, name, method="GET"):
        """The requests for the content of a file."""
        return [entry for entry in self.log
                if entry[0] == method and entry[2].endswith("/" + name)]

    @contextlib.contextmanager
    def running(self):
        threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
                   for server in (self.front, self.store)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server in (self.front, self.store):
                server.shutdown()
                server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        path = urllib.parse.urlsplit(self.path).path
        hub.log.append((self.command, self.server.is_store, path, dict(self.headers)))
        if hub.statuses and not self.server.is_store:
            return self.answer(hub.statuses.pop(0), {})
        if self.server.is_store:
            return self.send_content(path.strip("/"))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.send_listing("/".join(parts[2:4]), parts[4], urllib.parse.unquote(parts[5]))
        return self.send_file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def allowed(self, model):
        wanted = self.server.hub.tokens.get(model)
        return wanted is None or self.headers.get("Authorization") == f"Bearer {wanted}"

    def send_listing(self, model, kind, revision):
        hub = self.server.hub
        if model not in hub.models or (not self.allowed(model) and model not in hub.gated):
            return self.answer(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", "v1", COMMIT):
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        if kind == "tree":  # what huggingface_hub asks for
            listing = [tree_entry(name, content) for name, content in hub.models[model].items()]
        else:
            files = [{"rfilename": name} for name in hub.models[model]]
            listing = {"id": model, "sha": COMMIT, "siblings": files}
        return self.answer(200, {"Content-Type": "application/json"}, json.dumps(listing).encode())

    def send_file(self, model, revision, name):
        hub = self.server.hub
        content = hub.models.get(model, {}).get(name)
        if not self.allowed(model):
            has_token = "Authorization" in self.headers
            return self.answer(403 if has_token else 401, {"X-Error-Code": "GatedRepo"})
        if content is None or revision not in ("main", COMMIT):
            return self.answer(404, {"X-Error-Code": "EntryNotFound"})
        etag = etag_of(content)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}
        if len(content) < LARGE_BYTES:
            return self.answer(200, headers, content)
        headers.update({"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content)),
                        "Location": f"{hub.store.url}/{model}/{name}", "ETag": '"of-the-redirect"'})
        return self.answer(302, headers)

    def send_content(self, path):
        hub = self.server.hub
        organisation, model, name = path.split("/", 2)
        model = f"{organisation}/{model}"
        content = hub.models[model][name]
        if name in hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        first = 0
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        self.answer(206 if first else 200, headers if first else {}, content[first:],
                    hub.cut_after.get(name))

    def answer(self, status, headers, body=b"", cut_after=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut_after is not None and len(body) > cut_after:
            self.wfile.write(body[:cut_after])
            self.wfile.flush()
            self.close_connection = True
            return
        speed = self.server.hub.bytes_per_s
        step = len(body) or 1 if speed is None else max(1, speed // 20)
        for begin in range(0, len(body), step):
            self.wfile.write(body[begin:begin + step])
            if speed is not None:
                time.sleep(0.05)
