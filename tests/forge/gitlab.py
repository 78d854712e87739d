"""GitLab's answers: paths, shapes, limits and refusals of https://docs.gitlab.com/api, as far as the product asks.

What the pages leave open is as in `lib/api/commits.rb` and `lib/api/repositories.rb` of GitLab's source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.forge.git import GitError
from tests.forge.replies import Reply, Request, reply
from tests.forge.repository import GitCommit, GitTag, Repository

if TYPE_CHECKING:
    from tests.forge.server import Forge


class GitLab:
    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._commits: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Reply:
        match request.segments:
            case ("api", "v4", "projects", project, *rest):
                full_name = unquote(project)
                if full_name in self._forge.moved:
                    place = self._forge.moved_to or f"{self._forge.url}/api/v4/projects"
                    number = list(self._forge.repositories).index(self._forge.moved[full_name])
                    tail = request.target.partition(f"/projects/{project}")[2]
                    return reply({"message": "301 Moved"}, 301, Location=f"{place}/{number}{tail}")
                names = list(self._forge.repositories)
                if full_name.isdigit() and int(full_name) < len(names):
                    full_name = names[int(full_name)]
                repository = self._forge.repositories.get(full_name)
                if repository is None:
                    return not_found("Project")
                return self._of_project(repository, tuple(rest), request)
        return not_found()

    def _of_project(self, repository: Repository, rest: tuple[str, ...], request: Request) -> Reply:
        match rest:
            case ():
                return reply({"id": 1, "path_with_namespace": "x/y"})
            case ("repository", "compare"):
                return self._compare(repository, request)
            case ("repository", "merge_base"):
                return self._merge_base(repository, request)
            case ("repository", "commits"):
                return self._list(repository, request)
            case ("repository", "commits", sha, "diff"):
                return self._diff(repository, unquote(sha), request)
            case ("repository", "branches", name):
                head = repository.branch(unquote(name))
                return reply({"name": unquote(name), "commit": {"id": head}}) if head else not_found("Branch")
            case ("repository", "tags"):
                return self._tags(repository, request)
            case ("repository", "tags", name):
                found = [tag for tag in repository.tags() if tag.name == unquote(name)]
                return reply(self._tag(repository, found[0])) if found else not_found("Tag")
        return not_found()

    def _compare(self, repository: Repository, request: Request) -> Reply:
        """base..head, oldest first, whole; the newest 100 for a caller without a token while the flag is on."""
        base, head = (repository.resolve(request.query.get(name, "")) for name in ("from", "to"))
        if base is None or head is None:
            return not_found("Ref")
        found = repository.range("--reverse", "--topo-order", f"{base}..{head}")
        if self._forge.anonymous_cap and request.token is None:
            found = found[-100:]
        if self._forge.compare_timeout:
            found = found[-1:]
        commits = self._shown(repository, found)
        head_commit = commits[-1] if commits else None
        return reply({"commit": head_commit, "commits": commits, "diffs": [], "compare_timeout": self._forge.compare_timeout})

    def _merge_base(self, repository: Repository, request: Request) -> Reply:
        names = [value for name, value in request.queries if name == "refs[]"]
        shas = [(name, repository.resolve(name)) for name in names]
        unknown = [name for name, sha in shas if sha is None]
        if unknown:
            noun = "ref" if len(unknown) == 1 else "refs"
            return reply({"message": f"400 Bad request - Could not find {noun}: {', '.join(unknown)}"}, 400)
        found = repository.merge_base(*[sha for _, sha in shas if sha is not None])
        return not_found("Merge Base") if found is None else reply(self._shown(repository, [found])[0])

    def _list(self, repository: Repository, request: Request) -> Reply:
        """An unknown ref is an empty list. No totals; a full page always has a next one, even if that is empty."""
        name = request.query.get("ref_name", "main")
        if self._forge.refuses_ranges and ".." in name:
            return reply({"message": "ref_name is invalid"}, 400)
        size, number = request.number("per_page", 20, 100), request.number("page", 1, 10**9)
        try:
            every = repository.range(name if ".." in name else repository.resolve(name) or "unknown")
        except GitError:
            every = []
        shown = every[(number - 1) * size : number * size]
        following = str(number + 1) if len(shown) == size else ""
        return reply(self._shown(repository, shown), X_Next_Page=following, X_Page=str(number), X_Per_Page=str(size))

    def _diff(self, repository: Repository, name: str, request: Request) -> Reply:
        sha = repository.resolve(name)
        if sha is None:
            return not_found("Commit")
        every = [_change(*change) for change in repository.changes(sha)]
        return _page(every, request)

    def _tags(self, repository: Repository, request: Request) -> Reply:
        search = request.query.get("search", "").lower()
        every = [tag for tag in repository.tags() if _fits(tag.name.lower(), search)]
        if request.query.get("sort", "desc") == "desc":
            every.reverse()
        return _page([self._tag(repository, tag) for tag in every], request)

    def _tag(self, repository: Repository, tag: GitTag) -> dict[str, Any]:
        commit = self._shown(repository, [tag.commit])[0] if tag.commit else None
        message = "" if tag.kind == "commit" else f"{tag.name}"
        made = repository.tagged_at(tag.object).isoformat(timespec="milliseconds") if tag.kind == "tag" else None
        shown = {"name": tag.name, "target": tag.object, "message": message, "commit": commit, "protected": False}
        return {**shown, "created_at": made}

    def _shown(self, repository: Repository, shas: list[str]) -> list[dict[str, Any]]:
        new = [sha for sha in shas if sha not in self._commits]
        for commit in repository.commits(new) if new else ():
            self._commits[commit.sha] = _shown(commit)
        return [self._commits[sha] for sha in shas]


def not_found(what: str = "") -> Reply:
    return reply({"message": f"404 {what} Not Found".replace("  ", " ")}, 404)


def _fits(name: str, search: str) -> bool:
    if search.startswith("^"):
        return name.startswith(search[1:])
    return name.endswith(search[:-1]) if search.endswith("$") else search in name


def _page(every: list[Any], request: Request) -> Reply:
    size, number = request.number("per_page", 20, 100), request.number("page", 1, 10**9)
    shown = every[(number - 1) * size : number * size]
    following = str(number + 1) if number * size < len(every) else ""
    return reply(shown, X_Next_Page=following, X_Page=str(number), X_Per_Page=str(size), X_Total=str(len(every)))


def _shown(commit: GitCommit) -> dict[str, Any]:
    return {
        "id": commit.sha,
        "short_id": commit.sha[:8],
        "created_at": commit.committer.at.isoformat(timespec="milliseconds"),
        "parent_ids": list(commit.parents),
        "title": commit.message.partition("\n")[0],
        "message": commit.message,
        "author_name": commit.author.name,
        "author_email": commit.author.email,
        "authored_date": commit.author.at.isoformat(timespec="milliseconds"),
        "committer_name": commit.committer.name,
        "committer_email": commit.committer.email,
        "committed_date": commit.committer.at.isoformat(timespec="milliseconds"),
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"https://gitlab.example/group/project/-/commit/{commit.sha}",
    }


def _change(letter: str, old: str, new: str) -> dict[str, Any]:
    return {
        "diff": "", "new_path": new, "old_path": old, "a_mode": "100644", "b_mode": "100644",
        "new_file": letter == "A", "renamed_file": letter == "R", "deleted_file": letter == "D", "too_large": False,
    }  # fmt: skip
