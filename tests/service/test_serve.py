"""The service as a whole: it starts, answers, streams, cancels and stops."""
import base64
import json
import os
import signal
import subprocess
import time

import pytest

from service import PROGRAM, ROOT, Reply, events, multipart


def test_health_is_the_old_platforms(server):
    reply = server.get("/v1/health")
    assert reply.status == 200
    assert reply.body == b'{"status":"healthy","service":"tru-v2-vlm-inference"}'
    assert server.get("/v1/ready").status == 200
    detailed = server.get("/v1/health/detailed")
    assert b'"loaded":true' in detailed.body
    assert detailed.json()["queue"]["capacity"] == 64


def test_an_upload_is_answered_and_leaves_nothing(server, clip):
    reply = server.upload(clip("odd_24fps.mp4"), prompt="What moves?", max_tokens=8, fps=1)
    assert reply.status == 200, reply.body
    answer = reply.json()
    assert list(answer)[:4] == ["response", "prompt", "video_source", "backend"]
    assert (answer["prompt"], answer["video_source"]) == ("What moves?", "odd_24fps.mp4")
    assert answer["usage"]["completion_tokens"] <= 8
    assert answer["video_report"][0]["source"] == "odd_24fps.mp4"
    assert answer["request_id"] == reply.headers["X-Request-ID"]
    left = [path for path in (server.folder / "uploads").rglob("*") if path.is_file()]
    assert left == []


def test_chat_takes_a_data_url_and_answers_like_the_program(server, clip, data):
    video = base64.b64encode(clip("odd_24fps.mp4").read_bytes()).decode()
    content = [{"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{video}"}},
               {"type": "text", "text": "What moves?"}]
    reply = server.post("/v1/chat/completions", {
        "model": "any", "messages": [{"role": "user", "content": content}], "max_tokens": 6,
        "temperature": 0})
    assert reply.status == 200, reply.body
    answer = reply.json()["choices"][0]["message"]["content"]
    asked = subprocess.run(
        [PROGRAM, "ask", clip("odd_24fps.mp4"), "What moves?", "--json", "--temperature", "0",
         "--max-tokens", "6", "--model", data / "models" / "dense-tied"],
        capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(asked.stdout)["response"] == answer


def test_a_stream_shows_queue_progress_tokens_and_the_whole_answer(server, clip):
    body, kind = multipart(clip("odd_24fps.mp4"), {"prompt": "Hi", "max_tokens": 8})
    response = server.open("POST", "/v1/inference/upload", body,
                           {"Content-Type": kind, "Accept": "text/event-stream"})
    assert response.headers["Content-Type"].startswith("text/event-stream")
    seen = [(int(number), name, json.loads(data)) for number, name, data in events(response)]
    assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[0][1] == "queued" and seen[0][2]["request_id"] == response.headers["X-Request-ID"]
    stages = {data["stage"] for _, name, data in seen if name == "progress"}
    assert stages >= {"decode", "vision", "prefill"}
    text = "".join(data["text"] for _, name, data in seen if name == "token")
    assert seen[-1][1] == "done" and seen[-1][2]["response"] == text


def test_a_resumable_stream_is_taken_up_again_without_a_gap(server, clip):
    body, kind = multipart(clip("odd_24fps.mp4"),
                           {"prompt": "Hi", "max_tokens": 200, "stream": "true", "resumable": "1"})
    response = server.open("POST", "/v1/inference/upload", body, {"Content-Type": kind})
    number = response.headers["X-Request-ID"]
    stream = events(response)
    first = [next(stream) for _ in range(4)]
    response.close()
    again = server.open("GET", f"/v1/requests/{number}/events",
                        headers={"Last-Event-ID": first[-1][0]})
    rest = list(events(again))
    assert int(rest[0][0]) == int(first[-1][0]) + 1
    assert rest[-1][1] == "done"


def test_delete_cancels_and_the_next_question_is_answered(server, clip):
    body, kind = multipart(clip("odd_24fps.mp4"),
                           {"prompt": "Hi", "max_tokens": 30000, "stream": "true"})
    response = server.open("POST", "/v1/inference/upload", body, {"Content-Type": kind})
    stream = events(response)
    assert next(stream)[1] == "queued"
    gone = Reply(server.open("DELETE", f"/v1/requests/{response.headers['X-Request-ID']}"))
    assert gone.status == 204
    last = list(stream)[-1]
    assert last[1] == "error" and json.loads(last[2])["error"]["code"] == "cancelled"
    assert server.upload(clip("odd_24fps.mp4"), prompt="Hi", max_tokens=2).status == 200


@pytest.mark.parametrize("fields, status, code, field", [
    ({}, 422, "field_missing", "prompt"),
    ({"prompt": "Hi", "fps": "0"}, 422, "field_invalid", "fps"),
    ({"prompt": "Hi", "fps": "2", "num_frames": "4"}, 422, "field_invalid", "fps"),
    ({"prompt": "Hi", "profile": "best"}, 422, "field_invalid", "profile"),
    ({"prompt": "Hi", "start_s": "1e6"}, 422, "field_invalid", None),
])
def test_what_is_wrong_is_named(server, clip, fields, status, code, field):
    reply = server.upload(clip("odd_24fps.mp4"), **fields)
    error = reply.json()["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert field is None or error["field"] == field
    assert reply.json()["detail"] == error["message"]


def test_broken_and_strange_json(server):
    for body, status, code in ((b"{", 400, "json_invalid"), (b'{"a":1,"a":2}', 400, "json_invalid"),
                               (b"[" * 40, 400, "json_too_deep"), (b"[]", 422, "field_invalid"),
                               (b"\xef\xbb\xbf{}", 400, "json_invalid"),
                               (b'{"video_url":"file:///etc/passwd","prompt":"x"}', 422,
                                "url_scheme_not_allowed")):
        reply = server.post("/v1/inference/url", body)
        assert (reply.status, reply.json()["error"]["code"]) == (status, code), body
        assert b"/etc" not in reply.body


def test_kept_videos(server, clip):
    made = server.post("/v1/videos", clip("odd_24fps.mp4").read_bytes())
    assert made.status == 201, made.body
    video = made.json()
    plan = server.post(f"/v1/videos/{video['id']}/plan", {"fps": 1})
    assert plan.status == 200 and plan.json()["estimate"]["fits"] is True
    index = plan.json()["video_report"][0]["frames"][-1]["index"]
    frame = server.get(f"/v1/videos/{video['id']}/frames/{index}.jpg?width=64")
    assert frame.status == 200 and frame.body.startswith(b"\xff\xd8")
    part = server.get(f"/v1/videos/{video['id']}/content", Range="bytes=0-9")
    assert part.status == 206 and part.body == clip("odd_24fps.mp4").read_bytes()[:10]
    url = f"tru://videos/{video['id']}"
    asked = server.post("/v1/inference/url",
                        {"video_url": url, "prompt": "Hi", "generation_params": {"max_tokens": 2}})
    assert asked.status == 200 and asked.json()["video_source"] == url
    assert Reply(server.open("DELETE", f"/v1/videos/{video['id']}")).status == 204
    assert server.get(f"/v1/videos/{video['id']}").status == 404


def test_keys(start_server):
    server = start_server(AUTH="on", API_KEYS="alpha,beta").wait_until_ready()
    assert server.get("/v1/health").status == 200
    refused = server.get("/v1/models")
    assert refused.status == 401 and refused.json()["error"]["code"] == "unauthorized"
    assert server.get("/v1/models", Authorization="Bearer alpha").status == 200
    assert server.get("/v1/models", **{"X-API-Key": "beta"}).status == 200
    assert server.get("/v1/models", **{"X-API-Key": "alph"}).status == 401


def test_an_open_address_needs_keys(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HOST": "0.0.0.0"}
    result = subprocess.run([PROGRAM, "serve"], env=environment, capture_output=True, text=True,
                            timeout=30)
    assert result.returncode == 3
    assert "API_KEYS" in result.stderr and result.stderr.count("\n") == 1


def test_sigterm_ends_an_idle_server_at_once(start_server):
    server = start_server().wait_until_ready()
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert time.monotonic() - started < 10


def test_a_form_without_javascript_gets_a_page(server, clip):
    body, kind = multipart(clip("odd_24fps.mp4"), {"prompt": "<b>Hi</b>", "max_tokens": 2})
    headers = {"Content-Type": kind, "Accept": "text/html,application/xhtml+xml"}
    reply = Reply(server.open("POST", "/v1/inference/upload", body, headers))
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/html")
    assert b"&lt;b&gt;Hi" in reply.body and b"<b>" not in reply.body
    body, kind = multipart(clip("odd_24fps.mp4"), {})
    headers["Content-Type"] = kind
    reply = Reply(server.open("POST", "/v1/inference/upload", body, headers))
    assert reply.status == 422 and b"prompt is required" in reply.body


def test_what_is_printed_is_what_is_served(server, tmp_path):
    printed = subprocess.run([PROGRAM, "serve", "--openapi"], capture_output=True, text=True,
                             cwd=tmp_path, check=True, timeout=30).stdout
    assert json.loads(printed) == server.get("/openapi.json").json()


def test_docs_api_md_is_up_to_date():
    printed = subprocess.run([PROGRAM, "serve", "--api-docs"], capture_output=True, text=True,
                             check=True, timeout=30).stdout
    committed = (ROOT / "docs" / "API.md").read_text(encoding="utf-8")
    assert printed == committed, "run: build/bin/tru serve --api-docs >docs/API.md"


def chat_stream(server, clip, **fields):
    video = base64.b64encode(clip("odd_24fps.mp4").read_bytes()).decode()
    content = [{"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{video}"}},
               {"type": "text", "text": "Hi"}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 6, "stream": True,
            "logprobs": True, "stream_options": {"include_usage": True}, **fields}
    response = server.open("POST", "/v1/chat/completions", json.dumps(body).encode(),
                           {"Content-Type": "application/json"})
    return list(events(response))


def test_a_chat_stream_is_openais(server, clip):
    seen = chat_stream(server, clip)
    assert {name for _, name, _ in seen} == {None}
    assert seen[-1][2] == "[DONE]"
    chunks = [json.loads(data) for _, _, data in seen[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-2]["choices"][0]["finish_reason"] in ("stop", "length")
    assert chunks[-1]["choices"] == []
    tokens = [token for chunk in chunks[:-1] if chunk["choices"][0]["logprobs"]
              for token in chunk["choices"][0]["logprobs"]["content"]]
    assert len(tokens) == chunks[-1]["usage"]["completion_tokens"]


def test_a_resumable_chat_stream_also_tells_of_its_stages(server, clip):
    seen = chat_stream(server, clip, resumable=True)
    assert {name for _, name, _ in seen} == {None, "queued", "progress"}
    numbers = [int(number) for number, _, _ in seen if number]
    assert numbers == list(range(1, numbers[-1] + 1))
