"""Media that cannot be used: one line, exit code 4, no long wait; damaged ones: what is whole."""
import shutil
import struct

import pytest

TEST_CLIP = ["-f", "lavfi", "-i", "testsrc=size=128x96:rate=10:duration=4"]
ONE_PICTURE = ["-frames:v", "1"]


@pytest.fixture
def reject(refused, model):
    """reject(path) asks about a video that must be refused, and returns the line."""
    return lambda path, *more: refused(4, "ask", path, "What?", *model(), *more, timeout_s=30)


@pytest.fixture
def answer(ask):
    """answer(path) asks about a video that must be answered; its report."""
    return lambda path: ask(path, "What?", "--max-tokens", "1")["video_report"][0]


def head_of(path, share, target):
    data = path.read_bytes()
    target.write_bytes(data[:int(len(data) * share)])
    return target


def test_missing(reject):
    assert "nothing.mp4" in reject("nothing.mp4")


def test_a_folder(reject, tmp_path):
    reject(tmp_path)


def test_empty(reject, tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert "empty" in reject("empty.mp4")


def test_text_with_a_videos_name(reject, tmp_path):
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 500)
    reject("text.mp4")


def test_noise(reject, tmp_path):
    (tmp_path / "noise.mp4").write_bytes(bytes((i * i) >> 3 & 255 for i in range(100_000)))
    reject("noise.mp4")


def test_a_playlist_opens_no_other_file(reject, tmp_path, clip):
    shutil.copy(clip("odd_24fps.mp4"), tmp_path / "clip.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    reject("list.mp4")
    (tmp_path / "list.mkv").write_text("#EXTM3U\n#EXTINF:3,\nclip.mp4\n#EXT-X-ENDLIST\n")
    reject("list.mkv")


def test_a_line_break_in_a_name_stays_one_line(reject):
    reject("no\nsuch\nfile.mp4")


def test_sound_only(reject, ffmpeg):
    path = ffmpeg("sound.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
    assert "video" in reject(path)


def test_a_track_without_frames(reject, ffmpeg, tmp_path):
    # A fragmented file describes its tracks before the first fragment.
    data = ffmpeg("fragments.mp4", *TEST_CLIP, "-movflags", "empty_moov+frag_keyframe").read_bytes()
    size, at = 0, 0
    while data[at + 4:at + 8] != b"moof":
        size = struct.unpack(">I", data[at:at + 4])[0]
        at += size
    (tmp_path / "no_frames.mp4").write_bytes(data[:at])
    reject("no_frames.mp4")


def test_an_mp4_cut_before_its_index(reject, ffmpeg, tmp_path):
    whole = ffmpeg("index_last.mp4", *TEST_CLIP)
    reject(head_of(whole, 0.6, tmp_path / "cut.mp4"))


@pytest.mark.parametrize("name, options", [
    ("index_first.mp4", ["-g", "10", "-movflags", "faststart"]),
    ("clip.mkv", ["-g", "10"]), ("clip.avi", ["-c:v", "mpeg4"]),
    ("clip.webm", ["-c:v", "libvpx", "-g", "10"])])
def test_a_cut_tail_is_left_out_and_said(name, options, answer, ffmpeg, tmp_path):
    whole = ffmpeg(name, *TEST_CLIP, *options)
    report = answer(head_of(whole, 0.6, tmp_path / name))
    assert report["warnings"]
    assert 1 <= report["grid_thw"][0] == len(report["timestamps_s"]) <= 4
    assert report["frames"][-1]["time_s"] < 3.9


def test_one_by_one(answer, ffmpeg):
    source = "color=size=16x16:rate=5:duration=1,format=rgb24,crop=1:1"
    path = ffmpeg("dot.avi", "-f", "lavfi", "-i", source, "-c:v", "mjpeg", "-pix_fmt", "yuvj444p")
    report = answer(path)
    assert (report["width"], report["height"]) == (1, 1)
    assert min(report["resized_width"], report["resized_height"]) >= 32


def test_too_large(reject, ffmpeg):
    path = ffmpeg("large.mkv", "-f", "lavfi", "-i", "color=size=8192x8192:rate=1", *ONE_PICTURE,
                  "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    assert "8192" in reject(path)


def test_too_large_a_picture(refused, model, ffmpeg):
    path = ffmpeg("large.png", "-f", "lavfi", "-i", "color=size=8200x16:rate=1", *ONE_PICTURE)
    assert "8200" in refused(4, "ask", "--image", path, "What?", *model())


def test_too_long_and_thin(reject, refused, model, ffmpeg):
    strip = ["-f", "lavfi", "-i", "color=size=6464x32:rate=1", *ONE_PICTURE]
    assert "200" in reject(ffmpeg("strip.mkv", *strip, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"))
    assert "200" in refused(4, "ask", "--image", ffmpeg("strip.png", *strip), "What?", *model())


def test_a_picture_that_is_none(refused, model, tmp_path, clip):
    (tmp_path / "text.png").write_text("no picture")
    refused(4, "ask", "--image", "text.png", "What?", *model())
    (tmp_path / "cut.png").write_bytes(clip("img_odd.png").read_bytes()[:40])
    refused(4, "ask", "--image", "cut.png", "What?", *model())
    refused(4, "ask", "--image", "missing.png", "What?", *model())
