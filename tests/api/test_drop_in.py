"""Clients of the platform that this one replaces: curl, its web page, its test script."""
import json
import random
import re
import subprocess

import pytest

from serving import DATA, FORM, PROGRAM, field, file, multipart

PAGE = "http://localhost:3000"
FIELDS = {"response", "prompt", "video_source", "backend", "model", "usage", "finish_reason",
          "video_report", "timings_ms", "request_id"}
PARAMETERS = {"fps": 2, "max_frames": 8, "min_pixels": 4096, "max_pixels": 65536,
              "total_pixels": 2000000, "max_tokens": 5, "temperature": 0, "top_p": 0.9,
              "top_k": 10, "seed": 3}


def curl(*arguments):
    """curl's (status, body)."""
    done = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *map(str, arguments)],
                          capture_output=True, text=True, check=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_health(server):
    status, body = curl(server.url + "/v1/health")
    assert (status, body) == (200, '{"status":"healthy","service":"tru-v2-vlm-inference"}')


def test_detailed_health(server):
    status, body = curl(server.url + "/v1/health/detailed")
    assert status == 200 and '"loaded":true' in body, "old scripts look for just these bytes"
    health = json.loads(body)
    assert {"status", "service", "model", "gpu", "cpu", "memory", "queue", "sandbox",
            "version"} <= set(health)
    assert health["model"]["backend"] == "hf" and "dense-tied" in health["model"]["path"]
    assert {"available", "count", "devices"} <= set(health["gpu"])
    assert health["queue"] == {"waiting": 0, "running": 0, "capacity": 64}
    assert re.fullmatch(r"\d+\.\d+\.\d+", health["version"])


def test_curl_upload(server, clip):
    path = clip("clip.mov")
    status, body = curl("-F", f"video=@{path}", "-F", "prompt=What happens?",
                        server.url + "/v1/inference/upload")
    answer = json.loads(body)
    assert status == 200 and set(answer) == FIELDS
    assert (answer["prompt"], answer["video_source"]) == ("What happens?", "clip.mov")
    assert (answer["backend"], answer["model"]) == ("hf", "dense-tied")
    assert answer["usage"]["completion_tokens"] == 8 and answer["finish_reason"] == "length"
    assert len(answer["video_report"]) == 1 and answer["request_id"]
    assert answer["video_report"][0]["source"] == "clip.mov"
    assert list(answer)[:4] == ["response", "prompt", "video_source", "backend"]
    assert body == json.dumps(answer, separators=(",", ":"), ensure_ascii=False) or \
        '": ' not in re.sub(r'"(?:[^"\\]|\\.)*"', '""', body)
    assert server.leftovers() == [], "the upload is gone when the answer is there"


def test_the_answer_is_the_programs(server, clip):
    path = clip("odd_24fps.mp4")
    done = subprocess.run(
        [PROGRAM, "ask", path, "What moves?", "--json", "--temperature", "0", "--max-tokens", "6",
         "--model", DATA / "models" / "dense-tied"], capture_output=True, text=True, check=True,
        timeout=60)
    answer = server.upload(file(path), field("prompt", "What moves?"), field("max_tokens", 6))
    assert answer.json["response"] == json.loads(done.stdout)["response"]
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]


def test_fields_in_any_order(server, clip):
    parts = [field(name, value) for name, value in PARAMETERS.items()]
    parts.append(field("prompt", "What happens?"))
    video = file(clip("long_12s.mp4"))
    shuffled = parts[:]
    random.Random(4).shuffle(shuffled)
    answers = [server.upload(*order).json for order in (
        [video, *parts], [*parts, video], [*shuffled[:5], video, *shuffled[5:]])]
    assert len({answer["response"] for answer in answers}) == 1
    assert all(len(answer["video_report"][0]["frames"]) == 8 for answer in answers)
    assert all(answer["usage"]["completion_tokens"] == 5 for answer in answers)
    assert server.leftovers() == []


def test_json_by_url(fetching, site, clip):
    asked = {"video_url": f"{site}/clip/long_12s.mp4?token=x", "prompt": "What happens?",
             "video_params": {"num_frames": 6, "fps": None},
             "generation_params": {"max_tokens": 4, "temperature": 0, "stop": None}}
    status, body = curl("-H", "Content-Type: application/json", "-d", json.dumps(asked),
                        fetching.url + "/v1/inference/url")
    answer = json.loads(body)
    assert status == 200 and set(answer) == FIELDS, body
    assert answer["video_source"] == asked["video_url"]
    uploaded = fetching.upload(file(clip("long_12s.mp4")), field("prompt", "What happens?"),
                               field("num_frames", 6), field("max_tokens", 4)).json
    assert uploaded["response"] == answer["response"]
    assert fetching.leftovers() == []


def test_old_pages_preflight(server):
    answer = server.request("OPTIONS", "/v1/inference/upload", headers={
        "Origin": PAGE, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type"})
    assert answer.status in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert "Origin" in ", ".join(answer.headers.get_all("Vary"))


def test_old_pages_upload(server, clip):
    """What axios sends for a FormData in a browser."""
    answer = server.upload(
        file(clip("two_frames.mp4")), field("prompt", "What?"), field("fps", "2"),
        field("max_tokens", "4"), headers={"Origin": PAGE, "Sec-Fetch-Site": "same-site",
                                           "Accept": "application/json, text/plain, */*"})
    assert answer.status == 200 and answer.json["response"]
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in ", ".join(answer.headers.get_all("Vary"))


def test_old_pages_error(server):
    answer = server.upload(file(b"text, no video " * 99, filename="x.mp4"),
                           field("prompt", "What?"), headers={"Origin": PAGE})
    assert answer.refusal == (415, "unsupported_media")
    assert isinstance(answer.json["detail"], str)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE, "the page may read the error"


def test_service_card_and_page(server):
    card = server.get("/", {"Accept": "application/json"}).json
    assert "tru" in json.dumps(card)
    assert server.get("/", {"Accept": "text/html"}).headers.get_content_type() == "text/html"


def test_a_form_without_javascript(server, clip):
    answer = server.upload(file(clip("two_frames.mp4")), field("prompt", "<b>What?</b>"),
                           headers={"Accept": "text/html,application/xhtml+xml", "Origin":
                                    server.url, "Sec-Fetch-Site": "same-origin"})
    assert answer.status == 200 and answer.headers.get_content_type() == "text/html"
    assert b"&lt;b&gt;What?" in answer.body and b"<b>What?" not in answer.body
    connection, response = server.open(
        "POST", "/v1/inference/upload", multipart(file(clip("two_frames.mp4"))),
        {"Content-Type": FORM, "Accept": "text/html,application/xhtml+xml"})
    assert response.status == 422 and response.headers.get_content_type() == "text/html"
    assert b"prompt is required" in response.read()
    connection.close()


def test_logprobs(server, clip):
    answer = server.upload(file(clip("two_frames.mp4")), field("prompt", "What?"),
                           field("logprobs", "true"), field("top_logprobs", 3)).json
    assert set(answer) == FIELDS | {"tokens"}
    assert len(answer["tokens"]) == answer["usage"]["completion_tokens"]
    assert all(len(token["top_logprobs"]) == 3 for token in answer["tokens"])


def test_empty_fields_are_unset(server, clip):
    answer = server.upload(file(clip("two_frames.mp4")), field("prompt", "What?"),
                           field("fps", ""), field("seed", ""))
    assert answer.status == 200


def test_unknown_fields_are_named(server, clip):
    answer = server.upload(file(clip("two_frames.mp4")), field("prompt", "What?"),
                           field("colour", "red"))
    assert answer.status == 200 and "colour" in answer.headers["Warning"]
    answer = server.ask("Hello", frequency_penalty=0, colour="red")
    assert answer.status == 200 and "colour" in answer.headers["Warning"]


@pytest.mark.parametrize("value, frames", [("2", 4), ("2.0", 4), ("1e0", 4)])
def test_numbers_as_text(server, clip, value, frames):
    answer = server.upload(file(clip("long_12s.mp4")), field("prompt", "What?"),
                           field("fps", value), field("max_frames", frames))
    assert len(answer.json["video_report"][0]["frames"]) == frames


def test_request_ids(server):
    def given(headers=None):
        return server.get("/v1/health", headers).headers["X-Request-ID"]

    assert given({"X-Request-ID": "my-id.7"}) == "my-id.7"
    assert len({given() for _ in range(5)}) == 5
    for bad in ("x" * 300, "a b", 'a"b', "a\tb"):
        assert given({"X-Request-ID": bad}) != bad


def test_documents(server):
    document = server.get("/openapi.json").json
    assert document["openapi"].startswith("3.")
    page = server.get("/docs")
    assert page.status == 200 and page.headers.get_content_type() == "text/html"
    assert not re.search(rb"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page.body), \
        "all files of the page are ours"
    for path in ("/v1/inference/upload", "/v1/inference/url", "/v1/chat/completions",
                 "/v1/videos", "/v1/videos/{id}", "/v1/videos/{id}/plan",
                 "/v1/videos/{id}/frames/{index}.jpg", "/v1/videos/{id}/content",
                 "/v1/requests/{id}", "/v1/requests/{id}/events", "/v1/models", "/v1/health",
                 "/v1/health/detailed", "/v1/ready", "/metrics"):
        assert path in document["paths"], path
