"""Row B11: a request that is sent again with its Idempotency-Key is the same job."""
import concurrent.futures
import http.client
import json
import re
import time
import uuid

import pytest

from events import stream
from serving import FORM, eventually, field, file, multipart
from wire import connect, request, talk

LONG = [field("prompt", "Tell me a story"), field("max_tokens", 300)]


def new_key(**headers):
    return {"Idempotency-Key": str(uuid.uuid4()), **headers}


def jobs(server, headers=None):
    """Questions that have ended so far, well or not."""
    text = server.get("/metrics", headers).body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if re.match(r"tru_(answers|questions_failed)_total\b", line))


@pytest.fixture
def asked(talker):
    """asked() waits until no question is under way, and says how many this test has asked."""
    def idle():
        queue = talker.get("/v1/health/detailed").json["queue"]
        return queue["waiting"] + queue["running"] == 0

    def count():
        eventually(idle, "a question goes on", 20)
        return jobs(talker)

    before = count()
    yield lambda: count() - before
    eventually(lambda: talker.leftovers() == [], "an upload stays")


@pytest.fixture
def ways(talker, clip, site):
    """Each route that asks: way(headers, prompt, max_tokens) sends a request."""
    def url(headers, prompt="x", max_tokens=40):
        return talker.post("/v1/inference/url", {
            "video_url": f"{site}/clip/two_frames.mp4", "prompt": prompt,
            "generation_params": {"max_tokens": max_tokens}}, headers)

    def upload(headers, prompt="x", max_tokens=40):
        return talker.upload(file(clip("two_frames.mp4")), field("prompt", prompt),
                             field("max_tokens", max_tokens), headers=headers)

    def chat(headers, prompt="x", max_tokens=40):
        return talker.ask(prompt, headers, max_tokens=max_tokens)

    return {"url": url, "upload": upload, "chat": chat}


WAYS = ["url", "upload", "chat"]


@pytest.mark.parametrize("way", WAYS)
def test_one_after_the_other(way, ways, asked):
    """At temperature 1 two questions have two answers."""
    headers = new_key()
    first, second = ways[way](headers), ways[way](headers)
    assert first.status == 200 and "Idempotent-Replayed" not in first.headers
    assert (second.status, second.body) == (200, first.body)
    assert second.headers["X-Request-ID"] == first.headers["X-Request-ID"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ways[way]({}).body != first.body and asked() == 2


@pytest.mark.parametrize("way", WAYS)
def test_fifty_at_once(way, ways, asked):
    headers = new_key()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ways[way](headers, max_tokens=300), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1 and asked() == 1


@pytest.mark.parametrize("way", WAYS)
def test_another_body(way, ways, asked):
    headers = new_key()
    first = ways[way](headers)
    assert ways[way](headers, prompt="y").refusal == (422, "idempotency_mismatch")
    assert ways[way](headers, max_tokens=41).refusal == (422, "idempotency_mismatch")
    assert ways[way](headers).body == first.body and asked() == 1


def test_another_route(ways, asked):
    headers = new_key()
    assert ways["chat"](headers).status == 200
    assert ways["upload"](headers).refusal == (422, "idempotency_mismatch")
    assert asked() == 1


def test_what_makes_a_form_another(talker, clip, asked):
    """Its fields and its file: not its boundary, their order or what the file is said to be."""
    headers = new_key()
    video, prompt, length = file(clip("two_frames.mp4")), field("prompt", "x"), field("max_tokens",
                                                                                      20)

    def send(*parts, boundary="b"):
        return talker.request("POST", "/v1/inference/upload", multipart(*parts, boundary=boundary),
                              {"Content-Type": f"multipart/form-data; boundary={boundary}",
                               **headers})

    first = send(video, prompt, length)
    typed = file(clip("two_frames.mp4"), kind="application/octet-stream")
    for again in (send(video, prompt, length, boundary="other"), send(length, prompt, video),
                  send(prompt, typed, length)):
        assert (again.status, again.body) == (200, first.body)
    data = bytearray(clip("two_frames.mp4").read_bytes())
    data[-1] ^= 1
    named = file(clip("two_frames.mp4"), filename="renamed.mp4")
    for other in (file(bytes(data), filename="two_frames.mp4"), named):
        assert send(other, prompt, length).refusal == (422, "idempotency_mismatch")
    assert send(video, prompt, length, field("seed", 1)).refusal[1] == "idempotency_mismatch"
    assert asked() == 1


def upload_stream(server, clip, headers, *parts):
    form = multipart(file(clip("two_frames.mp4")), *(parts or LONG))
    return stream(server, "POST", "/v1/inference/upload", form,
                  {"Content-Type": FORM, "Accept": "text/event-stream", **headers})


def test_a_stream_begins_again(talker, clip, asked):
    """Whose reader left it is taken up from its first event; without a stream, from its end."""
    headers = new_key()
    with upload_stream(talker, clip, headers) as events:
        iterator = iter(events)
        first = [next(iterator) for _ in range(9)]
    with upload_stream(talker, clip, headers) as events:
        assert events.response.headers["X-Request-ID"] == first[0][2]["request_id"]
        again = list(events)
    assert again[:9] == first and again[-1][1] == "done"
    assert [int(number) for number, _, _ in again] == list(range(1, len(again) + 1))
    with upload_stream(talker, clip, headers) as events:
        assert list(events) == again
    plain = talker.upload(file(clip("two_frames.mp4")), *LONG, headers=headers)
    assert plain.json == again[-1][2] and asked() == 1


def test_a_chat_stream_begins_again(talker, asked):
    headers = new_key()
    fields = {"stream": True, "max_tokens": 60, "stream_options": {"include_usage": True}}
    first, second = (talker.ask("Tell a story", headers, **fields) for _ in range(2))
    assert first.body.endswith(b"data: [DONE]\n\n") and second.body == first.body
    assert asked() == 1


def test_readers_at_the_same_time(talker, clip, asked):
    headers = new_key()
    with upload_stream(talker, clip, headers) as one, upload_stream(talker, clip, headers) as two:
        request_id = next(iter(one))[2]["request_id"]
        with stream(talker, "GET", f"/v1/requests/{request_id}/events",
                    headers={"Last-Event-ID": "1"}) as three:
            rest = list(one)
            assert list(two)[1:] == rest == list(three)
    assert asked() == 1


def test_a_repetition_keeps_no_second_upload(talker, clip, asked):
    headers = new_key()
    with upload_stream(talker, clip, headers) as one, upload_stream(talker, clip, headers) as two:
        one.until("token")
        two.until("token")
        assert len(talker.leftovers()) == 1
        assert talker.get("/v1/health/detailed").json["queue"] == {
            "waiting": 0, "running": 1, "capacity": 64}
        list(one)
    assert asked() == 1


def test_keys_are_their_owners(keyed):
    mine = new_key(**{"X-API-Key": "first-key-0123456789"})
    other = {**mine, "X-API-Key": "second-key-9876543210"}
    before = jobs(keyed, mine)
    first = keyed.ask("Hello", mine)
    assert first.status == 200 and keyed.ask("Bye", other).status == 200
    assert keyed.ask("Hello", mine).body == first.body
    assert keyed.ask("Hello", other).refusal == (422, "idempotency_mismatch")
    assert jobs(keyed, mine) == before + 2


def half_sent(server, headers, body, share):
    """Sends so much of a form and leaves."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = request(f"Content-Length: {len(body)}", f"Content-Type: {FORM}", *lines,
                   method="POST", path="/v1/inference/upload")
    with connect(server) as connection:
        connection.sendall(head + body[:int(len(body) * share)])
        time.sleep(0.2)


@pytest.mark.parametrize("percent, ended", [(1, 0), (50, 0), (99, 0), (100, 1)])
def test_a_client_that_breaks_off_and_comes_again(percent, ended, talker, clip, asked):
    """Before the upload's end there is no job, behind it the one that is answered later."""
    headers = new_key()
    body = multipart(file(clip("two_frames.mp4")), *LONG)
    half_sent(talker, headers, body, percent / 100)
    eventually(lambda: talker.leftovers() == [], "an upload stays", 30)
    assert asked() == ended
    answer = talker.request("POST", "/v1/inference/upload", body,
                            {"Content-Type": FORM, **headers})
    assert answer.status == 200 and answer.json["usage"]["completion_tokens"] > 1
    assert (answer.headers["Idempotent-Replayed"] == "true") == (ended == 1)
    assert asked() == 1


def test_without_a_key_a_client_that_leaves_still_ends_it(talker, clip, asked):
    body = multipart(file(clip("two_frames.mp4")), field("prompt", "x"),
                     field("max_tokens", 32768))
    half_sent(talker, {}, body, 1)
    begun = time.monotonic()
    assert asked() == 1 and time.monotonic() - begun < 2


@pytest.mark.parametrize("lines", [
    ["Idempotency-Key:"], ['Idempotency-Key: ""'], ["Idempotency-Key: a b"],
    ["Idempotency-Key: \xe9"], ["Idempotency-Key: " + "x" * 256],
    ["Idempotency-Key: a", "Idempotency-Key: a"]])
def test_bad_keys(talker, lines):
    """Refused before the body is there."""
    for path, kind in (("/v1/inference/upload", FORM), ("/v1/chat/completions", "text/json")):
        answer, = talk(talker, request(*lines, "Content-Length: 1000", f"Content-Type: {kind}",
                                       method="POST", path=path), methods=("POST",))
        assert answer.refusal == (422, "field_invalid")
        assert answer.error["field"] == "Idempotency-Key" and "255" in answer.error["message"]


def test_quotes_do_not_count(talker, asked):
    key = "!~" + "k" * 240 + uuid.uuid4().hex[:13]
    first = talker.ask("x", {"Idempotency-Key": key}, max_tokens=20)
    again = talker.ask("x", {"idempotency-key": f'"{key}"'}, max_tokens=20)
    assert again.body == first.body and asked() == 1


def test_what_is_refused_takes_no_key(talker, clip, asked):
    headers = new_key()
    video = file(clip("two_frames.mp4"))
    assert talker.upload(video, headers=headers).refusal == (422, "field_missing")
    assert talker.upload(field("prompt", "x"), headers=headers).refusal == (422, "field_missing")
    assert talker.upload(video, field("prompt", "x"), field("fps", 0), headers=headers).refusal == (
        422, "field_invalid")
    assert talker.post("/v1/chat/completions", "{", headers).refusal == (400, "json_invalid")
    assert asked() == 0
    answer = talker.upload(video, field("prompt", "x"), field("max_tokens", 1), headers=headers)
    assert answer.status == 200 and "Idempotent-Replayed" not in answer.headers


def test_a_failure_is_repeated_unless_it_may_be_over(talker, site, asked):
    def ask(path, headers):
        return talker.post("/v1/inference/url", {"video_url": site + path, "prompt": "x"}, headers)

    final, passing = new_key(), new_key()
    first = ask("/text", final)
    assert first.refusal == (415, "unsupported_media")
    assert (ask("/text", final).body, asked()) == (first.body, 1)
    assert ask("/status/503", passing).refusal == (502, "source_http_error")
    assert ask("/status/503", passing).status == 502 and asked() == 3


def test_a_cancelled_question_stays_so(talker, clip, asked):
    headers = new_key()
    with upload_stream(talker, clip, headers, field("prompt", "x"),
                       field("max_tokens", 32768)) as events:
        request_id = next(iter(events))[2]["request_id"]
        assert talker.request("DELETE", f"/v1/requests/{request_id}").status == 204
        assert list(events)[-1][2]["error"]["code"] == "cancelled"
    again = talker.upload(file(clip("two_frames.mp4")), field("prompt", "x"),
                          field("max_tokens", 32768), headers=headers)
    assert again.refusal == (409, "cancelled") and asked() == 1


def test_a_full_queue_has_room_for_repetitions(starting):
    server = starting("moe", QUEUE_SIZE=0, TEMPERATURE=1)
    server.wait_ready()
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "max_tokens": 32768})
    headers = new_key(**{"Content-Type": "application/json"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/chat/completions", body, headers)
    eventually(lambda: server.get("/v1/health/detailed").json["queue"]["running"], "it runs")
    assert server.ask("x").refusal == (429, "queue_full")
    second = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    second.request("POST", "/v1/chat/completions", body, headers)
    time.sleep(0.3)
    connection.close()
    time.sleep(0.3)
    queue = server.get("/v1/health/detailed").json["queue"]
    assert (queue["running"], queue["waiting"]) == (1, 0)
    server.process.terminate()
    second.close()


def test_a_key_is_forgotten_in_time(serving):
    server = serving(IDEMPOTENCY_TTL=1)
    headers = new_key()
    first = server.ask("Hello", headers)
    assert server.ask("Hello", headers).headers["Idempotent-Replayed"]
    assert server.ask("Bye", headers).refusal == (422, "idempotency_mismatch")
    time.sleep(1.5)
    again = server.ask("Bye", headers)
    assert again.status == 200 and "Idempotent-Replayed" not in again.headers
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]


def test_videos_are_the_same_by_their_content(server, clip):
    """So POST /v1/videos needs no key, and one does no harm."""
    data, kind = clip("gray_pattern.mp4").read_bytes(), {"Content-Type": "video/mp4"}
    answers = [server.request("POST", "/v1/videos", data, {**kind, **new_key()}) for _ in "12"]
    assert answers[0].status == answers[1].status == 201
    assert answers[0].json["id"] == answers[1].json["id"]


def test_pages_of_allowed_origins_may_send_it(server):
    answer = server.request("OPTIONS", "/v1/inference/upload", headers={
        "Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key"})
    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"].lower()
    exposed = server.get("/v1/health", {"Origin": "http://localhost:3000"})
    assert "Idempotent-Replayed" in exposed.headers["Access-Control-Expose-Headers"]


def test_it_is_declared(server):
    paths = server.get("/openapi.json").json["paths"]
    declared = [path for path, methods in paths.items() for operation in methods.values()
                if any(parameter["name"] == "Idempotency-Key"
                       for parameter in operation.get("parameters", []))]
    assert sorted(declared) == ["/v1/chat/completions", "/v1/inference/upload",
                                "/v1/inference/url"]
