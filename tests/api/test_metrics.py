"""GET /metrics, as Prometheus reads it."""
import re

SAMPLE = re.compile(r'^[a-zA-Z_:][\w:]*(\{(\w+="(?:[^"\\\n]|\\.)*",?)*\})? [-+0-9.eE]+(NaN|Inf)?$')


def test_format(server):
    server.ask("Hello")
    answer = server.get("/metrics")
    assert answer.status == 200 and answer.headers.get_content_type() == "text/plain"
    lines = answer.body.decode().splitlines()
    described = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    samples = [line for line in lines if line and not line.startswith("#")]
    assert samples and all(SAMPLE.match(line) for line in samples)
    for line in samples:
        name = re.match(r"[\w:]+", line)[0]
        assert name in described or re.sub(r"_(bucket|sum|count|total)$", "", name) in described


def test_requests_are_counted_by_route(server):
    def count():
        text = server.get("/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if re.match(r"tru_http_requests_total\{", line) and '"/v1/models"' in line)

    before = count()
    server.get("/v1/models")
    assert count() == before + 1


def test_unknown_paths_make_no_new_series(either):
    def series():
        return len(either.get("/metrics").body.splitlines())

    either.get("/nothing/0")
    either.get("/v1/videos/0")
    either.get("/metrics")
    before = series()
    for number in range(30):
        either.get(f"/nothing/{number}")
        either.get(f"/v1/videos/{number}")
    assert series() <= before
