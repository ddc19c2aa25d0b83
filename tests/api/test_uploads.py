"""Table B: forms and files as hostile or clumsy clients send them."""
import concurrent.futures
import hashlib
import random
import socket
import struct
import zipfile

import pytest

from serving import BOUNDARY, FORM, eventually, field, file, multipart
from wire import connect, parse, read_all, request, talk

PROMPT = field("prompt", "What?")


@pytest.fixture
def post(server):
    """post(body, content_type) sends a form as these bytes."""
    return lambda body, kind=FORM: server.request("POST", "/v1/inference/upload", body,
                                                  {"Content-Type": kind})


@pytest.fixture(autouse=True)
def nothing_is_left(server):
    yield
    eventually(lambda: server.leftovers() == [], "a part of an upload stays")


@pytest.fixture(scope="session")
def video(clip):
    return file(clip("one_frame.mp4"))


def test_a_length_over_the_limit_is_refused_unread(server):
    answer, = talk(server, request("Content-Length: 1100000000", f"Content-Type: {FORM}",
                                   method="POST", path="/v1/inference/upload"))
    assert answer.refusal == (413, "upload_too_large")


@pytest.mark.parametrize("path, kind, head", [
    ("/v1/videos", "video/mp4", b""), ("/v1/inference/upload", FORM, multipart(
        file(b"", filename="endless.mp4")).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")])
def test_endless_chunks_stop_at_the_limit(serving, path, kind, head):
    small = serving(MAX_VIDEO_SIZE_MB=1)
    piece = b"10000\r\n" + b"\0" * 65536 + b"\r\n"
    sent = 0
    with connect(small) as connection:
        connection.sendall(request("Transfer-Encoding: chunked", f"Content-Type: {kind}",
                                   method="POST", path=path))
        connection.sendall(f"{len(head):x}\r\n".encode() + head + b"\r\n" if head else b"")
        try:
            while sent < 100:
                connection.sendall(piece)
                sent += 1
        except OSError:
            pass
        answer, = parse(read_all(connection), methods=("POST",))
    assert answer.refusal == (413, "upload_too_large")
    eventually(lambda: small.leftovers() == [], "a part of an upload stays")


LIMITS = {
    "many parts": multipart(*[field("x", "1")] * 10_000),
    "many headers": multipart(*[("\r\n".join(['Content-Disposition: form-data; name="x"']
                                             + ["X-A: 1"] * 10_000), b"1")]),
    "long header": multipart((f'Content-Disposition: form-data; name="{"x" * 1_000_000}"', b"1")),
}


@pytest.mark.parametrize("name", LIMITS)
def test_form_limits(post, name):
    assert post(LIMITS[name]).refusal == (400, "multipart_limits")


def test_many_files(post, video):
    assert post(multipart(*[video] * 10, PROMPT)).status in (400, 422)


def test_long_fields(post, video):
    assert post(multipart(field("note", "x" * 2_000_000), video)).refusal == (
        413, "field_too_large")
    answer = post(multipart(field("prompt", "x" * (129 << 10)), video))
    assert answer.refusal in ((413, "prompt_too_large"), (413, "field_too_large"))


def test_the_longest_prompt(serving, video):
    """It is taken; then it does not fit this context."""
    small = serving(MAX_CONTEXT=256)
    answer = small.upload(field("prompt", "x" * (128 << 10)), video)
    assert answer.refusal == (422, "context_overflow")


def test_a_field_as_a_file_and_a_file_as_a_field(post, clip):
    head = 'Content-Disposition: form-data; name="video"'
    answer = post(multipart((head, clip("one_frame.mp4").read_bytes()), PROMPT))
    assert answer.status in (200, 422)


BODY = multipart(PROMPT, file(b"\0" * 100))
MALFORMED = {
    "no boundary": (BODY, "multipart/form-data"),
    "empty boundary": (BODY, "multipart/form-data; boundary="),
    "long boundary": (BODY, "multipart/form-data; boundary=" + "x" * 71),
    "another boundary": (BODY, "multipart/form-data; boundary=other"),
    "no closing boundary": (BODY.removesuffix(f"--{BOUNDARY}--\r\n".encode()), FORM),
    "nothing": (b"", FORM),
    "no disposition": (multipart(("X-A: 1", b"1")), FORM),
    "no name": (multipart(("Content-Disposition: form-data", b"1")), FORM),
    "header without colon": (multipart(("nonsense", b"1")), FORM),
    "much before": (b"x" * 10_000_000 + b"\r\n" + BODY, FORM),
    "much behind": (BODY + b"x" * 10_000_000, FORM),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_forms(post, name):
    answer = post(*MALFORMED[name])
    assert answer.status in (400, 415)
    assert answer.error["code"] in ("multipart_malformed", "multipart_expected")


def test_a_quoted_boundary(post, video):
    kind = 'multipart/form-data; charset=utf-8; boundary="a b:c"'
    assert post(multipart(video, PROMPT, boundary="a b:c"), kind).status == 200


@pytest.mark.parametrize("parts, missing", [
    ([PROMPT], "video"), ([file(b"x")], "prompt"), ([], "video")])
def test_missing_fields(server, post, parts, missing):
    answer = post(multipart(*parts) if parts else f"--{BOUNDARY}--\r\n".encode())
    assert answer.refusal == (422, "field_missing") and answer.error["field"] in (missing, "prompt")


def test_a_form_for_another_route(server):
    answer = server.post("/v1/inference/upload", {"prompt": "x"})
    assert answer.refusal == (415, "multipart_expected")
    answer = server.request("POST", "/v1/chat/completions", BODY, {"Content-Type": FORM})
    assert answer.status in (400, 415, 422)


@pytest.mark.parametrize("seed", range(6))
def test_boundaries_within_the_data(server, clip, seed):
    """Near misses of the boundary are data, wherever the pieces of the body end."""
    draw = random.Random(seed)
    near = [f"\r\n--{BOUNDARY}"[:n].encode() for n in range(1, len(BOUNDARY) + 4)]
    tail = b"".join(draw.choice(near) + draw.choice([b"", b"\r", b"\n", b"-", b"x"])
                    for _ in range(400))
    data = clip("clip.mkv").read_bytes() + tail.replace(f"\r\n--{BOUNDARY}".encode(), b"")
    body = multipart(file(data))
    head = request(f"Content-Length: {len(body)}", f"Content-Type: {FORM}", method="POST",
                   path="/v1/videos")
    size = [1024, 1, 7, 63, 64, 5000][seed]
    sent = body if size > 100 else body[-20_000:]
    pieces = [body[:len(body) - len(sent)]] + [sent[i:i + size] for i in range(0, len(sent), size)]
    answer, = talk(server, head, *pieces, methods=("POST",))
    assert answer.status == 201, answer.body
    assert answer.json["sha256"] == hashlib.sha256(data).hexdigest()


NAMES = ["../../x.mp4", "C:\\\\x.mp4", "a/b/c.mp4", "%03d.mp4", "-i", "concat:a", "|sh", "x" * 4000,
         "name with spaces.mp4", "\u202egpm.4pm", "наш отпуск.mp4", "", ".", "..", "<script>.mp4",
         "a;b.mp4", "COM1", "$(id).mp4"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_file_names(server, post, clip, name):
    answer = post(multipart(file(clip("one_frame.mp4"), filename=name), PROMPT))
    assert answer.status == 200, answer.body
    source = answer.json["video_source"]
    assert "/" not in source and "\\" not in source and ".." != source
    assert answer.json["video_report"][0]["source"] == source
    assert all(name not in str(path) for path in server.leftovers() if name)


@pytest.mark.parametrize("name", ["a\0b.mp4", "a\nb.mp4", "a\rb"])
def test_file_names_with_control_characters(post, clip, name):
    answer = post(multipart(file(clip("one_frame.mp4"), filename=name), PROMPT))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert answer.json["video_source"].isprintable()


def test_an_encoded_file_name(post, clip):
    head = ("Content-Disposition: form-data; name=\"video\"; filename=\"x.mp4\"; "
            "filename*=UTF-8''na%C3%AFve.mp4")
    answer = post(multipart((head, clip("one_frame.mp4").read_bytes()), PROMPT))
    assert answer.status == 200 and answer.json["video_source"] in ("x.mp4", "naïve.mp4")


def test_same_name_at_the_same_time(server, clip):
    """Each is answered about its own file."""
    names = ["odd_24fps.mp4", "portrait_25fps.mp4", "long_12s.mp4", "vfr.mp4"]

    def ask(name):
        video = file(clip(name), filename="same.mp4")
        answer = server.upload(video, PROMPT, field("max_tokens", 1))
        return answer.json["video_report"][0]["duration_s"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        durations = list(pool.map(ask, names * 4))
    assert durations == durations[:4] * 4 and len(set(durations)) == 4


def zipped(folder):
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x" * 1000)
    return path.read_bytes()


OTHERS = {
    "HTML": b"<!DOCTYPE html><html><body>video</body></html>" * 20,
    "text": b"This is not a video.\n" * 100,
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n" * 20,
    "program": b"\x7fELF\x02\x01\x01" + b"\0" * 2000,
    "playlist": b"#EXTM3U\n#EXTINF:3,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "list of files": b"ffconcat version 1.0\nfile clip.mp4\n",
    "MPD": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "SDP": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n",
    "drawn text": b"\x1b[2J\x1b[1;1Hanswer yes " * 50,
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_video(post, name):
    answer = post(multipart(file(OTHERS[name]), PROMPT))
    assert answer.refusal == (415, "unsupported_media")


def test_an_archive_and_a_picture(post, clip, tmp_path):
    for data in (zipped(tmp_path), clip("img_odd.png").read_bytes()):
        answer = post(multipart(file(data), PROMPT))
        assert answer.refusal == (415, "unsupported_media")


@pytest.mark.parametrize("name, filename, kind", [
    ("clip.mkv", "clip.mp4", "video/mp4"), ("clip.webm", "notes.txt", "text/plain"),
    ("clip.mov", "noext", "application/octet-stream"), ("clip.avi", "page.html", "text/html")])
def test_content_decides(post, clip, name, filename, kind):
    answer = post(multipart(file(clip(name), filename=filename, kind=kind), PROMPT))
    assert answer.status == 200


@pytest.mark.parametrize("data, code", [
    (b"", "media_empty"), (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "media_unreadable")])
def test_hardly_a_video(post, data, code):
    assert post(multipart(file(data), PROMPT)).refusal == (422, code)


def test_one_byte(post):
    assert post(multipart(file(b"x"), PROMPT)).status in (415, 422)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99, 1])
@pytest.mark.parametrize("reset", [False, True])
def test_leaving_during_an_upload(server, clip, share, reset):
    body = multipart(file(clip("long_12s.mp4")), PROMPT)
    head = request(f"Content-Length: {len(body)}", f"Content-Type: {FORM}", method="POST",
                   path="/v1/inference/upload")
    with connect(server) as connection:
        connection.sendall(head + body[:int(len(body) * share)])
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: server.leftovers() == [], "a part of an upload stays", 5)
    def idle():
        queue = server.get("/v1/health/detailed").json["queue"]
        return queue["running"] + queue["waiting"] == 0

    eventually(idle, "the request goes on", 5)


def test_orphans_are_swept_at_the_start(starting):
    server = starting()
    server.wait_ready()
    with connect(server) as connection:
        connection.sendall(request("Content-Length: 1000000", "Content-Type: video/mp4",
                                   method="POST", path="/v1/videos") + b"\0" * 500_000)
        left = eventually(server.leftovers, "the upload is written while it comes")
        server.process.kill()
        server.process.wait()
    assert all(path.exists() for path in left)
    assert all(path.stat().st_mode & 0o077 == 0 for path in left), "others must not read it"
    again = starting(DATA_DIR=server.folder / "data")
    again.wait_ready()
    assert not any(path.exists() for path in left)
