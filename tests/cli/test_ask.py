"""tru ask, as a person and a script use it."""
import json
import signal
import time

import pytest

SHORT = ["--temperature", "0", "--max-tokens", "8"]


def test_the_answer_streams_on_stdout_and_progress_goes_to_stderr(tru, clip, model):
    result = tru("ask", clip("odd_24fps.mp4"), "What happens?", *model(), *SHORT)
    assert result.returncode == 0 and result.stdout.strip()
    for stage in ("decode", "vision", "prefill"):
        assert f"\n{stage}: " in "\n" + result.stderr
    quiet = tru("ask", clip("odd_24fps.mp4"), "What happens?", *model(), *SHORT, "--quiet")
    assert (quiet.stdout, quiet.stderr) == (result.stdout, "")


def test_json_has_the_shape_of_the_contract(ask, clip):
    answer = ask(clip("odd_24fps.mp4"), "What happens?", "--max-tokens", "3", "--logprobs", "2")
    assert set(answer) == {"response", "prompt", "backend", "model", "finish_reason", "usage",
                           "tokens", "prompt_token_ids", "video_report", "timings_ms"}
    assert (answer["prompt"], answer["backend"]) == ("What happens?", "hf")
    assert (answer["model"], answer["finish_reason"]) == ("dense-tied", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] == len(answer["prompt_token_ids"])
    assert usage["completion_tokens"] == len(answer["tokens"]) == 3
    for token in answer["tokens"]:
        assert set(token) == {"id", "text", "bytes", "logprob", "top_logprobs"}
        assert len(token["top_logprobs"]) == 2 and token["logprob"] <= 0
        assert bytes(token["bytes"]).decode(errors="replace") == token["text"]
    assert set(answer["timings_ms"]) == {"load", "decode", "vision", "prefill", "first_token",
                                         "generate", "total"}
    report = answer["video_report"][0]
    assert set(report) == {
        "source", "container", "codec", "duration_s", "width", "height", "rotation_deg", "fps",
        "variable_frame_rate", "frames_total", "frames", "resized_width", "resized_height",
        "grid_thw", "video_tokens", "timestamps_s", "limits", "audio", "subtitles", "warnings"}
    assert report["source"] == "odd_24fps.mp4"
    assert len(report["timestamps_s"]) == report["grid_thw"][0]


def test_without_logprobs_there_are_no_tokens(ask, clip):
    answer = ask(clip("two_frames.mp4"), "What?", "--max-tokens", "1")
    assert "tokens" not in answer and "prompt_token_ids" not in answer


def test_several_videos_give_a_line_each_or_one_together(tru, clip, model):
    videos = [clip("two_frames.mp4"), clip("odd_24fps.mp4")]
    lines = tru("ask", *videos, "What?", *model(), *SHORT, "--json").stdout.splitlines()
    sources = [[r["source"] for r in json.loads(line)["video_report"]] for line in lines]
    assert sources == [["two_frames.mp4"], ["odd_24fps.mp4"]]
    together = tru("ask", *videos, "What?", *model(), *SHORT, "--json", "--together").stdout
    reports = json.loads(together)["video_report"]
    assert [r["source"] for r in reports] == ["two_frames.mp4", "odd_24fps.mp4"]


def test_one_bad_video_does_not_keep_the_others_from_their_answers(tru, clip, model):
    result = tru("ask", "missing.mp4", clip("two_frames.mp4"), "What?", *model(), *SHORT, "--json")
    assert result.returncode == 4
    assert json.loads(result.stdout)["video_report"][0]["source"] == "two_frames.mp4"


def test_a_stop_string_ends_the_answer_before_it(ask, clip):
    free = ask(clip("odd_24fps.mp4"), "What?", "--max-tokens", "12")["response"]
    cut = ask(clip("odd_24fps.mp4"), "What?", "--max-tokens", "12", "--stop", free[4:7])
    assert cut["finish_reason"] == "stop"
    assert cut["response"] == free[:free.index(free[4:7])]


def test_a_seed_repeats_an_answer(tru, clip, model):
    def say(seed):
        return tru("ask", clip("two_frames.mp4"), "What?", *model(), "--temperature", "2",
                   "--top-k", "0", "--top-p", "1", "--max-tokens", "16", "--seed", seed).stdout

    assert say(7) == say(7)
    assert len({say(seed) for seed in range(4)}) > 1


def test_start_and_end_choose_a_part(ask, clip):
    report = ask(clip("long_12s.mp4"), "What?", "--max-tokens", "1", "--start", "4", "--end", "6")
    times = [frame["time_s"] for frame in report["video_report"][0]["frames"]]
    assert times and 4 <= min(times) and max(times) < 6


def test_a_profile_with_a_budget_fits_itself_to_the_context(ask, refused, clip, model):
    tight = ["--max-context", "600", "--max-tokens", "64"]
    fitted = ask(clip("long_12s.mp4"), "What?", "--profile", "detailed", *tight)
    assert fitted["usage"]["total_tokens"] <= 600
    assert "total_pixels" in fitted["video_report"][0]["limits"]
    line = refused(1, "ask", clip("long_12s.mp4"), "What?", *model(), *tight, "--fps", "4")
    assert "holds 600" in line and "prompt has" in line


def test_settings_come_from_the_environment_and_flags_win(ask, clip):
    def frames(*flags, **settings):
        answer = ask(clip("long_12s.mp4"), "What?", "--max-tokens", "1", *flags, settings=settings)
        return len(answer["video_report"][0]["frames"])

    assert frames(DEFAULT_VIDEO_FPS="1") == 12
    assert frames(DEFAULT_MAX_FRAMES="6") == 6
    assert frames("--fps", "0.5", DEFAULT_VIDEO_FPS="1") == 6


@pytest.mark.parametrize("name, value, allowed", [
    ("DEFAULT_VIDEO_FPS", "fast", "60"), ("DEFAULT_MAX_FRAMES", "0", "2048"),
    ("TEMPERATURE", "3", "2"), ("MAX_NEW_TOKENS", "1.5", "whole"), ("MODEL_BACKEND", "x", "hf"),
    ("WEIGHTS", "int3", "int4"), ("DEVICE", "abacus", "CPU"), ("THREADS", "-1", "512")])
def test_a_bad_setting_is_named(refused, clip, model, name, value, allowed):
    line = refused(3, "ask", clip("two_frames.mp4"), "What?", *model(), settings={name: value})
    assert value in line and allowed in line


@pytest.mark.parametrize("flags", [
    ["--fps", "2", "--num-frames", "4"], ["--fps", "-1"], ["--fps", "1e9"], ["--num-frames", "0"],
    ["--max-frames", "99999"], ["--min-pixels", "0"], ["--max-tokens", "0"], ["--top-p", "2"],
    ["--start", "100"], ["--start", "3", "--end", "2"], ["--profile", "best"], ["--logprobs", "99"],
    ["--weights", "int3"], ["--timing", "never"], ["--messages", "nothing.json"]])
def test_a_bad_flag_is_usage(refused, clip, model, flags):
    refused(2, "ask", clip("odd_24fps.mp4"), "What?", *model(), *flags)


def test_a_question_without_words_is_usage(refused):
    assert "question" in refused(2, "ask")


@pytest.mark.parametrize("address", [None, "https://example.org/clip.mp4"])
def test_a_video_without_a_question_is_usage(refused, clip, address):
    video = address or clip("odd_24fps.mp4")
    line = refused(2, "ask", video)
    assert f'no question was given about {video}; try: tru ask {video} "What happens?"' in line


def test_control_c_ends_it_at_once(start, clip, model):
    process = start("ask", clip("long_12s.mp4"), "What?", *model(), "--max-tokens", "32768",
                    "--temperature", "2", "--top-k", "0", "--top-p", "1")
    assert process.stdout.read(1)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert time.monotonic() - begin < 10  # the answer would take minutes
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "tru: the request was cancelled"
