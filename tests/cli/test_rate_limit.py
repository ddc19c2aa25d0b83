"""RATE_LIMIT, as somebody who asks too often meets it."""
import json


def test_who_asks_too_often_is_told_when_to_come_back(serve):
    request = serve("--rate-limit", "3/h")
    left = []
    for _ in range(3):
        status, headers, _ = request("/v1/models")
        assert status == 200
        left.append((headers["RateLimit-Limit"], headers["RateLimit-Remaining"]))
    assert left == [("3", "2"), ("3", "1"), ("3", "0")]
    status, headers, body = request("/v1/models")
    assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limited")
    assert 1100 < int(headers["Retry-After"]) <= 1200
    assert request("/v1/health")[0] == 200  # open to everybody, not counted


def test_keys_are_counted_apart_and_wrong_ones_by_address(serve):
    request = serve("--rate-limit", "1/h", "--auth", "on", "--api-keys", "first,second")
    for key, statuses in (("first", (200, 429)), ("second", (200, 429)), ("wrong", (401, 429))):
        for status in statuses:
            assert request("/v1/models", Authorization=f"Bearer {key}")[0] == status, key
    assert request("/v1/models", Authorization="Bearer another")[0] == 429


def test_without_a_limit_nobody_is_counted(serve):
    assert "RateLimit-Limit" not in serve()("/v1/models")[1]
