"""Progress and answers as server-sent events: order, resumption, heartbeats."""
import base64
import json

import pytest

from contract import check_error
from events import EventStream, stream
from serving import FORM, field, file, multipart

STAGES = ["download", "decode", "vision", "prefill", "generate"]
LONG = [field("prompt", "Tell me a story"), field("max_tokens", 600), field("seed", 1)]


def upload(server, clip, *parts, name="two_frames.mp4", headers=None):
    form = multipart(file(clip(name)), *parts)
    return stream(server, "POST", "/v1/inference/upload", form,
                  {"Content-Type": FORM, "Accept": "text/event-stream", **(headers or {})})


def check_order(events):
    names = [name for _, name, _ in events]
    assert names[0] == "queued" and names[-1] == "done" and names.count("done") == 1
    assert set(names) == {"queued", "progress", "token", "done"}
    assert names.index("progress") < names.index("token")
    assert "progress" not in [name for _, name, data in events
                              if name == "progress" and data["stage"] not in STAGES]
    last = {}
    for _, name, data in events:
        if name == "progress":
            assert set(data) >= {"stage", "done", "total"}
            assert 0 <= last.get(data["stage"], 0) <= data["done"] <= data["total"]
            last[data["stage"]] = data["done"]
    order = list(last)
    assert [stage for stage in order if stage in ("vision", "prefill")] == ["vision", "prefill"]
    assert {"decode", "vision", "prefill"} <= set(order)


def test_order(server, clip):
    with upload(server, clip, field("prompt", "What?"), name="long_12s.mp4") as events:
        seen = list(events)
    check_order(seen)
    numbers = [int(number) for number, _, _ in seen]
    assert numbers == sorted(set(numbers)), "ids grow and none comes twice"
    queued, done = seen[0][2], seen[-1][2]
    assert queued["position"] >= 0 and queued["request_id"] == done["request_id"]
    assert "".join(data["text"] for _, name, data in seen if name == "token") == done["response"]
    plain = server.upload(file(clip("long_12s.mp4")), field("prompt", "What?")).json
    assert set(done) == set(plain) and done["response"] == plain["response"]


def test_stream_as_a_field(server, clip):
    form = multipart(file(clip("two_frames.mp4")), field("prompt", "x"), field("stream", "true"))
    with stream(server, "POST", "/v1/inference/upload", form, {"Content-Type": FORM}) as events:
        check_order(list(events))


def test_download_progress(fetching, site):
    body = json.dumps({"video_url": f"{site}/clip/long_12s.mp4", "prompt": "x", "stream": True})
    with stream(fetching, "POST", "/v1/inference/url", body,
                {"Content-Type": "application/json"}) as events:
        seen = list(events)
    assert "download" in [data["stage"] for _, name, data in seen if name == "progress"]
    assert seen[-1][1] == "done"


def test_an_error_event_ends_it(server):
    form = multipart(file(b"not a video " * 99, filename="x.mp4"), field("prompt", "x"))
    headers = {"Content-Type": FORM, "Accept": "text/event-stream"}
    connection, response = server.open("POST", "/v1/inference/upload", form, headers)
    if response.status != 200:  # refused before there was a stream: as good
        assert json.loads(response.read())["error"]["code"] == "unsupported_media"
        return
    seen = list(EventStream(connection, response))
    assert seen[-1][1] == "error"
    error = seen[-1][2]["error"]
    assert check_error({"detail": error["message"], "error": error})["code"] == "unsupported_media"


def take(events, count):
    """The next events, some of them."""
    iterator = iter(events)
    return [next(iterator) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 9, 60])
def test_resumption_has_no_gap(talker, clip, count):
    with upload(talker, clip, *LONG, field("resumable", "true")) as events:
        first = take(events, count)
        request_id = first[0][2]["request_id"]
    path = f"/v1/requests/{request_id}/events"
    with stream(talker, "GET", path, headers={"Last-Event-ID": first[-1][0]}) as events:
        rest = list(events)
    numbers = [int(number) for number, _, _ in first + rest]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    text = "".join(data["text"] for _, name, data in first + rest if name == "token")
    assert rest[-1][1] == "done" and text == rest[-1][2]["response"]


def test_resumption_from_the_start_by_two_readers(talker, clip):
    with upload(talker, clip, *LONG, field("resumable", "true")) as events:
        request_id = take(events, 3)[0][2]["request_id"]
        path = f"/v1/requests/{request_id}/events"
        with stream(talker, "GET", path) as other, stream(talker, "GET", path) as third:
            assert list(other) == list(third)


@pytest.mark.parametrize("last", ["garbage", "-1", "1e3"])
def test_a_bad_event_id(talker, clip, last):
    with upload(talker, clip, *LONG, field("resumable", "true")) as events:
        request_id = take(events, 1)[0][2]["request_id"]
        answer = talker.get(f"/v1/requests/{request_id}/events", {"Last-Event-ID": last})
        assert answer.status == 422 and "Last-Event-ID" in answer.json["detail"]
        talker.request("DELETE", f"/v1/requests/{request_id}")


def test_an_unknown_request(server):
    for method, path in (("GET", "/v1/requests/none/events"), ("DELETE", "/v1/requests/none")):
        assert server.request(method, path).status == 404


def test_not_resumable_ends_with_its_reader(talker, clip):
    with upload(talker, clip, field("prompt", "x"), field("max_tokens", 2000)) as events:
        request_id = take(events, 12)[0][2]["request_id"]
    follower = talker.upload(file(clip("two_frames.mp4")), field("prompt", "x"),
                             field("max_tokens", 1))
    assert follower.status == 200
    assert talker.get(f"/v1/requests/{request_id}/events").status == 404


def test_heartbeat_while_waiting(serving, clip):
    """A long answer stands before another, which says nothing new for over a second."""
    talker = serving("moe", TEMPERATURE=1, MAX_NEW_TOKENS=2048, HEARTBEAT=1)
    slow = [field("prompt", "x"), field("max_tokens", 32768)]
    with upload(talker, clip, *slow) as first:
        first.until("token")  # it runs: nobody overtakes it
        with upload(talker, clip, *slow) as second:
            assert next(iter(second))[1] == "queued"
            while second.comments == 0:
                line = second.response.readline()
                assert line, "the stream ended"
                second.comments += line.startswith(b":")


def chat_events(server, clip, **fields):
    """The events of a streamed chat about a clip, as (id, name, data's text)."""
    url = "data:video/mp4;base64," + base64.b64encode(clip("odd_24fps.mp4").read_bytes()).decode()
    content = [{"type": "video_url", "video_url": {"url": url}}, {"type": "text", "text": "Hi"}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 6, "stream": True,
            "logprobs": True, "stream_options": {"include_usage": True}, **fields}
    text = server.post("/v1/chat/completions", body).body.decode()
    for event in text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in event.split("\n"))
        yield fields.get("id"), fields.get("event"), fields["data"]


def test_a_chat_stream_is_openais(server, clip):
    seen = list(chat_events(server, clip))
    assert {name for _, name, _ in seen} == {None} and seen[-1][2] == "[DONE]"
    chunks = [json.loads(data) for _, _, data in seen[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-2]["choices"][0]["finish_reason"] in ("stop", "length")
    assert chunks[-1]["choices"] == []
    tokens = [token for chunk in chunks[:-1] if chunk["choices"][0]["logprobs"]
              for token in chunk["choices"][0]["logprobs"]["content"]]
    assert len(tokens) == chunks[-1]["usage"]["completion_tokens"]


def test_a_resumable_chat_stream_also_tells_of_its_stages(server, clip):
    seen = list(chat_events(server, clip, resumable=True))
    assert {name for _, name, _ in seen} == {None, "queued", "progress"}
    numbers = [int(number) for number, _, _ in seen if number]
    assert numbers == list(range(1, numbers[-1] + 1))
