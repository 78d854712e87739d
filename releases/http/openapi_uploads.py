"""The description of uploads: chunks, bundles, files of releases. Pure."""

from __future__ import annotations

from releases.http.openapi_parts import PAGING, SEARCH, STRING, Json, operation, parameter, path_item, ref, response


def describe_uploads(anything: Json) -> Json:
    """Chunks, bundles and files of releases."""
    org, project, thing = "/api/0/organizations/{org}/", "/api/0/projects/{org}/{project}/", {"type": "object"}
    full = {code: response("Refused", thing) for code in ("413", "507")}
    chunks = operation("Upload chunks, each named by its SHA-1", "200", None) | {"requestBody": _form()}
    chunks["responses"] |= full
    found = {
        f"{org}chunk-upload/": path_item("org", get=operation("What may be uploaded", "200", thing), post=chunks),
        f"{org}artifactbundle/assemble/": path_item("org", post=operation("Assemble a bundle", "200", thing, body="NewBundle")),
        f"{org}releases/{{version}}/assemble/": path_item(
            "org", "version", post=operation("Assemble a bundle into a release's files", "200", thing, body="NewReleaseBundle")
        ),
        f"{project}files/artifact-bundles/": path_item(
            *("org", "project"),
            get=operation("List bundles", "200", anything, query=[*SEARCH, parameter("sortBy", STRING), *PAGING]),
            delete=operation("Take a bundle from the project", "204", None, query=[parameter("bundleId", STRING)]),
        ),
        f"{project}artifact-bundles/{{bundle_id}}/files/": path_item(
            *("org", "project", "bundle_id"), get=operation("List a bundle's files", "200", thing, query=SEARCH + PAGING)
        ),
        f"{project}artifact-bundles/{{bundle_id}}/files/{{file_id}}/": path_item(
            *("org", "project", "bundle_id", "file_id"), get=_download("Download a bundle's file")
        ),
        f"{project}files/source-maps/": path_item(
            *("org", "project"),
            get=operation(
                "List releases with their numbers of files",
                "200",
                anything,
                query=[*SEARCH, parameter("sortBy", STRING), *PAGING],
            ),
            delete=operation("Remove a release's files", "204", None, query=[parameter("name", STRING)]),
        ),
    }
    for call in (calls[method] for calls in found.values() for method in ("get", "post", "delete") if method in calls):
        call["responses"]["404"] = response("Refused", thing)  # `detail` or `error`
    for base, names in ((org, ("org", "version")), (project, ("org", "project", "version"))):
        create = operation("Upload a file", "201", thing) | {"requestBody": _form("name", "dist", "header")}
        create["responses"] |= {"409": response("Refused", ref("Detail")), **full}
        files = f"{base}releases/{{version}}/files/"
        query = [*SEARCH, parameter("checksum", STRING), *PAGING]
        found[files] = path_item(*names, get=operation("List a release's files", "200", anything, query=query), post=create)
        found[f"{files}{{file_id}}/"] = path_item(
            *(*names, "file_id"),
            get=_download("Show a file; with `download`, its content"),
            put=operation("Rename a file", "200", thing, body="FileChange"),
            delete=operation("Remove a file", "204", None),
        )
    return found


def _form(*texts: str) -> Json:
    """The body of an upload: files, and texts beside them."""
    file: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
    properties = {"file": file, **{name: {"type": "string"} for name in texts}}
    return {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}}


def _download(summary: str) -> Json:
    call = operation(summary, "200", {"type": "object"}, query=[parameter("download", STRING)])
    call["responses"]["200"]["content"]["application/octet-stream"] = {}
    return call
