"""A web site for the service to fetch from."""
import http.server
import threading

from serving import DATA


class MediaSite(http.server.BaseHTTPRequestHandler):
    """/clip/NAME a test clip, /status/N that status, /text a page, /drip a clip without end."""

    gone = threading.Event()  # set when a reader of /drip has left

    def do_GET(self):  # pylint: disable=invalid-name
        kind, _, rest = self.path.partition("?")[0].lstrip("/").partition("/")
        if kind == "clip":
            self.reply(200, (DATA / "media" / rest).read_bytes())
        elif kind == "status":
            self.reply(int(rest), b"secret page of the source")
        elif kind == "text":
            self.reply(200, b"<html>not a video</html>", "video/mp4")
        elif kind == "short":
            self.reply(200, b"\0" * 10, length=1000)
        elif kind == "drip":
            self.drip()

    def reply(self, status, body, kind="application/octet-stream", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        """64 KiB at a time, ten times a second: no limit on time or rate is touched."""
        self.send_response(200)
        self.send_header("Content-Length", "900000000")
        self.end_headers()
        try:
            while not MediaSite.gone.wait(0.1):
                self.wfile.write(b"\0" * 65536)
        except OSError:
            MediaSite.gone.set()

    def log_message(self, *_):
        pass
