"""What a key or an address may use up, and what is written down about it."""
import json
import stat
import subprocess

import pytest

import fake_vllm as fake
from events import stream
from serving import FORM, PROGRAM, eventually, field, file, multipart
from wire import connect, request

FIRST, SECOND = "first-key-0123456789", "second-key-9876543210"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def by(key):
    return {"X-API-Key": key}


def test_an_upload_quota(starting, clip):
    """Counted for each key apart, as announced and then as it came; small things go on."""
    server = starting(AUTH="on", API_KEYS=f"{FIRST},{SECOND}", UPLOAD_QUOTA="100KB/d").wait_ready()
    data = clip("one_frame.mp4").read_bytes()
    data += (70_000 - len(data)).to_bytes(4, "big") + b"free" + bytes(70_000 - len(data) - 8)
    assert server.request("POST", "/v1/videos", data, by(FIRST)).status == 201
    answer = server.request("POST", "/v1/videos", data, by(FIRST))
    assert answer.refusal == (429, "quota_exceeded")
    assert 10_000 < int(answer.headers["Retry-After"]) < 86_400
    assert server.get("/v1/models", by(FIRST)).status == 200
    assert server.request("POST", "/v1/videos", data, by(SECOND)).status == 201
    assert server.ask("Hello", by(FIRST), max_tokens=1).status == 200
    assert server.request("POST", "/v1/videos", data, by("wrong")).status == 401


def test_what_did_not_come_is_given_back(starting):
    server = starting(UPLOAD_QUOTA="100KB/d").wait_ready()
    head = request("Content-Length: 90000", method="POST", path="/v1/videos")
    for _ in range(3):
        with connect(server) as connection:
            connection.sendall(head + b"\0" * 1000)
            eventually(server.leftovers, "it is written while it comes")
        eventually(lambda: server.leftovers() == [], "it is removed")
    answer = server.request("POST", "/v1/videos", b"\0" * 90_000)
    assert answer.refusal == (415, "unsupported_media")
    assert server.request("POST", "/v1/videos", b"\0" * 90_000).status == 429


def test_questions_of_one_key_at_a_time(starting, clip):
    server = starting("moe", AUTH="on", API_KEYS=f"{FIRST},{SECOND}", MAX_REQUESTS_PER_KEY=1,
                      TEMPERATURE=1, MAX_NEW_TOKENS=32768).wait_ready()
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
    held = stream(server, "POST", "/v1/chat/completions", body,
                  {"Content-Type": "application/json", **by(FIRST)})
    answer = server.ask("Hello", by(FIRST), max_tokens=1)
    assert answer.refusal == (429, "busy") and int(answer.headers["Retry-After"]) >= 1
    form = multipart(file(clip("one_frame.mp4")), field("prompt", "x"))
    with stream(server, "POST", "/v1/inference/upload", form, {
            "Content-Type": FORM, "Accept": "text/event-stream", **by(SECOND)}) as events:
        assert next(iter(events))[1] == "queued"
    held.close()
    eventually(lambda: server.ask("Hello", by(FIRST), max_tokens=1).status == 200, "it is free")


def test_what_is_audited(starting, clip, tmp_path):
    """Who, what and how it ended; neither prompts nor keys nor names of files."""
    path = tmp_path / "audit.jsonl"
    server = starting(AUTH="on", API_KEYS=FIRST, AUDIT_LOG=path, LOG_LEVEL="error").wait_ready()
    server.upload(file(clip("one_frame.mp4"), filename="private-name.mp4"),
                  field("prompt", "private-question"), headers=by(FIRST))
    video = server.keep(clip("one_frame.mp4"), by(FIRST))
    server.request("DELETE", f"/v1/videos/{video}", headers=by(FIRST))
    server.get("/v1/models", by("wrong-key-private"))
    server.ask("private-question", by(FIRST), temperature=9)
    for open_to_all in ("/v1/health", "/", "/docs"):
        server.get(open_to_all)
    assert server.get("/metrics", by(FIRST)).status == 200
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(line["method"], line["route"], line["outcome"], line["status"], line["code"])
            for line in lines] == [
        ("POST", "/v1/inference/upload", "done", 200, ""),
        ("POST", "/v1/videos", "done", 201, ""),
        ("DELETE", "/v1/videos/{id}", "done", 204, ""),
        ("GET", "/v1/models", "refused", 401, "unauthorized"),
        ("POST", "/v1/chat/completions", "refused", 422, "field_invalid")]
    key = lines[0]["key"]
    assert len(key) == 8 and [line["key"] for line in lines] == [key, key, key, "", key]
    assert lines[2]["object"] == video and {line["event"] for line in lines} == {"audit"}
    assert all(line["peer"] == "127.0.0.1" and line["request_id"] for line in lines)
    assert "private" not in path.read_text() and FIRST not in path.read_text()
    assert "audit" not in server.log_text()


def test_without_a_file_the_log_is_audited(server):
    server.request("GET", "/v1/models", headers={"X-Request-ID": "audited-1"})
    line = server.log_of("audited-1", "audit")[-1]
    assert (line["key"], line["outcome"]) == ("", "done")


def test_an_audit_log_that_cannot_be_written(starting, tmp_path):
    server = starting(AUDIT_LOG=tmp_path / "no" / "audit")
    assert server.process.wait(30) == 3
    assert "AUDIT_LOG" in server.log_text().splitlines()[-1]


def test_scopes(starting, tmp_path):
    """A key of monitors reads metrics and nothing else."""
    made = subprocess.run([PROGRAM, "keys", "add", "monitor", "--scopes", "metrics", "--data-dir",
                           tmp_path], capture_output=True, text=True, check=True, timeout=30)
    key = made.stdout.split()[-1]
    server = starting(AUTH="on", DATA_DIR=tmp_path).wait_ready()
    assert server.get("/metrics", by(key)).status == 200
    assert server.get("/v1/models", by(key)).refusal == (403, "scope_missing")


def test_a_trace_is_logged(server):
    given = {"X-Request-ID": "traced-1", "traceparent": PARENT}
    assert server.ask("Hello", given, max_tokens=1).status == 200
    mine = server.log_of("traced-1", "request", "answered", "audit")
    assert {line["event"] for line in mine} >= {"request", "answered", "audit"}
    assert {line["trace_id"] for line in mine} == {TRACE}


@pytest.mark.parametrize("value", ["", "nonsense", PARENT.upper(), PARENT.replace("7", "x"),
                                   f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT + "\", \"a"])
def test_a_broken_trace_is_ignored(server, value):
    name = f"broken-{abs(hash(value))}"
    assert server.get("/v1/models", {"X-Request-ID": name, "traceparent": value}).status == 200
    assert not any("trace_id" in line for line in server.log_of(name))


def test_a_trace_goes_on_to_the_remote_server(starting):
    one = fake.FakeVllm()
    try:
        server = starting(MODEL_BACKEND="vllm", VLLM_BASE_URL=one.url).wait_ready()
        server.ask("Hello", {"traceparent": PARENT}, max_tokens=5)
        server.ask("Hello", max_tokens=5)
    finally:
        one.close()
    traced, untraced = one.headers
    version, trace, parent, flags = traced["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert parent not in PARENT and len(parent) == 16
    assert untraced["traceparent"] is None
