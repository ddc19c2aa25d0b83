"""tru plan, tru bench and tru completion."""
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import threading
import time

import pytest


@pytest.fixture(scope="session")
def minute(ffmpeg):
    return ffmpeg("minute.mp4", "-f", "lavfi", "-i", "testsrc=size=1920x1080:rate=30:duration=60",
                  "-c:v", "libx264", "-preset", "ultrafast", "-crf", "40", "-g", "300")


@pytest.fixture(scope="session")
def hour(ffmpeg, minute):
    """An hour of 1080p video in few bytes: one minute, sixty times."""
    return ffmpeg("hour.mp4", "-stream_loop", "59", "-i", minute, "-c", "copy")


def seconds_at_work():
    """Processor time of all programs that the tests have run: busy neighbours do not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_an_hour_is_planned_about_as_fast_as_a_minute(tru, minute, hour, model):
    ratios = []
    for _ in range(3):
        times = []
        for video in (minute, hour):
            begin = seconds_at_work()
            result = tru("plan", video, *model(), "--json")
            times.append(seconds_at_work() - begin)
        ratios.append(times[1] / times[0])
    print("processor time of the hour over the minute's:", ratios)
    assert min(ratios) < 1.5
    report = json.loads(result.stdout)["video_report"][0]
    assert report["frames_total"] == 108000
    assert (len(report["frames"]), report["limits"][0]) == (768, "max_frames")


def test_memory_does_not_grow_with_the_video(start, hour, model):
    """Anonymous and shared memory of an hour at 128 frames stays within 600 MB."""
    process = start("ask", hour, "What?", *model(), "--num-frames", "128", "--max-tokens", "4")
    peak_kb = 0

    def watch():
        nonlocal peak_kb
        while process.poll() is None:
            try:
                with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                    fields = dict(line.split(":", 1) for line in status)
                now = sum(int(fields[f].split()[0]) for f in ("RssAnon", "RssShmem"))
                peak_kb = max(peak_kb, now)
            except (OSError, KeyError):
                pass
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.communicate(timeout=300)
    watcher.join()
    assert process.returncode == 0
    print(f"peak: {peak_kb / 1024:.0f} MiB")
    assert 10_000 < peak_kb < 600_000


def test_a_plan_says_what_is_seen_and_what_it_costs(tru, clip, model):
    result = tru("plan", clip("odd_24fps.mp4"), *model(), "--json")
    plan = json.loads(result.stdout)
    assert set(plan) == {"video_report", "estimate"}
    assert set(plan["estimate"]) == {"prompt_tokens", "memory_bytes", "first_token_s", "fits"}
    assert plan["estimate"]["fits"] is True
    table = tru("plan", clip("odd_24fps.mp4"), *model()).stdout
    for word in ("frames", "tokens", "memory", "first token"):
        assert word in table


def test_a_model_that_is_larger_than_the_machine_is_noted(tru, clip, data, tmp_path):
    """A checkpoint of 4 TiB, most of it a hole in a file."""
    folder = shutil.copytree(data / "models" / "dense-tied", tmp_path / "large")
    weights = folder / "model.safetensors"
    length, = struct.unpack("<Q", weights.read_bytes()[:8])
    header = json.loads(weights.read_bytes()[8:8 + length])
    end = max(tensor["data_offsets"][1] for name, tensor in header.items() if name[:2] != "__")
    size = 4 << 40
    header["more"] = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
    text = json.dumps(header).encode()
    weights.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(weights, 8 + len(text) + end + size)
    table = tru("plan", clip("odd_24fps.mp4"), "--model", folder).stdout
    assert re.search(r"note +needs about 4096.\d GiB, and this machine has [\d.]+ GiB", table)
    assert "--weights int8 or int4, a smaller model" in table


def test_a_table_names_the_first_and_the_last_of_many_times(tru, hour, model):
    table = tru("plan", hour, *model()).stdout
    times = next(line for line in table.splitlines() if line.split()[0] == "at").split()[2:]
    assert (len(times), times[0], times[8]) == (17, "0.00", "...")
    assert float(times[-1]) > 3590


def test_bench_reports_every_stage(tru, clip, model, tmp_path):
    result = tru("bench", clip("two_frames.mp4"), *model(), "--json", "--prompt-tokens", "32",
                 "--generated-tokens", "4")
    bench = json.loads(result.stdout)
    assert [stage["name"] for stage in bench["stages"]] == [
        "load", "decode", "resize", "vision", "prefill", "generate", "first_token",
        "memory"]
    assert all(stage["value"] > 0 for stage in bench["stages"])
    measured = [line for line in result.stderr.splitlines() if line.startswith("measuring")]
    assert measured == ["measuring this machine's peaks"] + [
        f"measuring {stage['name']}" for stage in bench["stages"][1:-1]]
    rates = {stage["name"]: stage["rate"] for stage in bench["stages"]}
    assert all(rates[name] > 0 for name in ("vision", "prefill", "generate"))
    assert set(bench["peaks"]) == {"gemm_f32_gflops", "gemm_bf16_gflops", "gemm_int8_gops",
                                   "gemm_int4_gops", "read_gb_per_s"}
    before = tmp_path / "before.json"
    before.write_text(result.stdout)
    table = tru("bench", clip("two_frames.mp4"), *model(), "--stages", "decode", "--compare",
                str(before)).stdout
    decode = next(line for line in table.splitlines() if line.startswith("decode"))
    assert float(decode.split()[-1]) > 0
    before.write_text("{}")
    refused = tru("bench", clip("two_frames.mp4"), *model(), "--stages", "decode", "--compare",
                  str(before))
    assert "not what `tru bench --json` writes" in refused.stderr
    assert "measuring" not in refused.stderr  # which can take minutes


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_flags(tru, shell, tmp_path):
    script = tru("completion", shell).stdout
    assert "--num-frames" in script and "plan" in script
    if shell != "bash":
        return
    (tmp_path / "tru.bash").write_text(script)
    commands = "source tru.bash; COMP_WORDS=(tru ask --num); COMP_CWORD=2; _tru; echo $COMPREPLY"
    shown = subprocess.run(["bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True,
                           check=True).stdout
    assert shown.strip() == "--num-frames"
