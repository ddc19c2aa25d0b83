"""Table H: keys, origins, headers, logs."""
import json
import re

import pytest

from contract import leaks
from serving import field, file, quote
from wire import request, talk

KEY = "first-key-0123456789"
OPEN = {"/", "/docs", "/openapi.json", "/v1/health", "/v1/ready"}


def routes(server):
    """(method, path with its variables filled in, open to all?) of every documented operation."""
    for path, methods in server.get("/openapi.json").json["paths"].items():
        for method in methods:
            if method in ("get", "post", "put", "patch", "delete"):
                yield method.upper(), re.sub(r"{\w+}", "1", path), path in OPEN


def test_every_route_wants_a_key(keyed):
    seen = list(routes(keyed))
    assert len(seen) >= 15
    for method, path, is_open in seen:
        answer = keyed.request(method, path)
        if is_open:
            assert answer.status in (200, 304), path
        else:
            assert answer.refusal == (401, "unauthorized"), path
            assert keyed.request("HEAD" if method == "GET" else method, path).status == 401
    assert {path for _, path, is_open in seen if is_open} >= {"/v1/health", "/v1/ready"}


@pytest.mark.parametrize("path", [
    "/v1/models/", "//v1/models", "/v1//models", "/v1/%6dodels", "/v1%2fmodels", "/V1/MODELS",
    "/v1/health/../models", "/v1/health/%2e%2e/models", "/v1/models;x", "/v1/models?x=/v1/health",
    "/v1/nothing", "/metrics", "/v1/health/detailed", "/docs/../v1/models", "/v1/nothing.html",
    "/v1/models/index.html", "/metrics/", "//icon.svg", "/ICON.SVG", "/icon.svg;x",
    "/_next/static/chunks/../../../v1/models", "/_next/static/chunks/app.js.gz", "/nothing"])
def test_no_way_around_the_key(keyed, path):
    answer, = talk(keyed, request(path=path))
    assert answer.status in (400, 401) and b"dense-tied" not in answer.body


@pytest.mark.parametrize("lines", [
    [], ["Authorization: Bearer"], ["Authorization: Bearer "], ["Authorization: Bearer wrong"],
    [f"Authorization: Bearer {KEY}x"], [f"Authorization: Bearer {KEY[:-1]}"],
    [f"Authorization: Bearer {KEY.upper()}"], [f"Authorization: Basic {KEY}"],
    [f"Authorization: {KEY}"], ["X-API-Key: "], ["X-API-Key: wrong"], [f"X-API-Key: {KEY},{KEY}"],
    ["X-API-Key: wrong", f"X-API-Key: {KEY}"],
    [f"Authorization: Bearer {KEY}", "Authorization: Bearer wrong"],
    ["Authorization: Bearer " + "x" * 8000], [f"Cookie: key={KEY}"]])
def test_wrong_keys(keyed, lines):
    answer, = talk(keyed, request(*lines, path="/v1/models"))
    assert answer.refusal == (401, "unauthorized")


@pytest.mark.parametrize("line", [
    f"Authorization: Bearer {KEY}", f"authorization: bearer {KEY}", f"X-API-Key: {KEY}",
    f"Authorization:    Bearer   {KEY}  "])
def test_right_keys(keyed, line):
    answer, = talk(keyed, request(line, path="/v1/models"))
    assert answer.status == 200


def test_a_key_in_the_query_is_none(keyed):
    assert keyed.get(f"/v1/models?api_key={KEY}&key={KEY}").status == 401


def test_a_public_address_without_keys_is_refused(starting):
    server = starting(HOST="0.0.0.0")
    assert server.process.wait(30) == 3
    last = server.log_path.read_text().splitlines()[-1]
    assert "API_KEYS" in last and last.startswith("tru: ")


def test_keys_are_wanted_on_a_public_address(serving):
    server = serving(HOST="0.0.0.0", API_KEYS=KEY)
    assert server.get("/v1/health").status == 200
    assert server.get("/v1/models").status == 401
    assert server.get("/v1/models", {"X-API-Key": KEY}).status == 200


EVIL = ["http://evil.com", "null", "http://localhost.evil.com", "http://localhost:3000.evil.com",
        "https://localhost:3000", "http://localhost:3001", "http://LOCALHOST:3000/",
        "http://web:3000@evil.com"]


@pytest.mark.parametrize("origin", EVIL)
def test_cors_never_reflects(either, origin):
    answers = [either.get("/v1/health", {"Origin": origin}),
               either.request("OPTIONS", "/v1/inference/upload", headers={
                   "Origin": origin, "Access-Control-Request-Method": "POST"}),
               either.get("/nothing", {"Origin": origin})]
    for answer in answers:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in ", ".join(answer.headers.get_all("Vary"))


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://web:3000"])
def test_cors_of_the_page(server, origin):
    answer = server.get("/v1/health", {"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "x-request-id" in answer.headers["Access-Control-Expose-Headers"].lower()


def test_configured_origins(serving):
    server = serving(CORS_ORIGINS='["https://app.example.org"]')
    allowed = server.get("/v1/health", {"Origin": "https://app.example.org"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    other = server.get("/v1/health", {"Origin": "http://localhost:3000"})
    assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.com"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost:3001", "Sec-Fetch-Site": "same-site"}])
@pytest.mark.parametrize("kind", ["form", "text/plain", "application/x-www-form-urlencoded"])
def test_pages_of_others_start_nothing(server, clip, headers, kind):
    before = server.get("/metrics").body
    if kind == "form":
        answer = server.upload(file(clip("one_frame.mp4")), field("prompt", "x"), headers=headers)
    else:
        answer = server.post("/v1/chat/completions", '{"messages":[]}',
                             {**headers, "Content-Type": kind})
    assert answer.refusal == (403, "origin_not_allowed")
    counted = re.compile(rb"^tru_\w*tokens\w*total.*$", re.MULTILINE)
    assert counted.findall(before) == counted.findall(server.get("/metrics").body)


def test_other_sites_may_link_here(server):
    answer = server.get("/", {"Sec-Fetch-Site": "cross-site", "Accept": "text/html",
                              "Sec-Fetch-Mode": "navigate"})
    assert answer.status == 200


def test_delete_needs_an_origin_too(server, clip):
    video = server.keep(clip("gray_pattern.mp4"))
    answer = server.request("DELETE", f"/v1/videos/{video}", headers={"Origin": "http://evil.com"})
    assert answer.refusal == (403, "origin_not_allowed")
    assert server.get(f"/v1/videos/{video}").status == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_are_guarded(either, path):
    headers = either.get(path, {"Accept": "text/html"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"]
    policy = headers["Content-Security-Policy"]
    assert "default-src" in policy and "unsafe-inline" not in policy and "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy or headers["X-Frame-Options"] in ("DENY",
                                                                               "SAMEORIGIN")


def test_no_secret_is_told(serving):
    secret = "very-secret-key-4711"
    server = serving(AUTH="on", API_KEYS=secret, HF_TOKEN="hf_secret4711")
    mine = {"X-API-Key": secret}
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/v1/health/detailed", "/v1/models",
                 "/v1/ready", "/v1/health"):
        answer = server.get(path, mine)
        assert answer.status == 200
        assert b"4711" not in answer.body, path
    server.get("/v1/models", {"X-API-Key": "guess" + secret})
    assert "4711" not in server.log_path.read_text()


def test_detailed_health_tells_no_folder_of_ours(server):
    body = server.get("/v1/health/detailed").json
    del body["model"]["path"]  # the contract's, for the operator
    assert str(server.folder) not in json.dumps(body)


HOSTILE = ["\r\nX: y", "\x1b[31m", "\u2028", "\x85", "\ud7ff", "x" * 5000]


def test_the_log(server, clip):
    """One JSON object a line, short, with the request's id, without anyone's words."""
    marker = "a-private-question"
    answer = server.upload(file(clip("one_frame.mp4"), filename="a-private-name.mp4"),
                           field("prompt", marker), headers={"X-Request-ID": "logged-1"})
    assert answer.status == 200
    for text in HOSTILE:
        server.get("/v1/" + quote(text[:500]), {"User-Agent": quote(text)})
        server.ask(text, max_tokens=1)
    lines = server.log_path.read_bytes().split(b"\n")
    assert max(map(len, lines)) <= 8192
    assert not any(byte < 32 or byte == 127 for line in lines for byte in line)
    assert marker.encode() not in b"\n".join(lines)
    mine = server.log_of("logged-1", "request", "answered")
    assert any(line.get("status") == 200 for line in mine)
    assert any("decode" in json.dumps(line) and "generate" in json.dumps(line) for line in mine)


def test_bad_bytes_in_headers(server):
    for value in (b"\xff\xfe", b"\x85", "\u2028".encode(), b"\x1b[2J"):
        sent = request(method="GET").replace(b"Connection", b"User-Agent: " + value
                                             + b"\r\nConnection")
        answer, = talk(server, sent)
        assert answer.status in (200, 400)


def test_what_the_leak_scan_finds():
    assert leaks("could not open /tmp/tru-1/x") and leaks("fault at 0x7f3a11") and leaks("x.cpp:12")
    assert leaks("SELECT a FROM b") and leaks("connect to 10.0.0.1") and leaks("libavformat says")
    assert not leaks("fps must be over 0 and at most 60; 0.5 is fine, 4.2 is too")
