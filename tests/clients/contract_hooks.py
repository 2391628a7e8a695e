"""What schemathesis must know of the server besides its document: how to get a token, and which words are a token's.

Loaded by schemathesis itself (`SCHEMATHESIS_HOOKS`), in the process that `test_contract.py` starts."""

import itertools
import json
import os
import urllib.request

import schemathesis
from schemathesis.generation import GenerationMode

ADMIN_URL = os.environ["RESCIND_CONTRACT_ADMIN_URL"]
ADMIN_TOKEN = os.environ["RESCIND_CONTRACT_ADMIN_TOKEN"]


def admin(method, path, body=None):
    request = urllib.request.Request(f"{ADMIN_URL}/admin/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {ADMIN_TOKEN}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def open_session():
    return admin("POST", "/sessions", {"subject": "alice"})


class Bearer:
    """A token for what asks for one: a new session each time, since many a call ends its own."""

    def get(self, case, _context):
        is_own = case.operation.path in ("/me", "/logout") or case.operation.path.startswith("/sessions")
        return open_session()["access_token"] if is_own else ADMIN_TOKEN

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


asking = "^/(me|sessions.*|logout|oauth/introspect|admin/.*|metrics|openapi.json)$"
schemathesis.auth(refresh_interval=None).apply_to(path_regex=asking)(Bearer)

counted = itertools.count()


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Every other well-formed request is about something that is there: random text alone would never get past the first
    look."""
    if case.operation.path.endswith("/feed"):
        # A stream has no end.
        case.headers["Accept"] = "application/json"
    mode = case.meta.generation.mode if case.meta else None
    if mode is GenerationMode.POSITIVE and next(counted) % 2:
        if isinstance(case.path_parameters, dict):
            case.path_parameters.update({name: there(name, old) for name, old in case.path_parameters.items()})
        if isinstance(case.body, dict):
            fill(case)


def there(name, otherwise):
    match name:
        case "sid":
            return open_session()["session_id"]
        case "seq":
            scope = {"kind": "subject", "id": f"somebody {next(counted)}"}
            return admin("POST", "/revocations", {"scope": scope})["seq"]
        case "sub":
            name = f"user{next(counted)}"
            admin("POST", "/users", {"username": name, "password": "correct horse battery staple"})
            return name
        case "kid":
            admin("POST", "/keys/rotate")
            return next(key["kid"] for key in admin("GET", "/keys")["keys"] if key["state"] == "retired")
        case _:
            return otherwise


def fill(case):
    number = next(counted)
    match (case.method, case.operation.path):
        case ("POST", "/login"):
            case.body.update(username="demo", password="demo")
            for optional in ("client_id", "device"):
                case.body.pop(optional, None)
        case ("POST", "/admin/v1/revocations"):
            kinds = [{"scope": {"kind": "session", "id": open_session()["session_id"]}}, {"token": open_session()["access_token"]},
                     {"scope": {"kind": "client", "id": f"client {number}"}}, {"scope": {"kind": "all"}}]
            case.body = kinds[number % len(kinds)]
        case ("POST", "/admin/v1/users"):
            case.body = {"username": f"somebody{number}", "password": "correct horse battery staple"}
        case ("POST", "/admin/v1/sessions"):
            case.body = {"subject": case.body["subject"], "claims": {"plan": number}, "device": "a test"}
        case _:
            for member, token in (("token", "access_token"), ("refresh_token", "refresh_token")):
                if isinstance(case.body.get(member), str) and "scope" not in case.body:
                    case.body[member] = open_session()[token]
