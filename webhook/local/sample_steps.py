"""The sample webhooks of `make demo`, and of `SAMPLES=1 make run`: one of each outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.filters import DeliveryFilter, Page
from shared.errors import TransientError
from shared.infra.database import make_engine
from shared.infra.http_client import make_client
from shared.ledger.queries import listings
from webhook.local import sending
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, gitlab_push, sha, sign_github, sign_gitlab
from webhook.local.stack import Stack


@dataclass(frozen=True, slots=True)
class Step:
    """One webhook and what it must lead to: `status` of the answer, the release's version and deploys, if any."""

    sample: Sample
    status: str
    version: str | None = None
    deploys: int | None = None


def steps(github_secret: str, gitlab_secret: str) -> list[Step]:
    """One of each outcome: a branch, annotated tags at both providers, the unwanted, the repeated, the retried."""
    work = [
        SampleCommit("Add the cart", added=["shop/cart.py"], minute=1),
        SampleCommit("Show prices with tax", modified=["shop/price.py"], author=("Lin Wei", "lin@acme.test"), minute=2),
        SampleCommit("Drop the old till", removed=["shop/till.py"], minute=3),
    ]
    fix = SampleCommit("Round prices to cents", modified=["shop/price.py"], minute=9)
    api = SampleCommit("Serve stock levels", added=["api/stock.py"], author=("Lin Wei", "lin@acme.test"), minute=5)
    main = github_push(repository="acme/shop", ref="refs/heads/main", commits=work, before=sha("the commit before"))
    tag = sign_github(
        github_push(repository="acme/shop", ref="refs/tags/v1.4.0", head=work[-1], after=sha("tag object 1.4.0")),
        github_secret,
        says="GitHub  acme/shop  annotated tag v1.4.0",
    )
    gitlab_tag = gitlab_push(
        repository="acme/backend/api", ref="refs/tags/v2.0.0", commits=[api], after=sha("tag object 2.0.0")
    )
    # No rule wants the branch, but its push says what the tag after it holds.
    branch = github_push(repository="acme/shop", ref="refs/heads/try-it", commits=[fix], before=work[-1].as_json()["id"])
    retried = github_push(repository="acme/shop", ref="refs/tags/v1.4.1", head=fix, after=sha("tag object 1.4.1"))
    return [
        Step(
            sign_github(main, github_secret, says="GitHub  acme/shop  push of 3 commits to main"),
            "accepted",
            main["after"],
        ),
        Step(tag, "accepted", "shop@1.4.0", deploys=1),
        Step(
            sign_gitlab(
                gitlab_tag, gitlab_secret, event="Tag Push Hook", says="GitLab  acme/backend/api  annotated tag v2.0.0"
            ),
            "accepted",
            "v2.0.0",
        ),
        Step(sign_github(branch, github_secret, says="GitHub  acme/shop  push to the branch try-it"), "ignored"),
        Step(Sample(tag.provider, tag.headers, tag.body, "GitHub  acme/shop  tag v1.4.0 delivered again"), "duplicate"),
        Step(
            sign_github(retried, github_secret, says="GitHub  acme/shop  tag v1.4.1, whose first try meets a 503"),
            "accepted",
            "shop@1.4.1",
            deploys=1,
        ),
    ]


def send_samples(stack: Stack, url: str, say: Callable[[str], None], stopping: threading.Event) -> None:
    """Fill a ledger that has no deliveries; one that has any is left alone. `url`: the receiver's, without a path."""
    engine = make_engine(stack.settings.database_url)
    with engine.begin() as connection:
        has_some = bool(listings.list_deliveries(connection, DeliveryFilter(), Page(1)).rows)
    engine.dispose()
    if has_some:
        say("samples     not sent: this ledger has deliveries already")
        return
    secrets = stack.settings.webhook_secrets
    samples = [step.sample for step in steps(secrets["github"][0], secrets["gitlab"][0])]
    unsigned = {**samples[0].headers, "X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Delivery": "a-wrong-signature"}
    samples.append(Sample("github", unsigned, samples[0].body))
    try:
        with make_client() as client:
            for sample in samples:
                if stopping.is_set():
                    return
                sending.post(client, f"{url}/webhooks/{sample.provider}", sample)
    except TransientError as problem:
        say(f"samples     not all sent: {problem}")
    else:
        say(f"samples     {len(samples)} webhooks sent: look at {url}")
