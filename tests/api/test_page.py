"""The web page's files: a closed table of what its export holds, behind every route."""
import gzip

import pytest

import page
from wire import request, talk

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_the_front_page(server):
    answer = server.get("/", HTML)
    assert answer.status == 200 and answer.body == page.HOME
    assert answer.headers["Content-Security-Policy"] == page.POLICY
    assert "Accept" in ", ".join(answer.headers.get_all("Vary"))
    assert server.get("/").headers.get_content_type() == "application/json"


def test_its_files(server):
    script = server.get("/_next/static/chunks/app.js", {"Accept-Encoding": "gzip"})
    assert gzip.decompress(script.body) == page.SCRIPT
    assert "immutable" in script.headers["Cache-Control"]
    assert server.get("/about").body == server.get("/about.html").body == b"<h1>about</h1>"
    assert server.get("/docs/guide", HTML).body == server.get("/docs/guide/faq").body == page.GUIDE
    icon = server.get("/icon.svg")
    assert icon.headers.get_content_type() == "image/svg+xml"
    assert server.get("/icon.svg", {"If-None-Match": icon.headers["ETag"]}).status == 304


def test_its_files_need_no_key(serving):
    server = serving(AUTH="on", API_KEYS="first-key-0123456789,second-key-9876543210")
    for path in ("/", "/about", "/icon.svg", "/_next/static/chunks/app.js"):
        assert server.get(path, HTML).status == 200


@pytest.mark.parametrize("path", [
    "/nothing", "//icon.svg", "/icon.svg//", "/ICON.svg", "/icon.svg;x", "/icon%2esvg%00",
    "/_next", "/_next/static", "/_next/static/chunks/app.js.gz", "/about/index.html",
    "/v1/nothing", "/v1/nothing.html", "/v1/models/index.html", "/v1/health/x.txt",
    "/metrics/index.html", "/docs//guide", "/docs/guide/faq/more", "/docs/guide.HTML"])
@pytest.mark.parametrize("accept", ["*/*", HTML["Accept"]])
def test_anything_else_is_not_there(server, path, accept):
    """As without a page: an error of the service's own, whatever the export holds."""
    answer, = talk(server, request(f"Accept: {accept}", path=path))
    assert answer.status in (400, 404)
    assert page.STOLEN not in answer.body


def test_the_interface_is_never_the_pages(server):
    assert all(page.STOLEN not in server.get(path).body for path in ("/docs", "/docs/docs.js"))
    assert server.get("/openapi.json").json["openapi"].startswith("3.")
    assert server.get("/metrics").headers.get_content_type() == "text/plain"
    assert server.get("/v1/models").json["object"] == "list"


def test_other_methods(server):
    answer = server.request("POST", "/icon.svg")
    assert answer.refusal == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert server.request("DELETE", "/nothing").status == 404
