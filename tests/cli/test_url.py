"""tru ask and tru plan with videos on the web."""
import functools
import http.server
import json
import threading

import pytest

LOCAL = {"ALLOW_PRIVATE_URLS": "1"}


@pytest.fixture(scope="module")
def site(data):
    """site(path) is a URL of the test clips on a web server of this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=data / "media")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield lambda path: f"http://127.0.0.1:{server.server_port}/{path}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_video_on_the_web_is_answered_like_a_file(ask, clip, site, tmp_path):
    settings = {**LOCAL, "UPLOAD_DIR": str(tmp_path / "downloads")}
    web = ask(site("vfr.mp4"), "Describe.", "--max-tokens", 8, settings=settings)
    file = ask(clip("vfr.mp4"), "Describe.", "--max-tokens", 8)
    for same in ("response", "usage", "video_report"):
        assert web[same] == file[same]
    assert list((tmp_path / "downloads").iterdir()) == []


def test_an_image_on_the_web(ask, clip, site):
    flags = ["--max-tokens", 4]
    web = ask("--image", site("img_odd.png"), "Describe.", *flags, settings=LOCAL)
    assert web["usage"] == ask("--image", clip("img_odd.png"), "Describe.", *flags)["usage"]


def test_progress_and_plan(tru, model, site):
    result = tru("ask", site("vfr.mp4"), "Describe.", *model(), "--max-tokens", 1, settings=LOCAL)
    assert result.returncode == 0
    assert "download: " in result.stderr and " bytes" in result.stderr
    result = tru("plan", site("vfr.mp4?x=.avi"), *model(), "--json", settings=LOCAL)
    report = json.loads(result.stdout)["video_report"][0]
    assert (report["source"], report["codec"]) == ("vfr.mp4", "h264")


def test_addresses_that_are_not_public_are_refused(refused, model, site):
    for url in (site("vfr.mp4"), "http://localhost:8000/a.mp4", "http://169.254.169.254/"):
        line = refused(4, "ask", url, "Describe.", *model(), "--quiet")
        assert "ALLOW_PRIVATE_URLS" in line or "port" in line


def test_what_the_server_has_not_got(refused, model, site):
    flags = [*model(), "--quiet"]
    for path in ("missing.mp4", "../../etc/passwd"):
        assert "404" in refused(4, "ask", site(path), "Describe.", *flags, settings=LOCAL)
    # The server's list of files, in HTML.
    refused(4, "ask", site(""), "Describe.", *flags, settings=LOCAL)


def test_a_playlist_leads_nowhere(refused, model, tmp_path):
    (tmp_path / "evil.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n")
    hits = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            hits.append(self.path)

    handler = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/evil.mp4"
        refused(4, "ask", url, "Describe.", *model(), "--quiet", settings=LOCAL)
        server.shutdown()
    assert hits == ["/evil.mp4"]
