"""What every registered provider owes the door, over every payload file; then each provider's own signature rules."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from shared.domain.provider_settings import PROVIDER_NAMES
from shared.domain.push import Ignored, Push
from shared.domain.webhook import Incoming
from shared.errors import BadPayload, BadSignature
from shared.forges import PROVIDERS
from tests.builders import (
    NOW,
    SECRETS,
    SENDERS,
    SIGNING_KEY,
    SIGNING_TOKEN,
    event_of,
    gitlab_signature,
    incoming,
    payload_files,
    signed_by_github,
    signed_by_gitlab,
    with_headers,
)

FILES = [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for name in PROVIDERS for file in payload_files(name)]
EVERY_FILE = pytest.mark.parametrize("file", FILES)
EVERY_PROVIDER = pytest.mark.parametrize("name", list(PROVIDERS))


def request_of(file: Path) -> Incoming:
    return incoming(file.parent.name, file.read_bytes(), event=event_of(file))


def vouched(request: Incoming, name: str) -> Incoming:
    """The request as the provider sends it: GitHub signs, GitLab shows its token."""
    return SENDERS[name].sign(request, SECRETS[name])


def verify(name: str, request: Incoming, *secrets: str) -> None:
    PROVIDERS[name].verify(request, secrets or (SECRETS[name],), NOW)


def refusal(name: str, request: Incoming, *secrets: str) -> str:
    with pytest.raises(BadSignature) as caught:
        verify(name, request, *secrets)
    return str(caught.value)


@EVERY_PROVIDER
def test_what_is_read_again_is_kept_and_no_proof_is(name: str) -> None:
    provider = PROVIDERS[name]
    assert {provider.event_header, provider.id_header, "content-type"} <= set(provider.kept_headers)
    assert not {str(proof["name"]).lower() for proof in provider.proofs.values()} & set(provider.kept_headers)
    assert all(header == header.lower() for header in provider.kept_headers)


@EVERY_FILE
def test_a_webhook_reads_the_same_with_the_headers_that_are_kept(file: Path) -> None:
    request, provider = request_of(file), PROVIDERS[file.parent.name]
    kept = Incoming(provider.headers_to_keep(request.headers), request.body)
    assert provider.read(kept) == provider.read(request)


# --- the registry ----------------------------------------------------------------------------------------------------


def test_the_settings_read_a_secret_for_every_registered_provider() -> None:
    assert tuple(PROVIDERS) == PROVIDER_NAMES


@EVERY_PROVIDER
def test_a_provider_is_registered_under_its_own_name_and_explains_itself(name: str) -> None:
    assert PROVIDERS[name].name == name
    assert "application/json" in PROVIDERS[name].media_types
    assert PROVIDERS[name].hint


@EVERY_PROVIDER
def test_every_provider_has_payload_files(name: str) -> None:
    assert payload_files(name)


@EVERY_PROVIDER
def test_a_plain_text_is_a_fine_secret(name: str) -> None:
    assert PROVIDERS[name].check_secret("any text, even ünïcode") is None


# --- over every payload file -----------------------------------------------------------------------------------------


@EVERY_FILE
def test_a_body_with_the_right_signature_or_token_passes(file: Path) -> None:
    name = file.parent.name
    verify(name, vouched(request_of(file), name))


@EVERY_FILE
def test_a_body_without_signature_or_token_is_refused(file: Path) -> None:
    assert "missing" in refusal(file.parent.name, request_of(file))


@EVERY_FILE
def test_a_body_with_an_empty_signature_or_token_is_refused(file: Path) -> None:
    name = file.parent.name
    assert "wrong" in refusal(name, Incoming({**request_of(file).headers, SENDERS[name].signed_header: ""}, file.read_bytes()))


@EVERY_FILE
def test_a_body_vouched_for_by_another_secret_is_refused(file: Path) -> None:
    name = file.parent.name
    assert "wrong" in refusal(name, vouched(request_of(file), name), "another secret")


@EVERY_FILE
def test_one_flipped_byte_of_a_signed_body_is_refused(file: Path) -> None:
    name = file.parent.name
    secret = SENDERS[name].signing_secret
    signed = SENDERS[name].sign(request_of(file), secret)
    verify(name, signed, secret)
    body = bytearray(signed.body)
    body[len(body) // 2] ^= 1
    assert "wrong" in refusal(name, Incoming(signed.headers, bytes(body)), secret)


@EVERY_FILE
def test_a_payload_reads_as_a_push_or_as_ignored_with_a_reason(file: Path) -> None:
    hook = PROVIDERS[file.parent.name].read(request_of(file))
    assert hook.event == event_of(file)
    assert isinstance(hook.content, Push | Ignored)
    if isinstance(hook.content, Ignored):
        assert hook.content.reason in ("ping", "event_ignored")
        assert hook.content.detail


@EVERY_FILE
def test_a_body_cut_off_anywhere_is_a_bad_payload(file: Path) -> None:
    body = file.read_bytes().rstrip()
    for end in {0, 1, len(body) // 3, len(body) // 2, len(body) - 1}:
        with pytest.raises(BadPayload):
            PROVIDERS[file.parent.name].read(incoming(file.parent.name, body[:end], event=event_of(file)))


@EVERY_FILE
def test_a_payload_reads_the_same_with_and_without_white_space(file: Path) -> None:
    provider = PROVIDERS[file.parent.name]
    compact = json.dumps(json.loads(file.read_bytes()), separators=(",", ":"), ensure_ascii=True).encode()
    again = provider.read(incoming(file.parent.name, compact, event=event_of(file)))
    assert again.content == provider.read(request_of(file)).content


@EVERY_PROVIDER
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"1", b'"push"', b"{", b"{}x", b"\xff\xfe{}"], ids=repr)
def test_a_body_that_is_no_json_object_is_a_bad_payload(name: str, body: bytes) -> None:
    with pytest.raises(BadPayload):
        PROVIDERS[name].read(incoming(name, body))


@EVERY_PROVIDER
def test_a_request_without_its_event_header_is_a_bad_payload(name: str) -> None:
    bare = {key: value for key, value in incoming(name).headers.items() if not key.endswith("-event")}
    with pytest.raises(BadPayload, match=r"(?i)event: the header is missing"):
        PROVIDERS[name].read(Incoming(bare, b"{}"))


@EVERY_PROVIDER
@pytest.mark.parametrize(
    "value", ["", " ", "a b", "ä", "a\tb", "a" * 201], ids=["empty", "blank", "space", "accent", "tab", "201"]
)
def test_a_delivery_id_that_is_not_1_to_200_visible_ascii_is_a_bad_payload(name: str, value: str) -> None:
    header = PROVIDERS[name].id_header
    with pytest.raises(BadPayload, match="1 to 200 visible ASCII"):
        PROVIDERS[name].read(incoming(name, {}, event="other", **{header: value}))


@EVERY_PROVIDER
def test_a_delivery_id_of_200_characters_is_kept_as_sent(name: str) -> None:
    header = PROVIDERS[name].id_header
    hook = PROVIDERS[name].read(incoming(name, {}, event="other", **{header: "~" * 200}))
    assert hook.delivery_id == "~" * 200


@EVERY_PROVIDER
def test_each_of_several_secrets_vouches_while_they_are_rotated(name: str) -> None:
    request = vouched(incoming(name, {"a": 1}), name)
    for secrets in ((SECRETS[name], "new"), ("new", SECRETS[name]), ("old", SECRETS[name], "new")):
        verify(name, request, *secrets)
    refusal(name, request, "old", "new")


@EVERY_PROVIDER
def test_without_any_secret_nothing_is_let_in(name: str) -> None:
    with pytest.raises(BadSignature):
        PROVIDERS[name].verify(vouched(incoming(name), name), (), NOW)


@EVERY_PROVIDER
def test_bodies_and_secrets_beyond_ascii_are_compared_as_bytes(name: str) -> None:
    secret, body = "schlüssel-鍵-🔑", '{"message": "größe 📦"}'.encode()
    signed = SENDERS[name].sign(incoming(name, body), secret)
    verify(name, signed, secret)
    refusal(name, signed, "schlussel")


@EVERY_PROVIDER
@pytest.mark.parametrize("value", ["ÿÿÿ", "sha256=é", "\x80", "☃"])
def test_a_signature_or_token_of_odd_characters_is_wrong_and_no_fault_of_ours(name: str, value: str) -> None:
    assert "wrong" in refusal(name, Incoming({**incoming(name).headers, SENDERS[name].signed_header: value}, b"{}"))


@EVERY_PROVIDER
def test_a_refusal_never_shows_the_secret_or_what_was_sent(name: str) -> None:
    said = refusal(name, Incoming({**incoming(name).headers, SENDERS[name].signed_header: "sent-by-them"}, b"{}"))
    assert SECRETS[name] not in said
    assert "sent-by-them" not in said


# --- GitHub ----------------------------------------------------------------------------------------------------------


def test_github_passes_the_vector_of_its_documentation() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    request = incoming("github", b"Hello, World!", x_hub_signature_256=signature)
    verify("github", request, "It's a Secret to Everybody")


def test_github_refuses_a_sha1_signature_in_either_header() -> None:
    request = incoming("github", b"{}")
    digest = hmac.new(SECRETS["github"].encode(), b"{}", hashlib.sha1).hexdigest()
    assert refusal("github", with_headers(request, x_hub_signature=f"sha1={digest}")) == "signature missing"
    assert refusal("github", with_headers(request, x_hub_signature_256=f"sha1={digest}")) == "signature wrong"


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text.removeprefix("sha256="), lambda text: text[:-1], lambda text: text + "0"]
)
def test_github_refuses_a_signature_that_is_spelled_otherwise(change: object) -> None:
    signed = signed_by_github(incoming("github", b"{}"))
    spelled = change(signed.headers["x-hub-signature-256"])  # type: ignore[operator]
    refusal("github", with_headers(signed, x_hub_signature_256=spelled))


def test_github_signs_the_form_as_sent_not_the_payload_inside() -> None:
    payload = '{"zen": "a b"}'
    form = f"payload={quote_plus(payload)}".encode()
    request = incoming("github", form, content_type="application/x-www-form-urlencoded")
    verify("github", signed_by_github(request))
    inner = signed_by_github(incoming("github", payload.encode())).headers["x-hub-signature-256"]
    refusal("github", with_headers(request, x_hub_signature_256=inner))


# --- GitLab: tokens and Standard Webhooks signatures -----------------------------------------------------------------


def test_gitlab_passes_the_vector_of_standard_webhooks() -> None:
    body = b'{"test": 2432232314}'
    request = incoming(
        "gitlab",
        body,
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    then = NOW.fromtimestamp(1614265330, NOW.tzinfo)
    PROVIDERS["gitlab"].verify(request, ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), then)


def test_gitlab_takes_a_signed_request_with_the_signing_token() -> None:
    verify("gitlab", signed_by_gitlab(incoming("gitlab")), SIGNING_TOKEN)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_gitlab_takes_a_timestamp_of_five_minutes(seconds: int) -> None:
    verify("gitlab", signed_by_gitlab(incoming("gitlab"), at=NOW + timedelta(seconds=seconds)), SIGNING_TOKEN)


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_gitlab_refuses_a_well_signed_timestamp_beyond_five_minutes(seconds: int) -> None:
    signed = signed_by_gitlab(incoming("gitlab"), at=NOW + timedelta(seconds=seconds))
    assert "five minutes" in refusal("gitlab", signed, SIGNING_TOKEN)


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1.5", "1" * 13, "١٧٧٢", "+1"])
def test_gitlab_refuses_a_timestamp_that_is_no_time(timestamp: str) -> None:
    refusal("gitlab", with_headers(signed_by_gitlab(incoming("gitlab")), webhook_timestamp=timestamp), SIGNING_TOKEN)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_gitlab_refuses_a_signature_without_id_or_timestamp(name: str) -> None:
    signed = signed_by_gitlab(incoming("gitlab"))
    bare = Incoming({key: value for key, value in signed.headers.items() if key != name}, signed.body)
    assert refusal("gitlab", bare, SIGNING_TOKEN) == "signature without webhook-id and webhook-timestamp"


@pytest.mark.parametrize("name", ["webhook_id", "webhook_timestamp"])
def test_gitlab_signs_id_and_timestamp_too(name: str) -> None:
    signed = signed_by_gitlab(incoming("gitlab"))
    other = {"webhook_id": "msg-2", "webhook_timestamp": str(int(NOW.timestamp()) + 1)}[name]
    assert refusal("gitlab", with_headers(signed, **{name: other}), SIGNING_TOKEN) == "signature wrong"


def test_gitlab_takes_one_good_entry_among_several() -> None:
    request, moment = incoming("gitlab"), str(int(NOW.timestamp()))
    old = gitlab_signature(request, key=b"old key", message_id="m", timestamp=moment)
    new = gitlab_signature(request, message_id="m", timestamp=moment)
    signature = f"v1a,c2lnbmF0dXJl {old} {new}"
    verify(
        "gitlab",
        with_headers(request, webhook_id="m", webhook_timestamp=moment, webhook_signature=signature),
        "plain",
        SIGNING_TOKEN,
    )


def test_gitlab_takes_a_signature_of_any_active_signing_token() -> None:
    signed = signed_by_gitlab(incoming("gitlab"))
    verify("gitlab", signed, "whsec_bmV3IGtleQ==", SIGNING_TOKEN)
    refusal("gitlab", signed, "whsec_bmV3IGtleQ==")


def test_gitlab_takes_a_signing_token_without_its_padding() -> None:
    verify("gitlab", signed_by_gitlab(incoming("gitlab")), SIGNING_TOKEN.rstrip("="))


@pytest.mark.parametrize("version", ["v1a", "v2", "V1", ""])
def test_gitlab_takes_v1_entries_only(version: str) -> None:
    signed = signed_by_gitlab(incoming("gitlab"))
    other = version + signed.headers["webhook-signature"].removeprefix("v1")
    refusal("gitlab", with_headers(signed, webhook_signature=other), SIGNING_TOKEN)


@pytest.mark.parametrize("signature", ["", " ", "v1,", "v1,AAAA", "nonsense"])
def test_a_good_gitlab_token_never_rescues_a_bad_signature(signature: str) -> None:
    signed = with_headers(signed_by_gitlab(incoming("gitlab")), x_gitlab_token="plain", webhook_signature=signature)
    assert refusal("gitlab", signed, "plain", SIGNING_TOKEN) == "signature wrong"


def test_a_signature_decides_alone_also_when_no_signing_token_is_configured() -> None:
    signed = with_headers(signed_by_gitlab(incoming("gitlab")), x_gitlab_token="plain")
    assert refusal("gitlab", signed, "plain") == "signature wrong"


def test_a_signing_token_is_never_taken_as_a_plain_token() -> None:
    assert refusal("gitlab", incoming("gitlab", x_gitlab_token=SIGNING_TOKEN), SIGNING_TOKEN) == "token wrong"


@pytest.mark.parametrize("key", ["", "!!!", "ab c", "A"])
def test_a_signing_token_that_is_no_base64_is_a_fault_and_lets_nobody_in(key: str) -> None:
    assert PROVIDERS["gitlab"].check_secret(f"whsec_{key}") == "begins with whsec_, but what follows is not base64"
    refusal("gitlab", signed_by_gitlab(incoming("gitlab"), key=b""), f"whsec_{key}")


def test_a_proper_signing_token_is_no_fault() -> None:
    assert PROVIDERS["gitlab"].check_secret(SIGNING_TOKEN) is None
    assert len(SIGNING_KEY) == 32
