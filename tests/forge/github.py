"""GitHub's answers: paths, shapes, limits and refusals of https://docs.github.com/en/rest, as far as the product asks."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.forge.replies import Reply, Request, page_links, reply
from tests.forge.repository import GitCommit, GitTag, Person, Repository

if TYPE_CHECKING:
    from tests.forge.server import Forge

_DOCS = "https://docs.github.com/rest"
_STATUSES = {"A": "added", "D": "removed", "M": "modified", "T": "changed", "R": "renamed", "C": "copied"}
_PERSON_LINKS = (
    "followers_url", "following_url", "gists_url", "starred_url", "subscriptions_url", "organizations_url", "repos_url",
    "events_url", "received_events_url",
)  # fmt: skip


class GitHub:
    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._commits: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Reply:
        match request.segments:
            case (*_, "graphql"):
                return self._graphql(request)
            case ("repositories", number, *rest) if number.isdigit():
                names = list(self._forge.repositories)
                if int(number) >= len(names):
                    return not_found()
                return self._of_repository(self._forge.repositories[names[int(number)]], tuple(rest), request)
            case ("repos", owner, name, *rest):
                full_name = f"{unquote(owner)}/{unquote(name)}"
                if full_name in self._forge.moved:
                    return self._redirect(full_name, request)
                repository = self._forge.repositories.get(full_name)
                return not_found() if repository is None else self._of_repository(repository, tuple(rest), request)
        return not_found()

    def _graphql(self, request: Request) -> Reply:
        """As far as the product asks: tags by a part of their name, 100 a page, the times of commits by their ids,
        and when tags were made by their names."""
        if not self._forge.graphql:
            return not_found()
        if request.token is None:
            return reply({"message": "This endpoint requires you to be authenticated."}, 403)
        asked = json.loads(request.body)
        variables = asked["variables"]
        full_name = f"{variables['owner']}/{variables['name']}"
        repository = self._forge.repositories.get(self._forge.moved.get(full_name, full_name))
        if repository is None:
            error = {
                "type": "NOT_FOUND",
                "path": ["repository"],
                "message": f"Could not resolve to a Repository {full_name!r}.",
            }
            return reply({"data": {"repository": None}, "errors": [error]})
        if aliases := re.findall(r'(\w+): object\(oid: "([0-9a-f]+)"\)', asked["query"]):
            known = {sha: repository.resolve(sha) for _, sha in aliases}
            found = {alias: _node(repository, sha) if known[sha] == sha else None for alias, sha in aliases}
            return reply({"data": {"repository": found}})
        if aliases := re.findall(r"(\w+): ref\(qualifiedName: \$(\w+)\)", asked["query"]):
            tags = {f"refs/tags/{tag.name}": tag for tag in repository.tags()}
            refs = {alias: _ref(repository, tags.get(variables[name])) for alias, name in aliases}
            return reply({"data": {"repository": refs}})
        every = [tag for tag in repository.tags() if variables["begin"].lower() in tag.name.lower()]
        start = int(variables.get("after") or "0")
        nodes = [{"name": tag.name, "target": _target(repository, tag)} for tag in every[start : start + 100]]
        has_more = start + 100 < len(every)
        page = {"hasNextPage": has_more, "endCursor": str(start + 100) if has_more else None}
        return reply({"data": {"repository": {"refs": {"nodes": nodes, "pageInfo": page}}}})

    def _redirect(self, full_name: str, request: Request) -> Reply:
        number = list(self._forge.repositories).index(self._forge.moved[full_name])
        rest = request.target.partition(f"/repos/{full_name}")[2]
        place = self._forge.moved_to or f"{self._forge.url}/repositories/{number}"
        return reply({"message": "Moved Permanently", "url": place}, 301, Location=f"{place}{rest}")

    def _of_repository(self, repository: Repository, rest: tuple[str, ...], request: Request) -> Reply:
        match rest:
            case ():
                return reply({"id": 1, "full_name": "x/y", "default_branch": "main"})
            case ("compare", basehead):
                base, _, head = unquote(basehead).partition("...")
                return self._compare(repository, base, head, request)
            case ("commits",):
                return self._list(repository, request)
            case ("commits", sha):
                return self._commit(repository, unquote(sha), request)
            case ("git", "commits", sha):
                found = repository.resolve(sha)
                return reply({"sha": sha}) if found == sha else not_found()
            case ("git", "ref", *name) if any("%2f" in part.lower() for part in name):
                return not_found()  # as older Enterprise Servers do
            case ("git", "ref", *name):
                return self._refs(repository, unquote("/".join(name)), is_exact=True)
            case ("git", "matching-refs", *name):
                return self._refs(repository, unquote("/".join(name)), is_exact=False)
            case ("git", "tags", sha):
                target = repository.tag_object(sha)
                return not_found() if target is None else reply({"sha": sha, "object": {"type": target[0], "sha": target[1]}})
            case ("tags",):
                return self._tags(repository, request)
        return not_found()

    def _compare(self, repository: Repository, base_name: str, head_name: str, request: Request) -> Reply:
        """Oldest first. Without a paging parameter the last 250 commits at most; with one, 100 a page."""
        base, head = repository.resolve(base_name), repository.resolve(head_name)
        if base is None or head is None:
            return not_found()
        merge_base = repository.merge_base(base, head)
        if merge_base is None:
            return reply({"message": f"No common ancestor between {base_name} and {head_name}.", "status": "404"}, 404)
        ahead = repository.range("--reverse", "--topo-order", f"{base}..{head}")
        behind = repository.range(f"{head}..{base}")
        size = request.number("per_page", 30, 100)
        number = request.number("page", 1, 10**9)
        is_paged = {"page", "per_page"} & request.query.keys()
        shown = ahead[(number - 1) * size : number * size] if is_paged else ahead[-250:]
        body = {
            "status": _status(len(ahead), len(behind)),
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "base_commit": self._shown(repository, [base])[0],
            "merge_base_commit": self._shown(repository, [merge_base])[0],
            "commits": self._shown(repository, shown),
        }
        if number == 1:
            body["files"] = []
        last = max(1, -(-len(ahead) // size))
        return reply(body, **(page_links(request, self._forge.url, number, last) if is_paged else {}))

    def _list(self, repository: Repository, request: Request) -> Reply:
        if repository.is_empty:
            return reply({"message": "Git Repository is empty.", "status": "409"}, 409)
        sha = repository.resolve(request.query.get("sha", "main"))
        if sha is None:
            return not_found()
        size, number = request.number("per_page", 30, 100), request.number("page", 1, 10**9)
        every = repository.range(sha)
        shown = every[(number - 1) * size : number * size]
        return reply(self._shown(repository, shown), **page_links(request, self._forge.url, number, -(-len(every) // size)))

    def _commit(self, repository: Repository, name: str, request: Request) -> Reply:
        """300 files a page, 3,000 in all."""
        if repository.is_empty:
            return reply({"message": "Git Repository is empty.", "status": "409"}, 409)
        sha = repository.resolve(name)
        if sha is None:
            return reply({"message": f"No commit found for SHA: {name}", "documentation_url": _DOCS, "status": "422"}, 422)
        files = [_file(*change) for change in repository.changes(sha)][:3_000]
        number = request.number("page", 1, 10)
        body = {**self._shown(repository, [sha])[0], "files": files[(number - 1) * 300 : number * 300]}
        return reply(body, **page_links(request, self._forge.url, number, max(1, -(-len(files) // 300))))

    def _refs(self, repository: Repository, name: str, *, is_exact: bool) -> Reply:
        if repository.is_empty:
            return reply({"message": "Git Repository is empty.", "status": "409"}, 409)
        if name.startswith("heads/"):
            sha = repository.branch(name.removeprefix("heads/"))
            return reply({"ref": f"refs/{name}", "object": {"type": "commit", "sha": sha}}) if sha else not_found()
        wanted = name.removeprefix("tags/")
        found = [
            {"ref": f"refs/tags/{tag.name}", "object": {"type": tag.kind, "sha": tag.object}}
            for tag in repository.tags()
            if (tag.name == wanted if is_exact else tag.name.startswith(wanted))
        ]
        if is_exact:
            return reply(found[0]) if found else not_found()
        return reply(found)

    def _tags(self, repository: Repository, request: Request) -> Reply:
        """By name, from the last to the first; commits, peeled; tags of anything else do not show."""
        size, number = request.number("per_page", 30, 100), request.number("page", 1, 10**9)
        every = [tag for tag in reversed(repository.tags()) if tag.commit is not None]
        shown = [
            {"name": tag.name, "commit": {"sha": tag.commit, "url": ""}, "node_id": "x", "zipball_url": "", "tarball_url": ""}
            for tag in every[(number - 1) * size : number * size]
        ]
        return reply(shown, **page_links(request, self._forge.url, number, max(1, -(-len(every) // size))))

    def _shown(self, repository: Repository, shas: list[str]) -> list[dict[str, Any]]:
        new = [sha for sha in shas if sha not in self._commits]
        for commit in repository.commits(new) if new else ():
            self._commits[commit.sha] = _shown(commit)
        return [self._commits[sha] for sha in shas]


def _node(repository: Repository, sha: str) -> dict[str, str]:
    (commit,) = repository.commits([sha])
    return {"oid": sha, "committedDate": f"{commit.committer.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def _ref(repository: Repository, tag: GitTag | None) -> dict[str, Any] | None:
    """A tag with its tagger's date."""
    if tag is None:
        return None
    target = _target(repository, tag)
    if tag.kind == "tag":
        target["tagger"] = {"date": repository.tagged_at(tag.object).isoformat()}
    return {"name": tag.name, "target": target}


def _target(repository: Repository, tag: GitTag) -> dict[str, Any]:
    """Each tag object in turn down to the commit; what is neither has no fields that were asked for."""
    kind, sha, depth = tag.kind, tag.object, 0
    while kind == "tag":
        target = repository.tag_object(sha)
        assert target is not None
        (kind, sha), depth = target, depth + 1
    found: dict[str, Any] = _node(repository, sha) if kind == "commit" else {}
    for _ in range(depth):
        found = {"target": found}
    return found


def not_found() -> Reply:
    return reply({"message": "Not Found", "documentation_url": _DOCS, "status": "404"}, 404)


def _status(ahead: int, behind: int) -> str:
    if ahead:
        return "diverged" if behind else "ahead"
    return "behind" if behind else "identical"


def _shown(commit: GitCommit) -> dict[str, Any]:
    """As large as GitHub's own, about four kilobytes: most of it is addresses."""
    url = f"https://api.github.example/repos/octo-org/octo-repo/commits/{commit.sha}"
    return {
        "sha": commit.sha,
        "node_id": f"C_kwDOA{commit.sha}",
        "commit": {
            "author": _person(commit.author),
            "committer": _person(commit.committer),
            "message": commit.message.rstrip("\n"),
            "tree": {"sha": commit.tree, "url": f"{url}/tree"},
            "url": url,
            "comment_count": 0,
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
        },
        "url": url,
        "html_url": url,
        "comments_url": f"{url}/comments",
        "author": _account(commit.author),
        "committer": _account(commit.committer),
        "parents": [{"sha": parent, "url": url, "html_url": url} for parent in commit.parents],
    }


def _person(person: Person) -> dict[str, str]:
    return {"name": person.name, "email": person.email, "date": f"{person.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def _account(person: Person) -> dict[str, Any]:
    base = f"https://api.github.example/users/{person.name.split()[0].lower()}"
    return {
        "login": person.name.split()[0].lower(), "id": 1, "node_id": "U_kgDOBw", "avatar_url": f"{base}/avatar?v=4",
        "gravatar_id": "", "url": base, "html_url": base, **{name: f"{base}/{name}" for name in _PERSON_LINKS},
        "type": "User", "user_view_type": "public", "site_admin": False,
    }  # fmt: skip


def _file(letter: str, old: str, new: str) -> dict[str, Any]:
    file = {"sha": "0" * 40, "filename": new, "status": _STATUSES[letter], "additions": 1, "deletions": 0, "changes": 1}
    return {**file, "previous_filename": old} if letter in "RC" else file
