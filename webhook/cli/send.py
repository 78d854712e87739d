"""`python -m webhook send`: a webhook of one's own, signed as the provider signs it, and what becomes of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx2

from shared.domain.job_states import JobState
from shared.domain.provider_settings import PROVIDER_NAMES
from shared.domain.reasons import Reason
from shared.errors import BadParameter, BadPayload, NotFound, TransientError
from shared.infra.exit_codes import FAILED, NOTHING_MATCHED, WRONG_USE
from shared.infra.http_client import make_client
from shared.infra.network import url_host
from shared.infra.visible_text import isolated
from webhook.cli.common import as_json, open_services
from webhook.cli.jobs import told_range, told_waiting
from webhook.cli.output import print_json
from webhook.local import sending
from webhook.local.sample_webhooks import Sample
from webhook.ops import shapes
from webhook.ops.advice import advise
from webhook.services import Services

_LARGEST = 25 * 1024 * 1024  # bytes; the receiver takes no more


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", type=click.Choice(sending.SAMPLES), help="A made-up push of a tag, or of three commits to a branch.")
@click.option("--provider", type=click.Choice(PROVIDER_NAMES), help="Default: what FILE looks like; github for a sample.")
@click.option("--event", help="The event: push, tag_push, ping, or as the provider's header says it. Default: what FILE holds.")
@click.option("--repository", default=sending.REPOSITORY, show_default=True, help="The sample's repository.")
@click.option("--name", help="The sample's tag or branch. Default: v0.0.SECONDS, a new one each second; main.")
@click.option("--url", help="The receiver. Default: this machine's, on PORT.")
@click.option("--timeout", type=click.FloatRange(0, 3600), default=90, show_default=True, help="Seconds to follow its jobs.")
@as_json
def send(
    file: Path | None,
    sample: str | None,
    provider: str | None,
    event: str | None,
    repository: str,
    name: str | None,
    url: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Send FILE, or a made-up push, as a signed webhook, and follow its jobs to their releases.

    It is signed with the secret that this machine's receiver expects. Exit 0: every job has its release, or there is
    nothing to do (a ping, a redelivery); 1: refused, or a job without a release; 3: no rule makes a release of it.
    """
    if (file is None) == (sample is None):
        raise click.UsageError("give either a FILE or --sample")
    services = open_services()
    try:
        bodies = _bodies(services, file, sample, provider, repository, name)
        provider = provider or (sending.guess_provider(bodies[0]) if sample is None else "github")
        requests = [sending.sign(services, provider, body, event) for body in bodies]
    except (BadParameter, BadPayload) as problem:
        click.echo(f"tagship: {isolated(str(problem))}", err=True)
        sys.exit(WRONG_USE)
    where = url or f"http://{url_host(services.settings.host)}:{services.settings.port}/webhooks/{provider}"
    try:
        with make_client(services.settings.outgoing) as client:
            answers = [_post(client, where, request, as_json) for request in requests]
    except TransientError as problem:
        click.echo(f"tagship: {isolated(str(problem))}: is the receiver running (make run)?", err=True)
        sys.exit(FAILED)
    jobs = _follow(services, [job for answered in answers for job in answered.jobs], timeout, as_json)
    if as_json:
        print_json({"answers": [{"http_status": one.http_status, **one.said} for one in answers], "jobs": jobs})
    if any(one.http_status >= 300 for one in answers) or any(job["release_url"] is None for job in jobs):
        sys.exit(FAILED)
    if all(one.said.get("status") == "ignored" and one.said.get("reason") != Reason.PING for one in answers):
        sys.exit(NOTHING_MATCHED)


def _bodies(
    services: Services, file: Path | None, sample: str | None, provider: str | None, repository: str, name: str | None
) -> list[bytes]:
    if sample is not None:
        return sending.make_samples(services, sample, provider or "github", repository, name, datetime.now(UTC))
    assert file is not None  # noqa: S101
    if file.stat().st_size > _LARGEST:
        raise BadParameter(f"{file.name} is larger than {_LARGEST:,} bytes, which no receiver takes")
    return [file.read_bytes()]


def _post(client: httpx2.Client, where: str, request: Sample, as_json: bool) -> sending.Answered:
    _say(as_json, f"> POST {where}: {request.says or request.provider}, {len(request.body):,} bytes")
    answered = sending.post(client, where, request)
    said = answered.said
    why = ", ".join(str(said[name]) for name in ("reason", "detail") if said.get(name))
    status = said.get("status") if answered.http_status < 300 else said.get("title")
    _say(as_json, f"< {answered.http_status} {status or ''}{why and f': {why}'}")
    if (advice := advise(said.get("reason"))) is not None:
        _say(as_json, f"  {advice}")
    return answered


def _follow(services: Services, ids: list[str], timeout: float, as_json: bool) -> list[shapes.Job]:
    jobs: dict[str, shapes.Job] = {}
    try:
        for job in sending.follow(services, ids, timeout):
            jobs[job["id"]] = job
            _say(as_json, f"  {_line(job)}")
    except NotFound as problem:
        _say(as_json, f"  {problem}: look for it where the receiver runs")
    return list(jobs.values())


def _line(job: shapes.Job) -> str:
    """`job 01ab...: succeeded: v1.4.0 at default, 3 commits, ...: URL`."""
    begin = f"job {job['id']}: {job['status']}"
    waits = f"; waits for {told_waiting(job['waiting'])}" if job["waiting"] is not None else ""
    if job["release_url"] is not None:
        listed = told_range(job["range"])
        return f"{begin}: release {job['version']} at {job['target']}{listed and f', {listed}'}: {job['release_url']}{waits}"
    if job["status"] == JobState.FAILED:
        return f"{begin}: {job['reason']}: {job['error']}. {job['advice'] or ''}"
    return f"{begin}{waits}" if waits or not job["error"] else f"{begin}: {job['error']}"


def _say(as_json: bool, line: str) -> None:
    if not as_json:
        click.echo(isolated(line))
