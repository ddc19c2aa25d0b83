"""Table A: broken, hostile and slow HTTP gets its documented answer and costs nothing."""
import concurrent.futures
import socket
import struct
import time

import pytest

from serving import eventually
from wire import connect, parse, read_all, request, talk

GOOD = request()
CHUNKED = {"method": "POST", "path": "/v1/inference/url"}


def chunks(body, *lines):
    return request("Transfer-Encoding: chunked", "Content-Type: application/json", *lines,
                   body=body, **CHUNKED)


def with_body(*lines, body=b""):
    return request(*lines, "Content-Type: application/json", body=body, **CHUNKED)


BAD_FRAMING = {
    "length and chunks": with_body("Content-Length: 5", "Transfer-Encoding: chunked",
                                   body=b"0\r\n\r\n"),
    "two lengths": with_body("Content-Length: 5", "Content-Length: 6", body=b"12345"),
    "length with a sign": with_body("Content-Length: +5", body=b"12345"),
    "length in hex": with_body("Content-Length: 0x5", body=b"12345"),
    "negative length": with_body("Content-Length: -1"),
    "list of lengths": with_body("Content-Length: 5,5", body=b"12345"),
    "huge length": with_body("Content-Length: 99999999999999999999999"),
    "other coding": with_body("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked not last": with_body("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunked twice": with_body("Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
                               body=b"0\r\n\r\n"),
    "space before colon": request("X-Thing : 1"),
    "folded line": request("X-Thing: 1", " more"),
    "no colon": request("X-Thing"),
    "no name": request(": x"),
    "NUL in a value": request("X-Thing: a\0b"),
    "CR in a value": request("X-Thing: a\rb"),
    "bare LF": b"GET /v1/health HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    "negative chunk": chunks(b"-2\r\n{}\r\n0\r\n\r\n"),
    "17 hex digits": chunks(b"00000000000000002\r\n{}\r\n0\r\n\r\n"),
    "huge chunk": chunks(b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "chunk without a size": chunks(b"\r\n{}\r\n0\r\n\r\n"),
    "chunk in hex with 0x": chunks(b"0x2\r\n{}\r\n0\r\n\r\n"),
    "LF in an extension": chunks(b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    "long extension": chunks(b"2;" + b"a" * 1_000_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "chunk longer than said": chunks(b"2\r\n{}xx\r\n0\r\n\r\n"),
    "random bytes": bytes(range(128, 256)) * 4 + b"\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "HTTP/0.9": b"GET /\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_FRAMING)
def test_bad_framing_ends_the_connection(server, name):
    """What follows is never read as another request."""
    answer, = talk(server, BAD_FRAMING[name] + GOOD)
    assert answer.refusal == (400, "bad_framing")
    assert answer.headers["Connection"] == "close"


REFUSED = {
    "long headers": (request("X-Thing: " + "a" * 17_000), 431, "headers_too_large"),
    "many headers": (request(*["X-Thing: 1"] * 101), 431, "headers_too_large"),
    "long target": (request(path="/" + "a" * 9000), 414, "uri_too_long"),
    "no host": (request(host=None), 400, "bad_host"),
    "two hosts": (request("Host: localhost"), 400, "bad_host"),
    "no host name": (request(host="a/b?c"), 400, "bad_host"),
    "other host": (request(host="evil.com"), 403, "host_not_allowed"),
    "two hosts in two places": (request(path="http://evil.com/v1/health"), 400, "bad_host"),
    "other host in the target": (request(path="http://evil.com/v1/health", host="evil.com"), 403,
                                 "host_not_allowed"),
    "compressed body": (with_body("Content-Encoding: gzip", "Content-Length: 2", body=b"{}"),
                        415, "unsupported_encoding"),
    "unknown expectation": (with_body("Expect: 200-ok", "Content-Length: 2", body=b"{}"), 417,
                            "expectation_failed"),
    "too large": (request("Content-Length: 1048576001", "Content-Type: video/mp4", method="POST",
                          path="/v1/videos"), 413, "upload_too_large"),
    "too large, with Expect": (request("Content-Length: 1048576001", "Expect: 100-continue",
                                       "Content-Type: video/mp4", method="POST",
                                       path="/v1/videos"), 413, "upload_too_large"),
    "method of another path": (request("Content-Length: 0", method="POST"), 405,
                               "method_not_allowed"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None, None),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
    "unknown method": (request(method="BREW"), 405, "method_not_allowed"),
    "no such path": (request(path="/nothing/here"), 404, "not_found"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(either, name):
    sent, status, code = REFUSED[name]
    answer, = talk(either, sent)
    if status:
        assert answer.refusal == (status, code)
    assert 400 <= answer.status <= 505


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "BREW", "M" * 4000])
def test_methods(server, method):
    answer, = talk(server, request(method=method), methods=("POST",))
    assert answer.status in (400, 405, 414, 431, 501)


@pytest.mark.parametrize("path", [
    "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd",
    "/%252e%252e/etc/passwd", "/docs%00.html", "//etc/passwd", "/..\\..\\etc\\passwd",
    "/%c0%ae%c0%ae/etc/passwd", "/_next/static/..%2f..%2f..%2f..%2fetc%2fpasswd"])
def test_paths_that_climb(either, path):
    answer, = talk(either, request(path=path))
    assert answer.status in (400, 404) and b"root:" not in answer.body


def test_a_slash_more_dodges_nothing(either):
    for path in ("/v1/health/", "//v1/health", "/v1//health", "/v1/%68ealth"):
        answer, = talk(either, request(path=path))
        assert answer.status in (200, 308, 400, 404)


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("localhost", 200), ("[::1]", 200), ("10.1.2.3:99", 200),
    ("LOCALHOST:1", 200), ("localhost.evil.com", 403), ("evil.com:8000", 403), ("127.0.0.1.nip.io",
                                                                               403)])
def test_hosts(server, host, status):
    answer, = talk(server, request(host=host))
    assert answer.status == status


def test_a_configured_host(serving):
    server = serving(ALLOWED_HOSTS="tru.example.org")
    assert talk(server, request(host="tru.example.org:8000"))[0].status == 200
    assert talk(server, request(host="other.example.org"))[0].status == 403


def test_expect_continue(server):
    head = with_body("Expect: 100-continue", "Content-Length: 2")
    with connect(server) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        answer, = parse(read_all(connection))
    assert answer.status == 422


def test_pipelining(server):
    count = 200
    answers = talk(server, request(close=False) * (count - 1) + GOOD, methods=("GET",) * count)
    assert [answer.status for answer in answers] == [200] * count


def test_a_pipelined_request_behind_a_body(server):
    sent = request("Content-Length: 2", "Content-Type: application/json", body=b"{}", close=False,
                   **CHUNKED) + GOOD
    assert [answer.status for answer in talk(server, sent, methods=("POST", "GET"))] == [422, 200]


def test_head_and_options(server):
    answer, = talk(server, request(method="HEAD"), methods=("HEAD",))
    assert answer.status == 200 and answer.body == b""
    assert int(answer.headers["Content-Length"]) > 10
    answer, = talk(server, request(method="OPTIONS"), methods=("OPTIONS",))
    assert answer.status in (200, 204) and "GET" in answer.headers["Allow"]


def test_http_1_0(server):
    answer, = talk(server, b"GET /v1/health HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.status == 200 and answer.json["status"] == "healthy"


def test_chunked_body(server):
    body = b'{"messages":[{"role":"user","content":"Hello"}],"max_tokens":1}'
    whole = b"".join(b"1;x=y\r\n" + bytes([c]) + b"\r\n" for c in body) + b"0\r\nX-T: 1\r\n\r\n"
    answer, = talk(server, request("Transfer-Encoding: chunked", "Content-Type: application/json",
                                   method="POST", path="/v1/chat/completions", body=whole))
    assert answer.status == 200


BODY = b'{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}'
SPLIT = request(f"Content-Length: {len(BODY)}", "Content-Type: application/json", method="POST",
                path="/v1/chat/completions", body=BODY)


def test_split_at_every_byte(server):
    def ask(at):
        return talk(server, SPLIT[:at], SPLIT[at:], pause_s=0.01)[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(1, len(SPLIT))))
    texts = {answer.json["choices"][0]["message"]["content"] for answer in answers}
    assert {answer.status for answer in answers} == {200} and len(texts) == 1


def test_byte_by_byte(server):
    pieces = [SPLIT[i:i + 1] for i in range(len(SPLIT))]
    assert talk(server, *pieces, pause_s=0.001)[0].status == 200


@pytest.mark.parametrize("way", ["reset", "close", "half_close"])
def test_leaving_at_every_byte(server, way):
    before = server.open_files()
    for at in range(0, len(SPLIT), 3):
        with connect(server) as connection:
            connection.sendall(SPLIT[:at])
            if way == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way == "half_close":
                connection.shutdown(socket.SHUT_WR)
                read_all(connection)
    assert server.get("/v1/health").status == 200
    eventually(lambda: server.open_files() <= before + 1, "connections stay open")


def test_slow_headers(serving):
    """A byte now and then keeps no connection: 408 when the time is over, others see nothing."""
    server = serving(HEADER_TIMEOUT=2)
    slow = [connect(server) for _ in range(50)]
    begin, longest, data = time.monotonic(), 0, GOOD
    while time.monotonic() - begin < 4:
        for connection in slow:
            try:
                connection.sendall(data[:1])
            except OSError:
                pass
        data = data[1:]
        asked = time.monotonic()
        assert server.get("/v1/health").status == 200
        longest = max(longest, time.monotonic() - asked)
        time.sleep(0.5)
    assert longest < 2
    answers = [parse(read_all(connection))[0] for connection in slow]
    assert {answer.refusal for answer in answers} == {(408, "request_timeout")}
    for connection in slow:
        connection.close()


def test_many_idle_connections(server):
    idle = [connect(server) for _ in range(300)]
    assert server.get("/v1/health").status == 200
    for connection in idle:
        connection.close()


def test_an_uploads_stall(serving):
    """After the grace, less than 16 KiB/s is too slow; what came of the file is gone."""
    server = serving(UPLOAD_GRACE=2)
    head = request("Content-Length: 1000000", "Content-Type: video/mp4", method="POST",
                   path="/v1/videos")
    with connect(server, timeout_s=120) as connection:
        connection.sendall(head + b"\0" * 990_000)
        eventually(server.leftovers, "the upload is written while it comes")
        answer, = parse(read_all(connection))
    assert answer.refusal == (408, "upload_too_slow")
    eventually(lambda: server.leftovers() == [], "a part of an upload stays")
