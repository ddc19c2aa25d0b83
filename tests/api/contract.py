"""What every answer of the service keeps to, whatever was asked."""
import json
import re

# Where we run, where we are in memory, whom we asked for help: none of a client's business.
LEAKS = [re.compile(pattern, re.IGNORECASE) for pattern in (
    r"/(?:tmp|home|root|usr|var|proc|work|etc|dev)/", r"\b0x[0-9a-f]{4,}", r"\bat 0x",
    r"\.(?:cpp|h|hpp|cc):\d", r"\b(?:SELECT|INSERT|UPDATE|DELETE)\b.+\b(?:FROM|INTO|SET)\b",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b", r"std::|boost|beast|asio|curl|libav|ffmpeg|ggml|sqlite",
    r"errno|No such file|Invalid data found|moov atom|Broken pipe|Traceback|Connection reset")]
ERROR_FIELDS = {"code", "message", "field", "request_id", "retryable", "retry_after_s"}
OPENAI_FIELDS = {"type", "param"}


def leaks(text):
    return [match[0] for pattern in LEAKS if (match := pattern.search(text))]


def check_error(value):
    """The error's object, as it stands in a body and in an `error` event."""
    assert set(value) == {"detail", "error"}, value
    error = value["error"]
    assert ERROR_FIELDS <= set(error) <= ERROR_FIELDS | OPENAI_FIELDS, value
    assert re.fullmatch(r"[a-z][a-z0-9_]*", error["code"]), value
    assert isinstance(value["detail"], str) and len(value["detail"]) > 4, value
    assert value["detail"] == error["message"] and isinstance(error["retryable"], bool), value
    assert error["field"] is None or isinstance(error["field"], str), value
    assert "\n" not in value["detail"], value
    assert leaks(json.dumps(value, ensure_ascii=False)) == [], value
    return error


def check_answer(method, answer):
    assert answer.headers["X-Request-ID"], "no request id"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] != "*"
    if answer.status < 400:
        return
    if method == "HEAD":
        assert answer.body == b""
        return
    assert answer.headers.get_content_type() == "application/json", answer.body
    error = check_error(json.loads(answer.body))
    assert error["request_id"] == answer.headers["X-Request-ID"]
    assert (error["retry_after_s"] is None) == (answer.headers["Retry-After"] is None)
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"]
    if answer.status == 405:
        assert answer.headers["Allow"]
    if answer.status == 429:
        assert error["retryable"] and int(answer.headers["Retry-After"]) >= 1
