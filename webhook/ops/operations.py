"""What an operator can do: one function for each act. Dashboard, API and command line call these and only read and print.

An act's audit line is written in its own transaction; after the commit the workers are notified and one event `ops.ACTION` is
logged, with the audit line's fields. An act upon many jobs writes its line first, then works in transactions of at most 500
rows and answers after the last; if its process dies, the sweeper finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy.engine import Connection

from shared.domain.job_states import Trigger
from shared.domain.provider_settings import PROVIDER_NAMES, secret_variable
from shared.domain.push import Repository
from shared.errors import BadParameter, Conflict, NotFound
from shared.infra.database import reading
from shared.infra.http_client import make_client
from shared.ledger import (
    identities,
    job_transitions,
    recollects,
    reconcile_runs,
    target_states,
)
from shared.ledger.queries import lookup
from shared.targets import check_rows, target_check
from webhook.ops import replays, serializers
from webhook.ops.acts import Actor, Done, Json, OnStep, perform, perform_bulk
from webhook.ops.target_overview import is_target, one_target
from webhook.services import Services


def replay_job(services: Services, actor: Actor, job_id: str) -> Json:
    """Queue a failed or cancelled job again. The job as the API shows it. Raises NotFound, Conflict."""
    return _move_job(services, actor, job_id, job_transitions.replay, "job_replay", "replayed")


def cancel_job(services: Services, actor: Actor, job_id: str) -> Json:
    """Cancel a job that waits. The job as the API shows it. Raises NotFound, Conflict."""
    return _move_job(services, actor, job_id, job_transitions.cancel, "job_cancel", "cancelled")


def recollect_job(services: Services, actor: Actor, job_id: str) -> Json:
    """Collect the commit list of a release once more, and send it if it differs. The job as the API shows it.

    Nothing else changes: no deploy, no state. Raises NotFound, Conflict for a job without a release or that is at it.
    """
    return _move_job(services, actor, job_id, recollects.begin, "job_recollect", "recollected")


def _move_job(services: Services, actor: Actor, job_id: str, verb: Callable[..., bool], action: str, moved: str) -> Json:
    def do(connection: Connection, now: datetime) -> Done:
        is_moved = verb(connection, job_id, now=now)
        row = lookup.find_job(connection, job_id)
        if not is_moved:
            raise Conflict(f"a job that is {row.status} cannot be {moved}")
        return Done({**serializers.job(row, target_states.find(connection), services.waits_for_broker)}, notify=[job_id])

    return perform(services, actor, action, job_id, do)


def replay_delivery(services: Services, actor: Actor, delivery_id: str, provider: str | None = None) -> Json:
    """Decide a delivery again by today's rules.

    {"jobs": [ids that now wait]}, with "detail" where there are none because no rule wants one. Raises NotFound, Conflict.
    """

    def do(connection: Connection, now: datetime) -> Done:
        row = lookup.find_delivery(connection, delivery_id, provider)
        made = replays.replay_delivery(connection, row, services.rules, now=now)
        why = None if made else replays.why_nothing(row, services.rules)
        return Done({"jobs": made} if why is None else {"jobs": [], "detail": why}, {"jobs": made}, made)

    return perform(services, actor, "delivery_replay", delivery_id, do)


def set_target(services: Services, actor: Actor, name: str, change: Literal["pause", "resume"]) -> Json:
    """Pause or resume a target, also one that is so already. The target as the API shows it. Raises NotFound."""
    verb = target_states.pause if change == "pause" else target_states.resume

    def do(connection: Connection, now: datetime) -> Done:
        if not is_target(connection, services.rules, name):
            raise NotFound(f"no target {name!r}; the configured ones are {', '.join(services.rules.targets)}")
        verb(connection, name, now=now)
        return Done({**one_target(connection, services.rules, name)})

    return perform(services, actor, f"target_{change}", name, do)


def check_target(services: Services, actor: Actor, name: str, *, writes: bool) -> Json:
    """Ask a target what releases need of it. `writes`: also make a marked test release there, and delete it.

    The object `TargetCheck` of the API. Raises NotFound for a target that is not configured.
    """
    target = services.rules.targets.get(name)
    if target is None:
        raise NotFound(f"no target {name!r}; the configured ones are {', '.join(services.rules.targets)}")
    projects = [project for rule in services.rules.rules if name in rule.targets for project in rule.projects]
    with make_client(services.settings.outgoing) as client:
        rows = target_check.check_target(client, target, services.settings.secret(target.token_env), projects, writes=writes)
    usable = check_rows.is_usable(rows)
    answer = {"target": name, "usable": usable, "wrote": writes, "checks": check_rows.as_json(rows)}
    detail = {"usable": usable, "wrote": writes}
    return perform(services, actor, "target_check", name, lambda _, __: Done(answer, detail))


def show_secret(services: Services, actor: Actor, provider: str, source: str | None) -> Json:
    """The secrets that a webhook of this provider is signed with, or of one source of it; the newest stands last.

    `{"provider", "source", "variable", "secrets": [...]}`: the one answer that carries a secret, so it is audited. Raises
    NotFound where none is set.
    """
    variable = secret_variable(provider) if provider in PROVIDER_NAMES else ""
    secrets: Sequence[str] = services.settings.webhook_secrets.get(provider, ())
    if source is not None:
        named = [one for one in services.rules.sources if (one.provider, one.name) == (provider, source)]
        variable = named[0].secret_env if named else ""
        secrets = services.settings.secrets(variable)[0] if named else ()
    if not secrets:
        raise NotFound(f"no webhook secret of {provider}{f' for {source}' if source else ''} is set")
    answer = {"provider": provider, "source": source, "variable": variable, "secrets": list(secrets)}
    detail = {"source": source, "variable": variable}
    return perform(services, actor, "secret_show", provider, lambda _, __: Done(answer, detail))


def reconcile(
    services: Services,
    actor: Actor,
    repository: Repository,
    *,
    most_tags: int | None,
    creates: bool,
    trigger: Trigger | None = None,
    claims: bool = False,
    with_deploys: bool = False,
) -> reconcile_runs.Claimed | None:
    """Ask for a comparison of the forge's tags with our releases; a sweeper makes it within seconds.

    `claims`: the caller makes it (`shared/reconcile.py`), which is then under its lease. `with_deploys`: the releases that it
    makes also record the deploys that their rules ask for. Raises Conflict.
    """
    claimed: list[reconcile_runs.Claimed | None] = []
    with reading(services.engine).begin() as connection:
        repository = identities.canonical(connection, repository)

    def do(connection: Connection, now: datetime) -> Done:
        if not reconcile_runs.want(
            connection,
            repository,
            most_tags=most_tags,
            creates=creates,
            trigger=trigger,
            with_deploys=with_deploys,
            now=now,
        ):
            raise Conflict("this repository is being compared already, or waits to be; see its page")
        if claims:
            claimed.append(reconcile_runs.claim(connection, repository.key, now=now))
        return Done({}, {**_tags(most_tags), **({"deploys": True} if with_deploys else {})})

    perform(services, actor, "repository_create" if creates else "repository_compare", repository.key, do)
    return claimed[0] if claimed else None


def note_comparison(services: Services, actor: Actor, repository: Repository, *, most_tags: int | None) -> None:
    """Write down a comparison that its caller makes, and that changes nothing, not even the repository's page."""
    perform(services, actor, "repository_compare", repository.key, lambda _, __: Done({}, _tags(most_tags)))


def _tags(most_tags: int | None) -> Json:
    return {"tags": "all" if most_tags is None else most_tags}


def replay_jobs(services: Services, actor: Actor, words: Mapping[str, str], on_step: OnStep = lambda _: None) -> Json:
    """Replay every failed or cancelled job that the filter's words match; the sweeper feeds them to their targets.

    {"replay": number of the audit line, "matched": n, "replayed": n}. `on_step` is called after each transaction. Raises
    BadParameter.
    """
    if not any(words.values()):
        raise BadParameter("a bulk replay needs at least one word of the filter")
    act = perform_bulk(services, actor, "jobs_replay", None, "replay", dict(words), on_step)
    numbered = {"replay": act.seq} if act.seq else {}  # an answer from before replays had a number is given again as it was
    return {**numbered, "matched": act.matched, "replayed": act.handled}


def recollect_jobs(services: Services, actor: Actor, words: Mapping[str, str], on_step: OnStep = lambda _: None) -> Json:
    """The same as `replay_jobs` for releases that are there: collect the commit list of each again.

    {"replay": number of the audit line, "matched": n, "recollected": n}. Raises BadParameter.
    """
    if not any(words.values()):
        raise BadParameter("a bulk recollect needs at least one word of the filter")
    act = perform_bulk(services, actor, "jobs_recollect", None, "recollect", dict(words), on_step)
    return {"replay": act.seq, "matched": act.matched, "recollected": act.handled}


def cancel_replay(services: Services, actor: Actor, seq: int, on_step: OnStep = lambda _: None) -> Json:
    """Stop a bulk replay or recollect and cancel what it queued and no worker has begun. `seq` may also be the number of such
    a cancel.

    {"replay": its number, "cancelled": n}. Raises NotFound.
    """
    with reading(services.engine).begin() as connection:
        found = replays.find_replay(connection, seq)
    wanted = {"replay": found["replay"], "verb": found["verb"]}
    act = perform_bulk(services, actor, "jobs_cancel", str(wanted["replay"]), "cancel", wanted, on_step)
    return {"replay": wanted["replay"], "cancelled": act.handled}


def note(services: Services, actor: Actor, action: str) -> None:
    """Write down what changes nothing else: a sign-in, a sign-out."""
    perform(services, actor, action, None, lambda _, __: Done({}))
