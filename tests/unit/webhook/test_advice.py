"""Advice belongs to a code and to the party it comes from; docs/contract.md lists the codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.domain.reasons import PARTIES, Party, Reason, party_of
from webhook.ops.advice import ADVICE, UNKNOWN, advise, advise_job

CONTRACT = (Path(__file__).resolve().parents[3] / "docs" / "contract.md").read_text(encoding="utf-8")
CODES = re.findall(r'^\| <a id="(\w+)"></a>`\w+` \|', CONTRACT.partition("## 7.")[2].partition("### 7.1")[0], re.MULTILINE)
SAYS_WHAT_TO_DO = re.compile(  # a verb in the imperative
    r"\b(No action needed|Nothing to do|Set|Add|Start|Push|Create|Fix|Change|Check|check|add|Read|read|resume|replay|renew|"
    r"push|change|create|is completed)\b"
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_contract_has_a_sentence_that_says_what_to_do_for_each_of_its_parties(code: str) -> None:
    parties = PARTIES[Reason(code)]
    assert parties
    for party in parties:
        said = advise(code, party)
        assert said is not None
        assert said == ADVICE[Reason(code), party]
        assert said.endswith(".")
        assert SAYS_WHAT_TO_DO.search(said), said
    assert advise(code) == ADVICE[Reason(code), parties[0]]
    assert len({ADVICE[Reason(code), party] for party in parties}) == len(parties)


@pytest.mark.parametrize(
    ("reason", "of_a_job", "elsewhere"),
    [
        ("rate_limited", "the target limits", "the provider's limit"),
        ("version_refused", "The target rejects", "No release may have this name"),
        ("no_rule", "Add the target", "add a rule"),
        ("repository_unknown", "at the target", "The provider does not show"),
        ("missed_webhook", "no longer usable", "No webhook announced"),
    ],
)
def test_the_same_code_asks_for_something_else_of_another_party(reason: str, of_a_job: str, elsewhere: str) -> None:
    assert of_a_job in (advise_job("failed", reason, None) or "")
    assert elsewhere in (advise(reason) or "")
    assert elsewhere in (advise_job("retrying", None, {"code": reason}) or "")


def test_a_wait_names_its_party_where_that_is_not_plain() -> None:
    assert "An operator paused" in (advise_job("queued", None, {"code": "target_paused", "party": "tagship"}) or "")
    assert "automatically" in (advise_job("queued", None, {"code": "target_paused"}) or "")
    assert "the target limits" in (advise_job("queued", None, {"code": "rate_limited", "party": "target"}) or "")


def test_a_code_that_a_newer_version_wrote_has_no_advice_but_a_failure_always_has() -> None:
    assert (advise("newer"), advise(None), party_of("newer")) == (None, None, None)
    assert advise("ping", "newer") == advise("ping", Party.SENDER)
    assert advise_job("failed", "newer", None) == advise_job("failed", None, None) == UNKNOWN
    assert advise_job("succeeded", None, None) is None
