"""tru doctor: what works, what does not, and what to do about it."""
import json
import socket

import pytest


@pytest.fixture
def doctor(tru, model, tmp_path):
    """doctor(*flags, **settings) returns the exit code and the findings by name."""

    def run(*flags, model_flags=None, **settings):
        flags = [*(model_flags or model()), "--data-dir", tmp_path / "data", *flags]
        result = tru("doctor", "--json", *flags, settings=settings)
        report = json.loads(result.stdout)
        findings = {finding["name"]: finding for finding in report["checks"]}
        assert report["ok"] == (result.returncode == 0)
        for finding in findings.values():
            assert finding["detail"] and (finding["status"] == "ok") == ("fix" not in finding)
        return result.returncode, findings

    return run


@pytest.fixture
def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_all_is_well(doctor, free_port):
    code, findings = doctor("--port", free_port)
    assert code == 0
    assert set(findings) == {"processor", "memory", "sandbox", "codecs", "model", "models",
                             "uploads", "data", "port", "access"}
    assert findings["port"]["status"] == findings["model"]["status"] == "ok"
    assert "h264" in findings["codecs"]["detail"]
    assert "dense-tied" in findings["model"]["detail"]


def test_a_line_for_each_and_one_more_for_what_to_do(tru, model, tmp_path):
    (tmp_path / "file").write_text("no folder")
    result = tru("doctor", *model(), "--data-dir", tmp_path / "file" / "data")
    assert result.returncode == 3 and result.stderr == ""
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("fail  data"))
    assert "DATA_DIR" in lines[at + 1]


def test_a_port_in_use(doctor):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        code, findings = doctor("--port", listener.getsockname()[1])
    assert code == 0  # it may be our own service
    assert findings["port"]["status"] == "warn" and "PORT" in findings["port"]["fix"]


def test_no_model(doctor, tmp_path):
    code, findings = doctor(model_flags=["--model", "Org/Nowhere"], HF_HOME=str(tmp_path))
    assert code == 3
    assert findings["model"]["status"] == "fail" and "tru pull" in findings["model"]["fix"]


def test_a_public_service_without_keys(doctor, tru, tmp_path, free_port):
    code, findings = doctor("--host", "0.0.0.0", "--port", free_port)
    assert (code, findings["access"]["status"]) == (3, "fail")
    assert "tru keys add" in findings["access"]["fix"]
    code, findings = doctor("--host", "0.0.0.0", "--port", free_port, API_KEYS="a-key")
    assert (code, findings["access"]["status"]) == (0, "ok")
    tru("keys", "add", "a", "--data-dir", tmp_path / "data")
    code, findings = doctor("--host", "0.0.0.0", "--port", free_port)
    assert (code, findings["access"]["status"]) == (0, "ok")
    code, findings = doctor("--host", "0.0.0.0", "--port", free_port, "--auth", "off")
    assert (code, findings["access"]["status"]) == (0, "warn")


def test_an_address_of_somebody_else(doctor):
    code, findings = doctor("--host", "not.a.host.invalid")
    assert (code, findings["port"]["status"]) == (3, "fail")
