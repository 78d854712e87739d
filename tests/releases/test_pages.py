"""The pages for people: what they show, to whom, and that nothing in them runs."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from releases.app import ReleasesApp, create_app
from releases.pages.visitors import read_setting
from shared.config.settings import from_env
from shared.errors import SettingsError
from tests.releases.bodies import commit, ref
from tests.releases.caller import Caller, header
from tests.releases.conftest import TOKEN

ONE = "/organizations/acme/releases/1.0/"
EVIL = "<script>alert(1)</script>\"'&\u202eنسخة\u200b"


@pytest.fixture
def page(either_app: ReleasesApp) -> FlaskClient:
    return either_app.test_client()


class Outline(HTMLParser):
    """Tags that are open at the end, and what could run or load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.suspects: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "input", "br", "img"):
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").lower().startswith("javascript:"):
                self.suspects.append(f"{tag} {name}")
            if name == "src" or (tag == "link" and name == "href"):
                self.loads.append(value or "")
        if tag in ("script", "style", "iframe"):
            self.suspects.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_list_and_release_show_what_the_api_knows(either_api: Caller, page: FlaskClient) -> None:
    files = [{"path": "src/a.py", "type": "A"}, {"path": "src/m.py", "type": "M"}, {"path": "src/d.py", "type": "D"}]
    one = {"id": "9f1c2d3e4f5a", "message": "add cart\n\nbody", "author_name": "Ann Lee", "patch_set": files}
    either_api.made(url="https://acme.test/1", commits=[one])
    either_api.post("releases/1.0/deploys/", {"environment": "production", "name": "first"})
    listed = page.get("/").text
    assert "1.0" in listed
    assert ONE in listed
    shown = page.get(ONE).text
    for text in ("shop", "add cart", "Ann Lee", "src/a.py", 'title="deleted"', "production", "first", "https://acme.test/1"):
        assert text in shown
    assert "\n\nbody" not in shown


def test_what_a_release_lacks_is_said(either_api: Caller, page: FlaskClient) -> None:
    either_api.made("0.9", commits=commit("a1"))
    either_api.made(refs=[ref("unheard-of")])
    either_api.settle()
    assert "Commits are missing: shop: commit unheard-of is not known here yet." in page.get(ONE).text


def test_several_organizations_are_listed_first(api: Caller, app: ReleasesApp, grant: Any) -> None:
    grant(org="other")
    text = app.test_client().get("/").text
    assert "/organizations/acme/releases/" in text
    assert "/organizations/other/releases/" in text


def test_search_archive_and_pages(either_api: Caller, page: FlaskClient) -> None:
    for n in range(51):
        either_api.made(f"v{n}.")
    either_api.made("gone", status="archived")
    first = page.get("/organizations/acme/releases/").text
    assert "v50." in first
    assert "v0." not in first
    assert "gone" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "v0." in page.get(following).text
    assert "v7." in page.get("/organizations/acme/releases/?query=V7.").text
    assert "gone" in page.get("/organizations/acme/releases/?status=archived").text
    assert "No release matches" in page.get("/organizations/acme/releases/?query=nothing").text


@pytest.mark.parametrize("query", ["query=unknown:1", "cursor=x", "cursor=999999999999999999:0:0"])
def test_a_bad_search_is_explained_on_the_page(app: ReleasesApp, query: str) -> None:
    answer = app.test_client().get(f"/organizations/acme/releases/?{query}")
    assert answer.status_code in (200, 400)
    assert "Invalid" in answer.text


@pytest.mark.parametrize(
    "path", ["/organizations/none/releases/", "/organizations/acme/releases/none/", "/organizations/acme/releases/%00/"]
)
def test_an_unknown_page_is_404_as_html(app: ReleasesApp, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_everything_is_escaped_and_nothing_runs(either_api: Caller, page: FlaskClient) -> None:
    version = EVIL.replace("/", "-")
    evil = {"id": EVIL, "message": EVIL, "author_name": EVIL, "repository": EVIL, "patch_set": [{"path": EVIL, "type": "A"}]}
    either_api.made(version, commits=[evil], ref=EVIL, url="ftp://acme.test/x")
    address = unescape(page.get("/").text.split('scope="row"><a href="')[1].split('"')[0])
    for path in ("/", address, f"/organizations/acme/releases/?query={EVIL}"):
        answer = page.get(path)
        outline = Outline(answer.text)
        assert (answer.status_code, outline.open, outline.suspects) == (200, [], [])
        assert not {"\u202e", "\u200b"} & set(answer.text), path
        assert all(load.startswith("/static/") for load in outline.loads)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_stylesheet_is_served(app: ReleasesApp) -> None:
    answer = app.test_client().get("/static/pages.css")
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "prefers-color-scheme: dark" in answer.text
    answer.close()


STRANGERS = [
    {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}},
    {"base_url": "http://evil.test"},
    {"headers": {"X-Forwarded-For": "192.0.2.1"}},
    {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    {"headers": {"Authorization": "Bearer wrong"}},
]


@pytest.mark.parametrize("more", STRANGERS, ids=["other machine", "foreign name", "proxy", "older protocol", "wrong token"])
def test_from_elsewhere_one_signs_in(app: ReleasesApp, more: dict[str, Any]) -> None:
    for path in ("/", ONE):
        answer = app.test_client().get(path, **more)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="releases"')


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "x-forwarded-proto",
        "X-Forwarded-Server",
        "Forwarded",
        "Via",
        "CF-Connecting-IP",
        "cf-ray",
        "X-Real-IP",
    ],
)
def test_any_header_of_a_proxy_makes_a_visitor_remote(app: ReleasesApp, header: str) -> None:
    assert app.test_client().get("/").status_code == 200
    assert app.test_client().get("/", headers={header: ""}).status_code == 401


def test_the_setting_makes_everyone_sign_in(database: Engine) -> None:
    assert read_setting(from_env({}))
    assert not read_setting(from_env({"RELEASES_PAGES": "sign-in"}))
    with pytest.raises(SettingsError):
        read_setting(from_env({"RELEASES_PAGES": "open"}))
    app = create_app(database, trusts_local=False)
    assert app.test_client().get("/").status_code == 401
    app.stop()


def test_a_token_or_key_as_user_name_signs_in_to_its_organization(api: Caller, grant: Any, app: ReleasesApp) -> None:
    api.made("ours")
    api.made("veiled", projects=["pump-station"])
    theirs = grant(org="other")
    limited = grant("key", projects=["shop"])
    client = app.test_client()

    def get(path: str, secret: str | None) -> Any:
        remote = {"REMOTE_ADDR": "192.0.2.1"}
        return client.get(path, headers={"Authorization": header(secret or "", "key")}, environ_base=remote)

    assert "ours" in get("/", TOKEN).text
    assert "ours" not in get("/", theirs.secret).text
    assert get("/organizations/acme/releases/", theirs.secret).status_code == 404
    assert "veiled" not in get("/", limited.secret).text
    assert get("/organizations/acme/releases/veiled/", limited.secret).status_code == 404
    assert get("/", grant(scopes=("org:read",)).secret).status_code == 401


@pytest.mark.parametrize("number", ["99999999999999999999", "9223372036854775808", "9223372036854775807", "-1", "%EF%BC%91"])
def test_an_odd_number_of_a_file_is_no_fault(either_api: Caller, page: FlaskClient, number: str) -> None:
    either_api.made()
    assert page.get(f"{ONE}files/{number}/").status_code == 404
