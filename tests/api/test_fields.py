"""Table E: JSON, prompts and parameters that are broken, hostile or out of bounds."""
import json
import re

import pytest

from serving import field, file

CHAT = "/v1/chat/completions"
URL = "/v1/inference/url"


@pytest.fixture(scope="session")
def small(serving):
    """A service with hardly any context."""
    return serving(MAX_CONTEXT=256)


def chat(text='"Hello"', more=""):
    return '{"messages":[{"role":"user","content":' + text + '}],"max_tokens":2' + more + "}"


BROKEN_JSON = {
    "nothing": "", "text": "hello", "cut": chat()[:-1], "more": chat() + "x", "single quotes":
    "{'a':1}", "comment": "{/**/}", "trailing comma": '{"a":1,}', "NaN": chat(more=',"top_p":NaN'),
    "infinity": chat(more=',"top_p":Infinity'), "BOM": "\ufeff" + chat(), "two": chat() * 2,
    "UTF-16": chat().encode("utf-16"), "not UTF-8": chat().encode().replace(b"Hello", b"\xff\xfe"),
    "control character": chat('"a\nb"'), "lone surrogate": chat('"\\ud800"'),
    "hex": '{"a":0x1}', "plus": '{"a":+1}',
}


@pytest.mark.parametrize("name", BROKEN_JSON)
@pytest.mark.parametrize("path", [CHAT, URL])
def test_broken_json(server, path, name):
    assert server.post(path, BROKEN_JSON[name]).refusal == (400, "json_invalid")


@pytest.mark.parametrize("path", [CHAT, URL])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json(server, path, opening):
    for depth in (33, 100_000):
        answer = server.post(path, opening * depth)
        assert answer.status == 400 and answer.error["code"] in ("json_too_deep", "json_invalid")


@pytest.mark.parametrize("value", ["[]", "1", '"x"', "null"])
@pytest.mark.parametrize("path", [CHAT, URL])
def test_json_that_is_no_object(server, path, value):
    assert server.post(path, value).status in (400, 422)


def test_the_same_field_twice(server):
    answer = server.post(CHAT, chat(more=',"max_tokens":3'))
    assert answer.refusal == (400, "json_invalid")


def test_a_number_beyond_all_numbers(server):
    assert server.post(CHAT, chat(more=',"temperature":1e400')).status in (400, 422)


def test_a_large_body(server):
    body = json.dumps({"video_url": "http://example.org/x.mp4", "prompt": "x" * 2_000_000})
    assert server.post(URL, body).status == 413


@pytest.mark.parametrize("unit", ["a", " ", "漢", "👩‍👩‍👧‍👦", "e\u0301", "x\n"])
def test_long_prompts(small, unit):
    """The largest prompts are read in no time; then they do not fit the context."""
    answer = small.ask(unit * ((128 << 10) // len(unit.encode())), max_tokens=1)
    assert answer.refusal == (422, "context_overflow")


def test_too_long_a_prompt(server):
    assert server.ask("x" * (129 << 10), max_tokens=1).status in (413, 422)


SPECIAL = ["<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|video_pad|>", "<|image_pad|>",
           "<|endoftext|>", "<|vision_end|>", "<tool_call>", "<think>"]


@pytest.mark.parametrize("text", SPECIAL)
def test_tokens_names_are_text(server, text):
    """A control token is one token, its name as text is several."""
    plain = server.ask("x", max_tokens=1).json["usage"]["prompt_tokens"]
    hostile = server.ask("x" + text, max_tokens=1).json["usage"]["prompt_tokens"]
    assert hostile >= plain + 2


def test_tokens_names_with_a_video(server, clip):
    video = {"type": "video_url", "video_url": {"url": "tru://videos/" + server.keep(
        clip("two_frames.mp4"))}}
    plain = server.ask([video, {"type": "text", "text": "x"}]).json
    hostile = server.ask([video, {"type": "text", "text":
                                  "<|vision_start|><|video_pad|><|vision_end|>"}]).json
    assert plain["tru"]["video_report"] == hostile["tru"]["video_report"]
    assert hostile["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 6


def test_past_the_context(small, clip):
    for answer in (small.ask("many words " * 200),
                   small.upload(file(clip("long_12s.mp4")), field("prompt", "x"))):
        assert answer.refusal == (422, "context_overflow")
        assert "256" in answer.json["detail"]
        assert len(re.findall(r"\d+", answer.json["detail"])) >= 2, "both numbers are told"
    fitted = small.upload(file(clip("long_12s.mp4")), field("prompt", "x"),
                          field("profile", "quick"), field("max_tokens", 4))
    assert fitted.status == 200 and fitted.json["video_report"][0]["limits"]


# The field, what it may not be, and whether it is for videos or for the answer.
BOUNDS = [
    ("fps", [0, -1, 61, 1e9, "x", [2], True, {}], "video"),
    ("num_frames", [0, -1, 1.5, "x", 10**18], "video"),
    ("max_frames", [0, -1, 2049, 10**9, "x"], "video"),
    ("min_pixels", [-1, "x", 10**19], "video"),
    ("max_pixels", [0, -1, "x", 10**19], "video"),
    ("total_pixels", [0, -1, 2**63, "x"], "video"),
    ("start_s", [-1, "x"], "video"), ("end_s", [-1, "x"], "video"),
    ("profile", ["huge", 1], "video"), ("timing", ["never", 1], "video"),
    ("max_tokens", [0, -1, 32769, 10**9, 1.5, "x", [1]], "generation"),
    ("temperature", [-1, 2.1, "x"], "generation"), ("top_p", [-0.1, 1.1, 2, "x"], "generation"),
    ("top_k", [-1, 1.5, "x"], "generation"), ("seed", ["x", 1.5], "generation"),
    ("logprobs", ["x", 2], "generation"), ("top_logprobs", [-1, 21, "x"], "generation"),
    ("stop", [5, [5]], "generation")]
CASES = [(name, value, group) for name, values, group in BOUNDS for value in values]


def check_refused(answer, name):
    assert answer.refusal == (422, "field_invalid"), answer.body
    assert name in answer.error["field"].split(".") and name in answer.json["detail"]


@pytest.mark.parametrize("name, value, group", CASES)
def test_bounds_in_json(server, name, value, group):
    check_refused(server.post(URL, {
        "video_url": "http://example.org/x.mp4", "prompt": "x", f"{group}_params": {name: value}}),
        name)


@pytest.mark.parametrize("name, value, group", [
    case for case in CASES if isinstance(case[1], (int, float, str)) and case[1] is not True
    and case[0] != "stop" and not (case[0] in ("profile", "timing") and case[1] == 1)])
def test_bounds_in_forms(server, clip, name, value, group):  # pylint: disable=unused-argument
    check_refused(server.upload(field(name, value), field("prompt", "x"),
                                file(clip("one_frame.mp4"))), name)


@pytest.mark.parametrize("name, value, group", CASES)
def test_bounds_in_chat(server, name, value, group):
    extra = {"video_params": {name: value}} if group == "video" else {name: value}
    check_refused(server.ask("x", **extra), name)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0x10", "1,5", " ", "1e400", "２"])
def test_numbers_in_forms(server, clip, text):
    answer = server.upload(field("temperature", text), field("prompt", "x"),
                           file(clip("one_frame.mp4")))
    assert answer.refusal == (422, "field_invalid") or (text == " " and answer.status == 200)


def test_exclusive_fields(server):
    check_refused(server.post(URL, {"video_url": "http://example.org/x", "prompt": "x",
                                    "video_params": {"fps": 2, "num_frames": 4}}), "fps")


@pytest.mark.parametrize("low, high", [("min_pixels", "max_pixels"), ("start_s", "end_s")])
def test_a_range_the_wrong_way_round(server, clip, low, high):
    video = {"type": "video_url", "video_url": {"url": "tru://videos/" + server.keep(
        clip("long_12s.mp4"))}}
    answer = server.ask([video, {"type": "text", "text": "x"}],
                        video_params={low: 90_000, high: 10_000})
    assert answer.status == 422 and (low in answer.json["detail"] or high in answer.json["detail"])


def test_null_is_unset(server):
    answer = server.ask("Hello", temperature=None, top_p=None, top_k=None, seed=None, stop=None,
                        logprobs=None, top_logprobs=None, max_tokens=None, n=None, stream=None,
                        stream_options=None, video_params=None)
    assert answer.status == 200


@pytest.mark.parametrize("value, missing", [
    ({}, None), ({"prompt": "x"}, "video_url"), ({"video_url": "http://example.org/x"}, "prompt"),
    ({"video_url": None, "prompt": "x"}, "video_url")])
def test_missing_fields(server, value, missing):
    answer = server.post(URL, value)
    assert answer.refusal == (422, "field_missing")
    assert missing is None or answer.error["field"] == missing


MESSAGES = {
    "none": ([], "messages"), "no list": ("x", "messages"), "no object": (["x"], "messages"),
    "no role": ([{"content": "x"}], "role"), "other role": ([{"role": "robot", "content": "x"}],
                                                           "role"),
    "no content": ([{"role": "user"}], "content"), "number": ([{"role": "user", "content": 5}],
                                                             "content"),
    "other part": ([{"role": "user", "content": [{"type": "audio_url"}]}], "type"),
    "no url": ([{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}], "url"),
    "bad data": ([{"role": "user", "content": [{"type": "video_url", "video_url": {
        "url": "data:video/mp4;base64,!!!"}}]}], "data:"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(server, name):
    messages, place = MESSAGES[name]
    answer = server.post(CHAT, {"messages": messages})
    assert answer.status == 422 and place in answer.json["detail"] + str(answer.error["field"])
    assert answer.error["type"] == "invalid_request_error" and "param" in answer.error


URLS = {
    "file:///etc/passwd": "url_scheme_not_allowed", "ftp://example.org/x": "url_scheme_not_allowed",
    "concat:a|b": "url_scheme_not_allowed", "http://127.0.0.1/x": "url_not_allowed",
    "http://localhost/x": "url_not_allowed", "http://[::1]/x": "url_not_allowed",
    "http://169.254.169.254/latest": "url_not_allowed", "http://0x7f.1/x": "url_not_allowed",
    "http://2130706433/x": "url_not_allowed", "http://[::ffff:10.0.0.1]/x": "url_not_allowed",
    "http://1.1.1.1:22/x": "url_port_not_allowed", "http://1.1.1.1:6379/x": "url_port_not_allowed",
    "HTTP://127.0.0.1/x": "url_not_allowed", "http://127.0.0.1\\@1.1.1.1/x": "url_invalid",
    "not a url": "url_invalid", "": "url_invalid", "http://": "url_invalid",
    "http://a b/": "url_invalid",
}


@pytest.mark.parametrize("url", URLS)
def test_urls_not_to_be_fetched(server, url):
    answer = server.post(URL, {"video_url": url, "prompt": "x"})
    assert answer.status == 422
    assert answer.error["code"] in (URLS[url], *(
        ["field_invalid", "field_missing", "url_scheme_not_allowed"]
        if URLS[url] == "url_invalid" else []))


@pytest.mark.parametrize("path, refusal", [
    ("/status/404", (502, "source_http_error")), ("/status/500", (502, "source_http_error")),
    ("/status/401", (502, "source_http_error")), ("/short", (502, "source_truncated")),
    ("/text", (415, "unsupported_media"))])
def test_sources_that_fail(fetching, site, path, refusal):
    answer = fetching.post(URL, {"video_url": site + path, "prompt": "x"})
    assert answer.refusal == refusal
    assert "secret" not in answer.body.decode()
    assert fetching.leftovers() == []


def test_a_source_that_is_too_large(serving, site):
    small = serving(MAX_VIDEO_SIZE_MB=1, ALLOW_PRIVATE_URLS=1)
    answer = small.post(URL, {"video_url": site + "/drip", "prompt": "x"})
    assert answer.refusal == (413, "source_too_large")


def test_a_source_that_is_not_there(fetching):
    answer = fetching.post(URL, {"video_url": "http://127.0.0.1:9/x.mp4", "prompt": "x"})
    assert answer.status in (502, 504)
