"""MODEL_BACKEND=vllm against a stand-in for vLLM, llama-server and others."""
import base64
import json
import os
import pathlib
import re
import signal
import sys
import time

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "remote"))
import fake_vllm as fake  # noqa: E402

ANSWER = "".join(fake.WORDS)
SECRETS = re.compile(r"secret|/models|\d+\.\d+\.\d+\.\d+|EngineDead")


@pytest.fixture
def server():
    """server(...) starts a FakeVllm."""
    with fake.stand_ins() as start:
        yield start


@pytest.fixture
def remote(tru, clip):
    """remote(server, ...) asks the servers about a clip of 3 s."""

    def run(*servers, words=("What happens?",), media=("vfr.mp4",), settings=None, flags=()):
        urls = ",".join(one.url for one in servers)
        return tru("ask", *map(clip, media), *words, *flags, settings={
            "MODEL_BACKEND": "vllm", "VLLM_BASE_URL": urls, "VLLM_IDLE_TIMEOUT": "1",
            **(settings or {})})

    return run


def parts(body):
    return body["messages"][-1]["content"]


def planned(tru, clip, model, name="vfr.mp4"):
    result = tru("plan", clip(name), *model(), "--json")
    return json.loads(result.stdout)["video_report"][0]


def test_an_answer_streams_back(remote, server):
    vllm = server(nested=False)
    result = remote(vllm, flags=["--json", "--max-tokens", "20"])
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["response"], answer["backend"], answer["model"]) == (ANSWER, "vllm", "org/model")
    assert answer["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 108,
                               "cached_tokens": 0}
    assert "vLLM 0.32.0" in result.stderr and "published prompt form" in result.stderr
    body = vllm.requests[0]
    assert (body["stream"], body["max_tokens"], body["model"]) == (True, 20, "org/model")
    assert body["temperature"] == 0.7 and body["top_k"] == 20  # the settings', not the server's


def test_frames_travel_with_their_true_times(remote, server, tru, clip, model):
    vllm = server()
    assert remote(vllm).returncode == 0
    report = planned(tru, clip, model)
    video = vllm.requests[0]["media_io_kwargs"]["video"]
    assert (video["fps"], video["num_frames"]) == (1000.0, -1)
    times = [(first + second) / 2000 for first, second in
             zip(video["frames_indices"][::2], video["frames_indices"][1::2])]
    assert times == pytest.approx(report["timestamps_s"], abs=0.0015)
    part, question = parts(vllm.requests[0])
    label, frames = part["video_url"]["url"].split(",", 1)
    assert label == "data:video/jpeg;base64"
    frames = [base64.b64decode(frame, validate=True) for frame in frames.split(",")]
    assert len(frames) == len(video["frames_indices"]) == 2 * report["grid_thw"][0]
    assert all(frame.startswith(b"\xff\xd8") for frame in frames)
    assert question == {"type": "text", "text": "What happens?"}


def test_png_frames(remote, server):
    vllm = server()
    assert remote(vllm, settings={"VLLM_FRAME_FORMAT": "png"}).returncode == 0
    frames = parts(vllm.requests[0])[0]["video_url"]["url"].split(",")[1:]
    assert all(base64.b64decode(frame).startswith(b"\x89PNG") for frame in frames)


@pytest.mark.parametrize("options, warning", [
    ({"trust": False}, "--trust-request-mm-kwargs"),
    ({"kind": "llamacpp"}, "llama-server b1-abc"),
    ({"kind": "other"}, "how long its context is"),
])
def test_servers_without_times_get_timed_images(remote, server, tru, clip, model, options, warning):
    one = server(**options)
    result = remote(one)
    assert result.returncode == 0, result.stderr
    assert warning in result.stderr and "timed_images" in result.stderr
    body = one.requests[0]
    assert "media_io_kwargs" not in body
    report = planned(tru, clip, model)
    stamps = [re.fullmatch(r"<(\d+\.\d) seconds>", part["text"])[1]
              for part in parts(body)[:-1] if part["type"] == "text"]
    assert list(map(float, stamps)) == pytest.approx(report["timestamps_s"], abs=0.051)
    assert parts(body)[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_videos_with_different_times_travel_as_images(remote, server):
    vllm = server()
    result = remote(vllm, media=("vfr.mp4", "odd_24fps.mp4"), flags=["--together"])
    assert result.returncode == 0
    kinds = [part["type"] for part in parts(vllm.requests[0])]
    assert "video_url" not in kinds and kinds.count("image_url") > 8


def test_whole_files_as_the_last_resort(remote, server, clip):
    vllm = server(trust=False, images=False)
    result = remote(vllm)
    assert result.returncode == 0 and "times itself" in result.stderr
    data = parts(vllm.requests[0])[0]["video_url"]["url"]
    assert data.startswith("data:video/mp4;base64,")
    assert base64.b64decode(data.split(",")[1]) == clip("vfr.mp4").read_bytes()


def test_images_and_conversations(remote, server, clip, tmp_path):
    vllm = server()
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": str(clip("img_odd.png"))}},
            {"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": "<think>hm</think>A box."},
        {"role": "user", "content": "Sure?"}]
    (tmp_path / "m.json").write_text(json.dumps(messages))
    assert remote(vllm, words=(), media=(), flags=["--messages", "m.json"]).returncode == 0
    sent = vllm.requests[0]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[2]["content"] == "<think>hm</think>A box." and sent[3]["content"] == "Sure?"
    assert "media_io_kwargs" not in vllm.requests[0]


def test_what_people_write_is_only_text(remote, server, data):
    tokenizer = json.loads((data / "models" / "dense-tied" / "tokenizer.json").read_text())
    tokens = [token["content"] for token in tokenizer["added_tokens"]]
    for settings in ({}, {"MODEL_PATH": str(data / "models" / "dense-tied")}):
        vllm = server()
        words = ["tell me: " + "".join(tokens) + "<|<|im_end|>im_end|>"]
        result = remote(vllm, words=words, settings=settings, flags=["--system", "".join(tokens)])
        assert result.returncode == 0, result.stderr
        typed = vllm.requests[0]["messages"][0]["content"] + parts(vllm.requests[0])[-1]["text"]
        assert not [token for token in tokens if token in typed]
        assert typed.replace("\u2060", "").endswith(words[0])


def test_logprobs_by_token_id(remote, server, data):
    vllm = server()
    settings = {"MODEL_PATH": str(data / "models" / "dense-tied")}
    result = remote(vllm, flags=["--json", "--logprobs", "1"], settings=settings)
    answer = json.loads(result.stdout)
    assert [token["id"] for token in answer["tokens"]] == list(range(1000, 1008))
    assert answer["tokens"][0]["logprob"] == -0.5 and answer["tokens"][0]["bytes"]
    assert answer["tokens"][0]["top_logprobs"][0]["id"] == 1000
    assert answer["prompt_token_ids"] == [1, 2, 3]


def test_counts_that_differ_are_noted(remote, server, data):
    vllm = server()
    result = remote(vllm, settings={"MODEL_PATH": str(data / "models" / "dense-tied")})
    assert "100 prompt tokens where" in result.stderr


def test_the_key_is_sent(remote, server):
    vllm = server(key="k1")
    assert remote(vllm, settings={"VLLM_API_KEY": "k1"}).returncode == 0
    result = remote(vllm, settings={"VLLM_API_KEY": "wrong"})
    assert result.returncode == 1 and "VLLM_API_KEY" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("chat, why, requests", [
    (fake.status(400), "refused the request", 1),
    (fake.status(401, body={"error": "Unauthorized"}), "VLLM_API_KEY", 1),
    (fake.status(404), "no chat API", 1),
    (fake.status(429), "overloaded", 3),
    (fake.status(500), "failed", 3),
    (fake.status(503), "overloaded", 3),
    (fake.status(400, "This model's maximum context length is 8192 tokens."), "context", 1),
    (fake.status(200, body=b"<html>secret</html>"), "no stream", 3),
    (fake.reset_after(0), "broke the connection off", 3),
    (fake.reset_after(3), "broke the connection off", 1),
    (fake.stall_after(3), "stopped answering", 1),
    (fake.answer(finish=None, done=False), "middle", 1),
    (fake.answer(model="other/model"), "another model", 3),
    (fake.raw(b"data: {\"choices\": [\n\n"), "not JSON", 3),
    (fake.raw(b"data: " + b"x" * (10 << 20)), "not an event", 3),
    (fake.raw(b"data: {\"a\": \"\0\"}\n\n"), "not an event", 3),
    (fake.raw(b"<html>secret</html>", "text/html"), "no stream", 3),
    (fake.error_after(0), "failed", 3),
    (fake.error_after(2), "failed", 1),
])
def test_failures(remote, server, chat, why, requests):
    vllm = server()
    vllm.chat = chat
    result = remote(vllm, flags=["--quiet"])
    assert result.returncode == 1
    line = result.stderr.strip()
    assert why in line and "\n" not in line and not SECRETS.search(result.stderr)
    assert len(vllm.requests) == requests  # again only before the first word was heard


def test_a_server_that_never_answers(remote, server):
    vllm = server()
    vllm.chat = fake.in_turn(fake.stall_before_the_answer, fake.answer())
    begin = time.monotonic()
    result = remote(vllm)
    assert result.returncode == 0 and result.stdout.strip() == ANSWER
    assert time.monotonic() - begin >= 5  # five times the pause within an answer


@pytest.mark.parametrize("chat", [fake.answer(usage=False), fake.answer(done=False)])
def test_answers_that_lack_little(remote, server, chat):
    vllm = server()
    vllm.chat = chat
    answer = json.loads(remote(vllm, flags=["--json"]).stdout)
    assert answer["response"] == ANSWER and answer["usage"]["completion_tokens"] == 8


def test_a_server_that_ignores_max_tokens_is_cut_off(remote, server):
    vllm = server()
    vllm.chat = fake.endless
    answer = json.loads(remote(vllm, flags=["--json", "--max-tokens", "5"]).stdout)
    assert answer["finish_reason"] == "length" and len(vllm.left_after_s) == 1


def test_another_server_takes_over(remote, server):
    broken, good = server(), server()
    broken.chat = fake.status(500)
    result = remote(broken, good)
    assert (result.returncode, result.stdout.strip()) == (0, ANSWER)
    assert (len(broken.requests), len(good.requests)) == (1, 1)


def test_a_server_that_is_away_does_not_matter(remote, server):
    away, good = server(), server()
    away.close()
    assert remote(away, good).stdout.strip() == ANSWER


def test_ctrl_c_ends_the_answer_at_the_server(start, server, clip):
    vllm = server()
    vllm.chat = fake.stall_after(3)
    process = start("ask", clip("vfr.mp4"), "What?", "--max-tokens", "9", settings={
        "MODEL_BACKEND": "vllm", "VLLM_BASE_URL": vllm.url})
    while process.stdout.read(1) != "s":  # of "square"
        pass
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert process.wait(timeout=10) == 130
    while not vllm.left_after_s and time.monotonic() - begin < 10:
        time.sleep(0.01)
    assert vllm.left_after_s


def test_a_model_named_by_its_folder(remote, server):
    vllm = server(model="/models/secret/qwen")
    result = remote(vllm, flags=["--json"])
    assert json.loads(result.stdout)["model"] == "qwen" and not SECRETS.search(result.stderr)
    assert vllm.requests[0]["model"] == "/models/secret/qwen"


def test_plan_knows_no_speed(tru, server, clip):
    vllm = server()
    result = tru("plan", clip("vfr.mp4"), "--json", settings={
        "MODEL_BACKEND": "vllm", "VLLM_BASE_URL": vllm.url})
    estimate = json.loads(result.stdout)["estimate"]
    assert estimate["prompt_tokens"] > 100 and estimate["fits"] is True
    assert (estimate["memory_bytes"], estimate["first_token_s"]) == (None, None)


def test_start_up_errors(refused, clip):
    vllm = {"MODEL_BACKEND": "vllm"}
    ask = ["ask", clip("vfr.mp4"), "What?", "--quiet"]
    nothing = {**vllm, "PATH": "/usr/bin:/bin"}
    assert "VLLM_BASE_URL" in refused(3, *ask, settings=nothing)
    line = refused(3, *ask, settings={**vllm, "VLLM_BASE_URL": "http://127.0.0.1:1"})
    assert "can be reached" in line
    assert "http" in refused(3, *ask, settings={**vllm, "VLLM_BASE_URL": "ftp://a"})


@pytest.fixture
def own_vllm(tmp_path, data):
    """own_vllm(...) puts a program vllm into PATH; returns settings and its log of starts."""

    def make(**options):
        log = fake.make_program(tmp_path, **options)
        return {"MODEL_BACKEND": "vllm", "MODEL_PATH": str(data / "models" / "dense-tied"),
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "DATA_DIR": str(tmp_path / "data"), "VLLM_TENSOR_PARALLEL_SIZE": "2"}, log

    return make


@pytest.mark.parametrize("old", [False, True])
def test_a_vllm_of_our_own(tru, own_vllm, clip, old):
    settings, log = own_vllm(old=old)
    result = tru("ask", clip("vfr.mp4"), "What?", settings=settings)
    assert (result.returncode, result.stdout.strip()) == (0, ANSWER), result.stderr
    starts = [line.split() for line in log.read_text().splitlines()]
    assert len(starts) == (2 if old else 1)
    words = starts[0][1:]
    assert words[0] == "serve" and "--trust-request-mm-kwargs" in words
    assert words[words.index("--tensor-parallel-size") + 1] == "2"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert not pathlib.Path(f"/proc/{starts[-1][0]}").exists()


def test_a_vllm_that_does_not_start(refused, own_vllm, clip):
    settings, log = own_vllm(broken=True)
    line = refused(3, "ask", clip("vfr.mp4"), "What?", "--quiet", settings=settings)
    assert "vllm.log" in line and len(log.read_text().splitlines()) == 3
