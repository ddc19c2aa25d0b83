"""The reference implementation's answers, over HTTP: with data: URLs, and with uploads."""
import base64
import json

import pytest

from serving import DATA

TOLERANCE = 0.002  # logprob of each of the first token's top 20
KINDS = {"mp4": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska",
         "webm": "video/webm", "avi": "video/x-msvideo", "png": "image/png", "jpg": "image/jpeg"}


def read_groups():
    """Goldens by question: those with the same `either_of` are one question with two answers."""
    groups = {}
    for golden in json.loads((DATA / "goldens.json").read_text("utf-8"))["cases"]:
        groups.setdefault(golden.get("either_of") or golden["id"], []).append(golden)
    return groups


GROUPS = read_groups()
WITH_VIDEO = [name for name, goldens in GROUPS.items()
              if '"video_url"' in json.dumps(goldens[0]["messages"])]


@pytest.fixture(params=["data", "upload"])
def place(request, kept):
    """place(server, url) is what a client sends for "media:NAME"."""
    def data_url(_, url):
        path = DATA / "media" / url.removeprefix("media:")
        encoded = base64.b64encode(path.read_bytes()).decode()
        return f"data:{KINDS[path.suffix[1:]]};base64,{encoded}"

    def upload(server, url):
        path = DATA / "media" / url.removeprefix("media:")
        if KINDS[path.suffix[1:]].startswith("image"):
            return data_url(server, url)
        return "tru://videos/" + kept(server, path)

    return data_url if request.param == "data" else upload


@pytest.fixture(scope="session")
def kept():
    """kept(server, path) is the id of an upload, made once for each service."""
    ids = {}

    def keep(server, path):
        if (server.port, path) not in ids:
            ids[server.port, path] = server.keep(path)
        return ids[server.port, path]

    return keep


def fill(messages, place_url):
    """The messages with every media's URL replaced."""
    def fill_part(part):
        kind = part["type"]
        if kind == "text":
            return part
        return {"type": kind, kind: {"url": place_url(part[kind]["url"])}}

    return [message if isinstance(message["content"], str) else
            {**message, "content": [fill_part(part) for part in message["content"]]}
            for message in messages]


def offences(golden, answer):
    choice = answer["choices"][0]
    tokens = choice["logprobs"]["content"]
    greedy = golden["greedy"]
    if [token["bytes"] for token in tokens] != greedy["bytes"][:len(tokens)]:
        yield "tokens"
    # The token that ends the turn is listed by some servers and not by others.
    if len(greedy["bytes"]) - len(tokens) not in (0, greedy["finish_reason"] == "stop"):
        yield "number of tokens"
    if choice["finish_reason"] != greedy["finish_reason"]:
        yield "finish_reason"
    if answer["usage"]["prompt_tokens"] != golden["num_prompt_tokens"]:
        yield "usage"
    listed = {bytes(token["bytes"]): token["logprob"] for token in tokens[0]["top_logprobs"]}
    top = golden["first_token_top20"]
    for data, logprob in zip(top["bytes"], top["logprobs"]):
        ours = listed.get(bytes(data))
        if ours is None or abs(ours - logprob) > TOLERANCE:
            yield f"logprob of {data}: {ours}, golden {logprob}"


@pytest.mark.parametrize("name", GROUPS)
def test_golden(name, serving, place):
    goldens = GROUPS[name]
    server = serving(goldens[0]["model"], WEIGHTS="f32")
    answer = server.post("/v1/chat/completions", {
        "model": "any", "temperature": 0, "max_tokens": goldens[0]["max_tokens"],
        "messages": fill(goldens[0]["messages"], lambda url: place(server, url)),
        "logprobs": True, "top_logprobs": 20,
        "video_params": {"profile": "checkpoint", "timing": "index",
                         **(goldens[0].get("video_params") or {})}})
    assert answer.status == 200, answer.body
    found = {golden["id"]: list(offences(golden, answer.json)) for golden in goldens}
    assert [] in found.values(), found


def test_all_are_asked():
    assert len(GROUPS) == 39 and len(WITH_VIDEO) == 32
