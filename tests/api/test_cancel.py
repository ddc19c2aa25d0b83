"""A client that leaves, or says DELETE, frees the engine at every stage, within two seconds."""
import http.client
import json
import subprocess
import time

import pytest

from events import stream
from serving import FORM, eventually, field, file, multipart
from stand_in import MediaSite

FREE_S = 2  # the promise


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory):
    """Fifty seconds of 1080p: decoding them all takes long."""
    folder = tmp_path_factory.mktemp("long")
    one = ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i",
           "testsrc2=size=1920x1080:rate=30:duration=2", "-c:v", "libx264", "-preset",
           "veryfast", "-crf", "40", "-g", "60", folder / "part.mp4"]
    subprocess.run(one, check=True, timeout=120)
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-stream_loop", "24", "-i",
                    folder / "part.mp4", "-c", "copy", folder / "long.mp4"], check=True, timeout=60)
    return folder / "long.mp4"


@pytest.fixture(scope="session")
def stages(long_clip, clip, site):
    """For each stage, a request that stays in it for long."""
    def form(path, prompt="x", **fields):
        parts = [field(name, value) for name, value in fields.items()]
        body = multipart(file(path), field("prompt", prompt), *parts)
        return "/v1/inference/upload", FORM, body

    tiny = {"min_pixels": 1024, "max_pixels": 4096}
    large = {"num_frames": 120, "max_pixels": 1_000_000, "min_pixels": 1_000_000,
             "total_pixels": 120_000_000}
    asked = json.dumps({"video_url": f"{site}/drip", "prompt": "x"}).encode()
    return {
        "download": ("/v1/inference/url", "application/json", asked),
        "decode": form(long_clip, fps=6, max_frames=768, **tiny),
        "vision": form(clip("fast_60fps.mp4"), **large),
        "prefill": form(clip("one_frame.mp4"), prompt="many words " * 4000),
        "generate": form(clip("one_frame.mp4"), max_tokens=32768),
    }


@pytest.fixture
def next_answer(talker, clip):
    """next_answer() asks a short question and gives the seconds until it is answered."""
    def ask():
        begin = time.monotonic()
        answer = talker.upload(file(clip("one_frame.mp4")), field("prompt", "x"),
                               field("max_tokens", 1))
        assert answer.status == 200
        return time.monotonic() - begin

    return ask


def reach(talker, stages, stage):
    """A stream that has reached the stage, and its request's id."""
    path, kind, body = stages[stage]
    events = stream(talker, "POST", path, body, {"Content-Type": kind,
                                                 "Accept": "text/event-stream"})
    request_id = None
    for _, name, data in events:
        assert name in ("queued", "progress", "token"), data
        request_id = request_id or data["request_id"]
        if name == "token" if stage == "generate" else data.get("stage") == stage:
            return events, request_id
    raise AssertionError(f"the request ended before {stage}")


STAGES = ["download", "decode", "vision", "prefill", "generate"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["leave", "delete"])
def test_stream(stage, way, talker, stages, next_answer):
    MediaSite.gone.clear()
    idle_s = next_answer()
    events, request_id = reach(talker, stages, stage)
    if way == "leave":
        events.close()
    else:
        assert talker.request("DELETE", f"/v1/requests/{request_id}").status in (200, 202, 204)
    assert next_answer() < idle_s + FREE_S
    if way == "delete":
        last = list(events)[-1]
        assert last[1] == "error" and last[2]["error"]["code"] == "cancelled"
    if stage == "download":
        assert MediaSite.gone.wait(FREE_S), "the source is let go"
    eventually(lambda: talker.leftovers() == [], "an upload stays", FREE_S)


@pytest.mark.parametrize("stage", STAGES)
def test_a_plain_request_whose_client_leaves(stage, talker, stages, next_answer):
    MediaSite.gone.clear()
    idle_s = next_answer()
    path, kind, body = stages[stage]
    connection = http.client.HTTPConnection("127.0.0.1", talker.port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind})
    if stage == "download":
        eventually(talker.leftovers, "it is fetched")
    else:
        eventually(lambda: talker.get("/v1/health/detailed").json["queue"]["running"], "it runs")
        time.sleep(1)  # somewhere within the stage
    connection.close()
    assert next_answer() < idle_s + FREE_S
    eventually(lambda: talker.leftovers() == [], "an upload stays", FREE_S)


def test_one_that_waits(talker, stages, next_answer):
    running, _ = reach(talker, stages, "generate")
    path, kind, body = stages["generate"]
    waiting = stream(talker, "POST", path, body, {"Content-Type": kind,
                                                  "Accept": "text/event-stream"})
    queued = next(iter(waiting))[2]
    assert queued["position"] == 1
    assert talker.get("/v1/health/detailed").json["queue"]["waiting"] == 1
    assert talker.request("DELETE", f"/v1/requests/{queued['request_id']}").status < 300
    assert [name for _, name, _ in waiting][-1] == "error"
    assert talker.get("/v1/health/detailed").json["queue"]["waiting"] == 0
    running.close()
    assert next_answer() < 10


def test_delete_twice_and_after_the_end(talker, clip):
    form = multipart(file(clip("one_frame.mp4")), field("prompt", "x"), field("max_tokens", 1),
                     field("resumable", "true"))
    with stream(talker, "POST", "/v1/inference/upload", form,
                {"Content-Type": FORM, "Accept": "text/event-stream"}) as events:
        request_id = next(iter(events))[2]["request_id"]
        list(events)
    statuses = [talker.request("DELETE", f"/v1/requests/{request_id}").status for _ in range(2)]
    assert set(statuses) <= {200, 204, 404}


def test_an_openai_stream_whose_reader_leaves(talker, next_answer):
    idle_s = next_answer()
    body = json.dumps({"messages": [{"role": "user", "content": "Tell a story"}], "stream": True,
                       "max_tokens": 32768}).encode()
    connection, response = talker.open("POST", "/v1/chat/completions", body,
                                       {"Content-Type": "application/json"})
    assert b"chat.completion.chunk" in response.read(100)
    connection.close()
    response.close()
    assert next_answer() < idle_s + FREE_S


def test_health_answers_throughout(talker, stages):
    events, _ = reach(talker, stages, "vision")
    for _ in range(20):
        begin = time.monotonic()
        assert talker.get("/v1/health").status == 200
        assert time.monotonic() - begin < 1
    events.close()


def test_others_requests_are_not_mine_to_cancel(keyed, clip):
    mine = {"Authorization": "Bearer first-key-0123456789"}
    other = {"X-API-Key": "second-key-9876543210"}
    form = multipart(file(clip("long_12s.mp4")), field("prompt", "x"), field("resumable", "true"))
    with stream(keyed, "POST", "/v1/inference/upload", form,
                {"Content-Type": FORM, "Accept": "text/event-stream", **mine}) as events:
        request_id = next(iter(events))[2]["request_id"]
        assert keyed.get(f"/v1/requests/{request_id}/events", other).status == 404
        assert keyed.request("DELETE", f"/v1/requests/{request_id}", headers=other).status == 404
        assert [name for _, name, _ in events][-1] == "done"
