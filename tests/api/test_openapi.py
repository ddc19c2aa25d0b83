"""The document of the interface, and requests made from it."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from serving import PROGRAM, ROOT

CODE = re.compile(r"[a-z][a-z0-9_]*")


@pytest.fixture(scope="session")
def document(server):
    return server.get("/openapi.json").json


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_references_lead_somewhere(document):
    for reference in set(references(document)):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_operation_is_described(document):
    names = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and operation["operationId"], (method, path)
            assert any(status.startswith("2") for status in operation["responses"])
            names.append(operation["operationId"])
    assert len(names) == len(set(names))


def test_bounds_are_those_of_the_contract(document):
    text = json.dumps(document)
    for bound in ('"maximum": 60', '"maximum": 2048', '"maximum": 32768', '"maximum": 20'):
        assert bound in text
    assert re.search(r'"exclusiveMinimum": 0\b', text), "fps is over zero"


def test_codes_of_errors_are_listed(document):
    text = json.dumps(document)
    for code in ("json_invalid", "unauthorized", "origin_not_allowed", "not_found",
                 "method_not_allowed", "upload_too_large", "unsupported_media", "field_invalid",
                 "field_missing", "media_unreadable", "context_overflow", "queue_full",
                 "backend_error", "model_loading", "backend_timeout", "storage_full"):
        assert f'"{code}"' in text, code


def test_schemathesis(serving):
    """Requests drawn from the document, good and bad ones: no 5xx, all as described."""
    key = "drawn-requests-key"
    server = serving(MAX_NEW_TOKENS=2, MAX_CONTEXT=4096, AUTH="on", API_KEYS=key)
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        [program, "run", server.url + "/openapi.json", "--checks", "all", "--exclude-checks",
         "positive_data_acceptance", "--max-examples", "10", "--seed", "1",
         "--header", f"X-API-Key: {key}",
         "--generation-database", "none", "--request-timeout", "30",
         "--suppress-health-check", "all"],
        cwd=server.folder, env=environment, capture_output=True, text=True, timeout=400,
        check=False)
    (ROOT / "build" / "schemathesis.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-6000:]
    assert server.get("/v1/health").status == 200


def printed(flag):
    return subprocess.run([PROGRAM, "serve", flag], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def test_what_is_printed_is_what_is_served(document):
    assert json.loads(printed("--openapi")) == document


def test_docs_api_md_is_up_to_date():
    committed = (ROOT / "docs" / "API.md").read_text("utf-8")
    assert printed("--api-docs") == committed, \
        "run: build/bin/tru serve --api-docs >docs/API.md"
