"""What the tests of the containers share: the Docker engine, and the service as a client."""
import contextlib
import json
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "models/demo/samples/passing.mp4"
MODEL = "Qwen/Qwen3-VL-2B-Instruct"  # of the docs; a tiny one has its name
QUESTION = "Which way does the red circle move?"


def run(*command, check=True, cwd=ROOT, **options):
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False, **options)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


def docker(*arguments, **options):
    return run("docker", *arguments, **options).stdout.strip()


def compose(*arguments, **options):
    plugin = run("docker", "compose", "version", check=False).returncode == 0
    program = ["docker", "compose"] if plugin else ["docker-compose"]
    return run(*program, "-p", "tru-test", "-f", "compose.yaml", *arguments, **options)


def get(url, context=None):
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        return answer.read().decode()


def wait_for(condition, limit_s, what):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if value := condition():
                return value
        time.sleep(0.05)
    raise AssertionError(f"{what} took over {limit_s} s")


def ask(api):
    asked = run("curl", "-sS", "--fail-with-body", "-F", f"video=@{SAMPLE}", "-F",
                f"prompt={QUESTION}", "-F", "temperature=0", f"{api}/v1/inference/upload")
    return json.loads(asked.stdout)["response"]
