"""Authlib, a client of others, against the real server: it finds the endpoints by their metadata, refreshes, revokes and
introspects, checks our access tokens with our published keys, and understands our refusals."""

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.integrations.base_client.errors import OAuthError
from authlib.jose import JsonWebKey, JsonWebSignature, JsonWebToken
from authlib.jose.errors import BadSignatureError
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims

from running import Server

LIMIT = 10


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def metadata(server):
    return requests.get(get_well_known_url(server.url, external=True, suffix="oauth-authorization-server"), timeout=LIMIT).json()


def client(metadata, pair=None):
    return OAuth2Session(
        client_id="app", token=pair, token_endpoint=metadata["token_endpoint"], token_endpoint_auth_method="none",
        revocation_endpoint_auth_method="none",
    )


def checked(token, keys, issuer):
    """The claims of an access token, by RFC 9068 as Authlib has it."""
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": issuer}}
    claims = JsonWebToken(["EdDSA"]).decode(token, keys, JWTAccessTokenClaims, options)
    claims.validate()
    return claims


# holds: 67, 68, 69
def test_the_metadata_are_what_rfc_8414_asks_for(server, metadata):
    assert metadata["issuer"] == server.url
    # Not its rules on URLs, which want TLS: the server under test is on loopback.
    known = AuthorizationServerMetadata(metadata)
    for list_of in ("token_endpoint_auth_methods", "revocation_endpoint_auth_methods", "introspection_endpoint_auth_methods", "grant_types"):
        assert metadata[f"{list_of}_supported"], f"no empty list: {list_of}"
        getattr(known, f"validate_{list_of}_supported")()


# holds: 10
def test_a_refresh_gives_new_tokens_and_a_spent_one_is_understood_as_refused(server, metadata):
    first = server.open_session(client_id="app")
    session = client(metadata, first)
    second = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    assert second["access_token"] != first["access_token"] and second["refresh_token"] != first["refresh_token"]
    assert session.get(f"{server.url}/me", timeout=LIMIT).json()["sub"] == "alice"
    third = session.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"])
    for spent in (first["refresh_token"], third["refresh_token"]):
        with pytest.raises(OAuthError) as refused:
            session.refresh_token(metadata["token_endpoint"], refresh_token=spent)
        assert refused.value.error == "invalid_grant"


# holds: 30, 35, 38
def test_a_revoked_token_is_inactive_and_revoking_it_again_is_answered_alike(server, metadata):
    pair = server.open_session(client_id="app")

    def introspected(token):
        answer = requests.post(
            metadata["introspection_endpoint"], data={"token": token}, timeout=LIMIT,
            headers={"Authorization": f"Bearer {server.admin_token}"},
        )
        return answer.json()

    assert introspected(pair["access_token"])["active"] is True
    for _ in range(2):
        answer = client(metadata, pair).revoke_token(
            metadata["revocation_endpoint"], token=pair["refresh_token"], token_type_hint="refresh_token"
        )
        assert answer.status_code == 200
    for token in (pair["access_token"], pair["refresh_token"]):
        assert introspected(token) == {"active": False}
    assert requests.get(f"{server.url}/me", headers={"Authorization": f"Bearer {pair['access_token']}"}, timeout=LIMIT).status_code == 401


# holds: 54, 56
def test_an_access_token_is_one_of_rfc_9068_and_verifies_with_the_published_keys(server, metadata):
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=LIMIT).json())
    token = server.open_session(client_id="app", claims={"plan": "gold"})["access_token"]
    claims = checked(token, keys, server.url)
    assert (claims["sub"], claims["client_id"], claims["plan"]) == ("alice", "app", "gold")
    signed = JsonWebSignature(["EdDSA"]).deserialize_compact(token, keys.find_by_kid(claims.header["kid"]))
    assert signed["header"]["typ"] == "at+jwt"
    head, payload, signature = token.split(".")
    turned = "B" if signature[5] == "A" else "A"
    with pytest.raises(BadSignatureError):
        checked(f"{head}.{payload}.{signature[:5]}{turned}{signature[6:]}", keys, server.url)


# holds: 25
def test_a_refusal_of_the_protected_route_names_its_error_as_rfc_6750_does(server):
    refused = requests.get(f"{server.url}/me", headers={"Authorization": "Bearer nonsense"}, timeout=LIMIT)
    challenge = requests.utils.parse_dict_header(refused.headers["www-authenticate"].removeprefix("Bearer "))
    assert (refused.status_code, challenge["error"]) == (401, "invalid_token")
    assert requests.get(f"{server.url}/me", timeout=LIMIT).headers["www-authenticate"] == 'Bearer realm="rescind"'
