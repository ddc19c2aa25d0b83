"""More than it can take, starting and stopping: explicit answers, and nothing lost."""
import concurrent.futures
import http.client
import json
import signal
import subprocess
import time

import pytest

from events import stream
from serving import DATA, FORM, PROGRAM, eventually, field, file, multipart

SLOW = {"messages": [{"role": "user", "content": "Tell a story"}], "max_tokens": 32768,
        "temperature": 1, "stream": True}


def begin(server, value=SLOW):
    """A streamed request whose answer has not ended."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/chat/completions", json.dumps(value).encode(),
                       {"Content-Type": "application/json"})
    return connection


def queue(server):
    return server.get("/v1/health/detailed").json["queue"]


def test_a_full_queue_says_so(starting):
    server = starting("moe", QUEUE_SIZE=2)
    server.wait_ready()
    held = [begin(server)]
    eventually(lambda: queue(server)["running"] == 1, "the first runs")
    for waiting in (1, 2):
        held.append(begin(server))
        eventually(lambda waiting=waiting: queue(server)["waiting"] == waiting, "it waits")
    for _ in range(3):
        answer = server.ask("Hello")
        assert answer.refusal == (429, "queue_full") and answer.error["type"]
    assert queue(server) == {"waiting": 2, "running": 1, "capacity": 2}
    for connection in held:
        connection.close()
    eventually(lambda: server.ask("Hello", max_tokens=1).status == 200, "it is free again")


def test_ten_times_too_much(serving):
    """All are answered, in time or with 429; those accepted get their whole answer."""
    server = serving(QUEUE_SIZE=4, MAX_NEW_TOKENS=32)
    expected = server.ask("Hello").json["choices"][0]["message"]["content"]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: server.ask("Hello"), range(120)))
    taken = [answer for answer in answers if answer.status == 200]
    assert {answer.status for answer in answers} == {200, 429} and len(taken) >= 4
    assert {answer.json["choices"][0]["message"]["content"] for answer in taken} == {expected}


def test_positions_count_down(talker, clip):
    form = multipart(file(clip("one_frame.mp4")), field("prompt", "x"), field("max_tokens", 300))
    headers = {"Content-Type": FORM, "Accept": "text/event-stream"}
    streams = [stream(talker, "POST", "/v1/inference/upload", form, headers) for _ in range(3)]
    seen = [[data["position"] for _, name, data in events if name == "queued"]
            for events in streams]
    for positions in seen:
        assert positions == sorted(positions, reverse=True)
    assert seen[2][0] == 2 and seen[2][-1] == 0


@pytest.mark.parametrize("phase", ["idle", "waiting", "generate", "upload"])
def test_sigterm(phase, starting):
    """What ends within the grace ends, what does not is stopped; both with status 0."""
    server = starting("moe", SHUTDOWN_GRACE=2)
    server.wait_ready()
    held = []
    if phase in ("generate", "waiting"):
        held.append(begin(server))
        eventually(lambda: queue(server)["running"] == 1, "it runs")
    if phase == "waiting":
        held.append(begin(server))
        eventually(lambda: queue(server)["waiting"] == 1, "it waits")
    if phase == "upload":
        held.append(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60))
        held[0].putrequest("POST", "/v1/videos")
        held[0].putheader("Content-Length", "1000000")
        held[0].endheaders(b"\0" * 100_000)
        eventually(server.leftovers, "it is written while it comes")
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    if server.process.poll() is None:
        with pytest.raises(OSError):
            begin(server).getresponse()
    assert server.process.wait(30) == 0
    assert (phase == "idle") <= (time.monotonic() - begun < 10) and server.leftovers() == []


def test_a_short_answer_is_finished_before_the_end(starting):
    server = starting("moe")
    server.wait_ready()
    connection = begin(server, {**SLOW, "max_tokens": 200})
    response = connection.getresponse()
    assert b"chat.completion.chunk" in response.read(100)
    server.process.send_signal(signal.SIGTERM)
    assert response.read().rstrip().endswith(b"data: [DONE]")
    assert server.process.wait(32) == 0


def test_a_second_signal_does_not_wait(starting):
    server = starting("moe")
    server.wait_ready()
    held = begin(server)
    eventually(lambda: queue(server)["running"] == 1, "it runs")
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    server.process.send_signal(signal.SIGINT)
    server.process.wait(10)
    held.close()


def test_a_port_in_use(server):
    done = subprocess.run([PROGRAM, "serve", "--port", str(server.port), "--model",
                           DATA / "models" / "dense-tied"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 3
    assert str(server.port) in done.stderr.splitlines()[-1]


def test_a_missing_model(starting):
    server = starting(MODEL_PATH="nowhere")
    assert server.process.wait(30) == 3
    assert server.log_path.read_text().splitlines()[-1].startswith("tru: ")


def test_health_while_the_model_loads(starting):
    """Alive at once, ready later; a question meanwhile waits or is told to come again."""
    server = starting("moe")

    server.wait_alive()
    assert server.get("/v1/health").status == 200
    ready = server.get("/v1/ready")
    assert ready.status == 200 or ready.refusal == (503, "model_loading")
    answer = server.ask("Hello", max_tokens=1)
    assert answer.status == 200 or answer.refusal == (503, "model_loading")
    server.wait_ready()
