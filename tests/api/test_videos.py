"""Videos that stay: upload, plan, frames, content, deletion, and whose they are."""
import concurrent.futures
import hashlib
import subprocess

import pytest

from serving import field, file

MINE = {"Authorization": "Bearer first-key-0123456789"}
OTHER = {"X-API-Key": "second-key-9876543210"}
REPORT = {"source", "container", "codec", "duration_s", "width", "height", "rotation_deg", "fps",
          "variable_frame_rate", "frames_total", "frames", "resized_width", "resized_height",
          "grid_thw", "video_tokens", "timestamps_s", "limits", "audio", "subtitles", "warnings"}


@pytest.fixture(scope="session")
def kept(server, clip):
    """The id of a clip that the service keeps."""
    return server.keep(clip("long_12s.mp4"))


def test_raw_and_multipart_are_the_same_video(server, clip):
    path = clip("square_2997.mp4")
    raw = server.request("POST", "/v1/videos", path.read_bytes(), {"Content-Type": "video/mp4"})
    form = server.upload(file(path), path="/v1/videos")
    assert (raw.status, form.status) == (201, 201)
    assert raw.json["id"] == form.json["id"]
    assert raw.json["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert raw.json["bytes"] == path.stat().st_size
    report, = form.json["video_report"]
    assert set(report) == REPORT and report["source"] == "square_2997.mp4"


def test_look_up(server, kept, clip):
    answer = server.get(f"/v1/videos/{kept}")
    assert answer.status == 200
    assert answer.json["id"] == kept and answer.json["bytes"] == clip("long_12s.mp4").stat().st_size


def test_plan(server, kept):
    answer = server.post(f"/v1/videos/{kept}/plan", {"num_frames": 6, "max_pixels": 16384})
    assert answer.status == 200
    assert set(answer.json) == {"video_report", "estimate"}
    report, = answer.json["video_report"]
    assert set(report) == REPORT and len(report["frames"]) == 6
    assert report["resized_width"] * report["resized_height"] <= 16384
    assert report["grid_thw"][0] == len(report["timestamps_s"]) == 3
    estimate = answer.json["estimate"]
    assert set(estimate) == {"prompt_tokens", "memory_bytes", "first_token_s", "fits"}
    assert estimate["prompt_tokens"] > report["video_tokens"] > 0 and estimate["fits"] is True


def test_a_plan_is_what_an_answer_then_sees(server, kept):
    params = {"fps": 1, "start_s": 2, "end_s": 9}
    plan = server.post(f"/v1/videos/{kept}/plan", params).json["video_report"][0]
    answer = server.ask([{"type": "video_url", "video_url": {"url": f"tru://videos/{kept}"}},
                         {"type": "text", "text": "What?"}], video_params=params)
    seen = answer.json["tru"]["video_report"][0]
    assert (seen["frames"], seen["grid_thw"]) == (plan["frames"], plan["grid_thw"])


def test_the_old_route_takes_a_kept_video(server, kept):
    url = f"tru://videos/{kept}"
    answer = server.post("/v1/inference/url", {"video_url": url, "prompt": "x",
                                               "generation_params": {"max_tokens": 2}})
    assert answer.status == 200 and answer.json["video_source"] == url


def test_a_bad_plan(server, kept):
    answer = server.post(f"/v1/videos/{kept}/plan", {"fps": 1, "num_frames": 2})
    assert answer.refusal == (422, "field_invalid")
    answer = server.post(f"/v1/videos/{kept}/plan", {"start_s": 99})
    assert answer.status == 422 and "12" in answer.json["detail"], "it says how long the clip is"


def size_of(picture, folder):
    """(codec, width, height) as another decoder reads it."""
    path = folder / "frame.jpg"
    path.write_bytes(picture)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of",
         "csv=p=0", path], capture_output=True, text=True, check=True, timeout=30).stdout
    codec, width, height = shown.strip().split(",")
    return codec, int(width), int(height)


@pytest.mark.parametrize("width", [None, 64, 33])
def test_frames(server, clip, width, tmp_path):
    video = server.keep(clip("portrait_25fps.mp4"))
    report = server.get(f"/v1/videos/{video}").json["video_report"][0]
    path = f"/v1/videos/{video}/frames/3.jpg" + (f"?width={width}" if width else "")
    answer = server.get(path)
    assert answer.status == 200 and answer.headers.get_content_type() == "image/jpeg"
    codec, got_width, got_height = size_of(answer.body, tmp_path)
    assert codec == "mjpeg" and got_width == (width or report["width"])
    assert abs(got_height - got_width * report["height"] / report["width"]) <= 1


def test_a_turned_clip_is_shown_upright(server, clip, tmp_path):
    video = server.keep(clip("rot90.mp4"))
    report = server.get(f"/v1/videos/{video}").json["video_report"][0]
    assert report["rotation_deg"] in (90, 270)
    picture = server.get(f"/v1/videos/{video}/frames/0.jpg").body
    assert size_of(picture, tmp_path)[1:] == (report["width"], report["height"])


@pytest.mark.parametrize("frame, status", [
    ("frames/0.jpg?width=0", 422), ("frames/0.jpg?width=x", 422),
    ("frames/0.jpg?width=99999", 422), ("frames/999999.jpg", 422), ("frames/-1.jpg", 422),
    ("frames/x.jpg", 422), ("frames/0.png", 404),
    ("frames/99999999999999999999.jpg", 422)])
def test_frames_that_are_not_there(server, kept, frame, status):
    assert server.get(f"/v1/videos/{kept}/{frame}").status == status


def test_content(server, kept, clip):
    data = clip("long_12s.mp4").read_bytes()
    answer = server.get(f"/v1/videos/{kept}/content")
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["ETag"]
    head = server.request("HEAD", f"/v1/videos/{kept}/content")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(data))
    same = server.get(f"/v1/videos/{kept}/content", {"If-None-Match": answer.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=10-99", 10, 99), ("bytes=100-", 100, None),
    ("bytes=-50", -50, None), ("bytes=5-99999999999", 5, None)])
def test_range(server, kept, clip, asked, first, last):
    data = clip("long_12s.mp4").read_bytes()
    first = first % len(data)
    last = len(data) - 1 if last is None else last
    answer = server.get(f"/v1/videos/{kept}/content", {"Range": asked})
    assert (answer.status, answer.body) == (206, data[first:last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_outside(server, kept, asked):
    answer = server.get(f"/v1/videos/{kept}/content", {"Range": asked})
    assert answer.refusal == (416, "range_not_satisfiable")


@pytest.mark.parametrize("asked", [
    "bytes=99999999999999999999-", "bytes=5-3", "bytes=a-b", "lines=1-2", "bytes=",
    "bytes=" + ",".join(["0-1"] * 1000)])
def test_a_range_to_be_ignored_or_refused(server, kept, asked):
    assert server.get(f"/v1/videos/{kept}/content", {"Range": asked}).status in (200, 206, 416)


def test_deletion(server, clip):
    video = server.keep(clip("gray_box.mp4"))
    assert server.request("DELETE", f"/v1/videos/{video}").status in (200, 204)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/plan"), ("GET", "/content"),
                         ("GET", "/frames/0.jpg")):
        body = b"{}" if method == "POST" else None
        answer = server.request(method, f"/v1/videos/{video}{path}", body,
                                {"Content-Type": "application/json"})
        assert answer.status == 404, path
    assert server.keep(clip("gray_box.mp4")) == video, "it may be uploaded again"


def test_a_video_is_its_keys_own(keyed, clip):
    mine = keyed.keep(clip("two_frames.mp4"), MINE)
    assert keyed.get(f"/v1/videos/{mine}", MINE).status == 200
    for path in ("", "/content", "/frames/0.jpg"):
        assert keyed.get(f"/v1/videos/{mine}{path}", OTHER).status == 404
    assert keyed.request("DELETE", f"/v1/videos/{mine}", headers=OTHER).status == 404
    part = {"type": "video_url", "video_url": {"url": f"tru://videos/{mine}"}}
    assert keyed.ask([part, {"type": "text", "text": "x"}], OTHER).status == 404
    theirs = keyed.keep(clip("two_frames.mp4"), OTHER)
    assert theirs != mine, "an id tells nobody that another has the same video"
    assert keyed.request("DELETE", f"/v1/videos/{theirs}", headers=OTHER).status < 300
    assert keyed.get(f"/v1/videos/{mine}/content", MINE).status == 200


@pytest.mark.parametrize("data, refusal", [
    (b"", (422, "media_empty")), (b"just text " * 50, (415, "unsupported_media"))],
    ids=["empty", "text"])
def test_what_is_no_video_is_not_kept(server, data, refusal):
    answer = server.request("POST", "/v1/videos", data, {"Content-Type": "video/mp4"})
    assert answer.refusal == refusal
    assert server.upload(file(data), path="/v1/videos").refusal == refusal


def test_same_upload_at_once(server, clip):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: server.keep(clip("vfr.mp4")), range(16)))
    assert len(set(made)) == 1
    assert server.get(f"/v1/videos/{made[0]}/content").body == clip("vfr.mp4").read_bytes()


def test_form_with_other_fields(server, clip):
    answer = server.upload(field("note", "x"), file(clip("vfr.mp4")), path="/v1/videos")
    assert answer.status == 201
