"""The published `openai` package as a client: it must not notice that this is another service."""
import base64
import hashlib

import openai
import pytest

QUESTION = {"type": "text", "text": "What happens?"}


def data_url(path, kind="video/mp4"):
    return f"data:{kind};base64," + base64.b64encode(path.read_bytes()).decode()


def video(url):
    return {"type": "video_url", "video_url": {"url": url}}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def user(*parts):
    return {"role": "user", "content": list(parts) if len(parts) > 1 else parts[0]}


@pytest.fixture
def ask(client):
    """ask(*parts, **options) is the completion for one user's message."""
    def create(*parts, model="some-model", **options):
        return client.chat.completions.create(model=model, messages=[user(*parts)], **options)

    return create


def test_models(client):
    models = client.models.list().data
    assert [(model.id, model.object) for model in models] == [("dense-tied", "model")]


def test_text(ask):
    answer = ask("Hello, who are you?")
    assert answer.object == "chat.completion" and answer.id and answer.created > 1_700_000_000
    assert answer.model == "dense-tied", "any name is accepted and answered with the real one"
    choice, = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "length", "assistant")
    assert choice.message.content
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (18, 8)
    assert usage.total_tokens == 26 and usage.prompt_tokens_details.cached_tokens >= 0


def test_ways_to_send_one_video(ask, clip, server, fetching, site):
    path = clip("square_2997.mp4")
    answers = [ask(video(url), QUESTION) for url in (
        data_url(path), "tru://videos/" + server.keep(path))]
    elsewhere = openai.OpenAI(base_url=fetching.url + "/v1", api_key="any", max_retries=0)
    answers.append(elsewhere.chat.completions.create(
        model="m", messages=[user(video(f"{site}/clip/square_2997.mp4"), QUESTION)]))
    contents = {answer.choices[0].message.content for answer in answers}
    reports = [answer.tru["video_report"] for answer in answers]
    assert len(contents) == 1
    assert {len(report) for report in reports} == {1}
    assert {tuple(report[0]["grid_thw"]) for report in reports} == \
        {tuple(reports[0][0]["grid_thw"])}
    assert all("/clip" not in report[0]["source"] or "http" in report[0]["source"]
               for report in reports)


def test_llama_servers_name_for_a_video(ask, clip):
    encoded = base64.b64encode(clip("two_frames.mp4").read_bytes()).decode()
    part = {"type": "input_video", "input_video": {"data": encoded, "format": "mp4"}}
    named = ask(video(data_url(clip("two_frames.mp4"))), QUESTION)
    assert ask(part, QUESTION).choices[0].message.content == named.choices[0].message.content


def test_images_and_videos_in_order(ask, clip):
    parts = [image(data_url(clip("img_odd.png"), "image/png")), {"type": "text", "text": "Then"},
             video(data_url(clip("two_frames.mp4"))), video(data_url(clip("one_frame.mp4"))),
             QUESTION]
    answer = ask(*parts)
    reports = answer.tru["video_report"]
    assert [report["frames_total"] for report in reports] == [2, 1]
    backwards = ask(*reversed(parts[:-1]), QUESTION)
    assert [report["frames_total"] for report in backwards.tru["video_report"]] == [1, 2]
    assert answer.usage.prompt_tokens == backwards.usage.prompt_tokens


def test_turns(client, clip):
    first = [user(video(data_url(clip("two_frames.mp4"))), QUESTION)]
    answer = client.chat.completions.create(model="m", messages=first)
    turns = [{"role": "system", "content": "Be brief."}, *first,
             {"role": "assistant", "content": answer.choices[0].message.content},
             {"role": "user", "content": "And then?"}]
    later = client.chat.completions.create(model="m", messages=turns)
    assert later.usage.prompt_tokens > answer.usage.prompt_tokens + 8
    assert len(later.tru["video_report"]) == 1


def test_stream(client, ask):
    whole = ask("Tell me a story", max_tokens=12)
    chunks = list(client.chat.completions.create(
        model="m", messages=[user("Tell me a story")], max_tokens=12, stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.model for chunk in chunks} == {"dense-tied"}
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    choices = [chunk.choices[0] for chunk in chunks]
    assert choices[0].delta.role == "assistant"
    assert "".join(choice.delta.content or "" for choice in choices) == \
        whole.choices[0].message.content
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["length"]
    assert choices[-1].finish_reason == "length"


def test_stream_with_usage(client, clip):
    chunks = list(client.chat.completions.create(
        model="m", messages=[user(video(data_url(clip("two_frames.mp4"))), QUESTION)],
        stream=True, stream_options={"include_usage": True}))
    last = chunks[-1]
    assert last.choices == [] and last.usage.completion_tokens == 8
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert last.usage.total_tokens == last.usage.prompt_tokens + 8


def check_token(token, alternatives):
    assert token.bytes and token.logprob <= 0
    assert bytes(token.bytes).decode("utf-8", "replace") == token.token
    assert len(token.top_logprobs) == alternatives
    logprobs = [other.logprob for other in token.top_logprobs]
    assert logprobs == sorted(logprobs, reverse=True)
    if alternatives:
        assert bytes(token.top_logprobs[0].bytes) == bytes(token.bytes), "the answer is greedy"


@pytest.mark.parametrize("alternatives", [0, 5, 20])
def test_logprobs(ask, alternatives):
    answer = ask("Hello", logprobs=True, top_logprobs=alternatives, temperature=0)
    tokens = answer.choices[0].logprobs.content
    assert len(tokens) == answer.usage.completion_tokens
    assert b"".join(bytes(token.bytes) for token in tokens).decode("utf-8", "replace") == \
        answer.choices[0].message.content
    for token in tokens:
        check_token(token, alternatives)


def test_streamed_logprobs(client, ask):
    whole = ask("Hello", logprobs=True, top_logprobs=2).choices[0].logprobs.content
    chunks = client.chat.completions.create(
        model="m", messages=[user("Hello")], logprobs=True, top_logprobs=2, stream=True)
    streamed = [token for chunk in chunks if chunk.choices and chunk.choices[0].logprobs
                for token in chunk.choices[0].logprobs.content or []]
    assert [(token.bytes, token.logprob) for token in streamed] == \
        [(token.bytes, token.logprob) for token in whole]


def test_no_logprobs_unless_asked(ask):
    assert ask("Hello").choices[0].logprobs is None


@pytest.mark.parametrize("as_list", [False, True])
def test_stop(ask, as_list):
    whole = ask("Hello", max_tokens=24).choices[0].message.content
    word = whole[len(whole) // 2:][:3]
    stopped = ask("Hello", max_tokens=24, stop=[word, "never said"] if as_list else word)
    assert stopped.choices[0].message.content == whole[:whole.index(word)]
    assert stopped.choices[0].finish_reason == "stop"


def test_seed(ask):
    def draw(seed):
        return ask("Hello", seed=seed, temperature=1.5, max_tokens=16).choices[0].message.content

    assert draw(7) == draw(7)
    assert len({draw(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_token_limits(ask, name):
    answer = ask("Hello", **{name: 3})
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (3, "length")


@pytest.mark.parametrize("extra", [
    {"video_params": {"num_frames": 4}}, {"mm_processor_kwargs": {"num_frames": 4}},
    {"media_io_kwargs": {"video": {"num_frames": 4}}}])
def test_frames_as_each_server_names_them(ask, clip, extra):
    answer = ask(video(data_url(clip("long_12s.mp4"))), QUESTION, extra_body=extra)
    assert len(answer.tru["video_report"][0]["frames"]) == 4


@pytest.mark.parametrize("extra", [
    {"video_params": {"fps": 1}}, {"mm_processor_kwargs": {"fps": 1}},
    {"media_io_kwargs": {"video": {"fps": 1}}}])
def test_fps_as_each_server_names_it(ask, clip, extra):
    answer = ask(video(data_url(clip("long_12s.mp4"))), QUESTION, extra_body=extra)
    assert len(answer.tru["video_report"][0]["frames"]) == 12


def refuse(error, call):
    """The call must raise exactly this class of the package; what it tells."""
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    assert type(caught.value) is error, caught.value
    assert caught.value.type and caught.value.request_id
    return caught.value


def test_n_is_one(ask):
    assert len(ask("Hello", n=1).choices) == 1
    error = refuse(openai.UnprocessableEntityError, lambda: ask("Hello", n=2))
    assert (error.code, error.param) == ("field_invalid", "n")


@pytest.mark.parametrize("options, param", [
    ({"temperature": 3}, "temperature"), ({"top_p": 1.5}, "top_p"), ({"max_tokens": 0},
     "max_tokens"), ({"top_logprobs": 21, "logprobs": True}, "top_logprobs")])
def test_a_bad_value_names_its_field(ask, options, param):
    error = refuse(openai.UnprocessableEntityError, lambda: ask("Hello", **options))
    assert (error.code, error.param, error.type) == (
        "field_invalid", param, "invalid_request_error")


def test_unusable_videos(ask):
    text = "data:video/mp4;base64," + base64.b64encode(b"no video " * 99).decode()
    error = refuse(openai.APIStatusError, lambda: ask(video(text), QUESTION))
    assert (error.status_code, error.code) == (415, "unsupported_media")
    error = refuse(openai.UnprocessableEntityError,
                   lambda: ask(video("data:video/mp4;base64,"), QUESTION))
    assert error.code == "media_empty"


def test_unknown_things(client, ask):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="m", input="x")
    missing = "tru://videos/" + hashlib.sha256(b"nothing").hexdigest()
    refuse(openai.NotFoundError, lambda: ask(video(missing), QUESTION))


def test_a_local_path_is_no_url(ask, clip):
    for url in (str(clip("clip.mov")), clip("clip.mov").as_uri()):
        error = refuse(openai.UnprocessableEntityError, lambda url=url: ask(video(url), QUESTION))
        assert error.code in ("url_scheme_not_allowed", "url_invalid", "field_invalid")


def test_a_failure_within_a_stream(client):
    text = "data:video/mp4;base64," + base64.b64encode(b"no video " * 99).decode()
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(
            model="m", messages=[user(video(text), QUESTION)], stream=True))
    assert caught.value.code == "unsupported_media"


def test_keys(keyed):
    def models(key):
        return openai.OpenAI(base_url=keyed.url + "/v1", api_key=key, max_retries=0).models.list()

    assert models("first-key-0123456789").data
    assert refuse(openai.AuthenticationError, lambda: models("wrong")).code == "unauthorized"
