"""The API held against its own description (OpenAPI), by schemathesis: no 5xx, no undescribed status, header, media type
or member, no ignored authentication, no method that is not described, no acceptance of what the description forbids.

The same seed each time; `RESCIND_SEED` gives another. With `RESCIND_LONG` many more requests are made."""

import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from running import Server

HERE = pathlib.Path(__file__).parent
LONG = "RESCIND_LONG" in os.environ
SEED = os.environ.get("RESCIND_SEED", "1")
EXAMPLES = "1000" if LONG else "15"
LIMIT_SECONDS = 3600 if LONG else 300
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,ignored_auth,unsupported_method,allow_header_conformance,negative_data_rejection"
)
# A bound on failed sign-ins would leave one status to be seen.
UNBOUNDED = {
    f"sign_in_failures_{what}": 1_000_000_000 for what in ("per_user", "per_user_in_all", "per_address")
}


# holds: 1, 2, 5, 24, 37, 40
@pytest.mark.parametrize("listener, least_operations, least_cases", [("public", 21, 500), ("admin", 19, 500)])
def test_the_api_is_what_its_document_says(listener, least_operations, least_cases, tmp_path):
    with Server(**UNBOUNDED) as server:
        url = server.url if listener == "public" else server.admin_url
        document = tmp_path / "openapi.json"
        document.write_text(json.dumps(closed(document_of(server, url))))
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "contract_hooks",
            "PYTHONPATH": str(HERE),
            "RESCIND_CONTRACT_ADMIN_URL": server.admin_url,
            "RESCIND_CONTRACT_ADMIN_TOKEN": server.admin_token,
        }
        told = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", document, "--url", url, "--seed", SEED, "--checks", CHECKS]
            + ["--max-examples", EXAMPLES, "--continue-on-failure", "--no-color", "--warnings", "off"]
            + ["--request-timeout", "10", "--generation-database", "none", "--report-har-path", tmp_path / "har.json"],
            cwd=tmp_path, env=environment, timeout=LIMIT_SECONDS, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        log = server.log.read_text()
    assert told.returncode == 0, f"seed {SEED}\n{told.stdout}\n--- the server's log ends with ---\n{log[-4000:]}"
    # A run that tested nothing is no success.
    assert number(r"Tested: (\d+)", told.stdout) >= least_operations, told.stdout
    assert number(r"(\d+) generated", told.stdout) >= least_cases, told.stdout
    assert "panicked" not in log, log
    never = without_success(json.loads(document.read_text()), json.loads((tmp_path / "har.json").read_text()))
    assert never == UNREACHED[listener], "only what needs a provider is never answered with success"


# No provider is configured here; tests/browser has one.
UNREACHED = {
    "public": ["GET /login/{provider}", "GET /login/{provider}/callback", "POST /login/{provider}/logout"],
    "admin": [],
}


def without_success(document, har):
    """The operations that no request of the run got a 2xx or 3xx of."""
    answered = [
        (entry["request"]["method"], urllib.parse.urlsplit(entry["request"]["url"]).path)
        for entry in har["log"]["entries"]
        if 200 <= entry["response"]["status"] < 400
    ]
    never = []
    for path, item in document["paths"].items():
        pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))
        for method in map(str.upper, item):
            if not any(method == by and pattern.fullmatch(at) for by, at in answered):
                never.append(f"{method} {path}")
    return sorted(never)


def document_of(server, url):
    request = urllib.request.Request(f"{url}/openapi.json")
    request.add_header("Authorization", f"Bearer {server.admin_token}")
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


# Forms may have parameters that are not looked at (RFC 6749 §3.2). Those named have members of the application's own, or one for each counter.
OPEN = {"ClaimsJson", "IntrospectionJson", "StatsJson"}


def closed(document):
    """The document with every answer's members listed: a client passes over what it does not know, this test does not."""
    schemas = document["components"]["schemas"]
    inside = {part["$ref"].rsplit("/", 1)[1] for schema in schemas.values() for part in schema.get("allOf", []) if "$ref" in part}
    for name, schema in schemas.items():
        if "allOf" in schema:
            schema["unevaluatedProperties"] = False
        elif "properties" in schema and name not in OPEN | inside and not name.endswith("Form"):
            schema.setdefault("additionalProperties", False)
    return document


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0
