"""How people and programs come in by the API, and how strangers do not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from router.account import Role
from router.desk.accounts import passwords, permissions
from tests.api.conftest import OWN_PAGE, PASSWORD, Desk

#: Routes by which somebody comes in: nobody is known before.
_OPEN = {"log_in", "set_password"}


def routes(desk: Desk) -> list[RouteContext]:
    """All routes of the API."""
    (mount,) = desk.app.routes
    inner: Any = mount
    found = [r for r in iter_route_contexts(inner.app._app.routes) if isinstance(r.original_route, APIRoute)]
    return [route for route in found if route.include_in_schema]


def act_of(route: RouteContext) -> str:
    """The act that a route asks permission for."""
    acts = [d.call.act for d in route.dependant.dependencies if hasattr(d.call, "act")]
    assert len(acts) == 1, route.operation_id
    return str(acts[0])


def test_every_route_asks_for_its_act_by_every_role(desk: Desk, role: str) -> None:
    """Without a token 401; with one of a role that may not 403; with another anything else, and never 5xx."""
    asked = 0
    for route in routes(desk):
        if route.operation_id in _OPEN:
            continue
        path = "/api" + re.sub(r"\{\w+\}", "1", str(route.path_format))
        for method in sorted(route.methods or ()):
            assert desk.browser().request(method, path).status_code == 401, path
            allowed = role in permissions.ACTS[act_of(route)]
            answer = desk.as_(role).request(method, path, json={})
            assert (answer.status_code == 403) is not allowed, (method, path, answer.text)
            assert answer.status_code < 500, (method, path, answer.text)
            asked += 1
    assert asked > 8


def test_a_person_sets_a_password_logs_in_and_out(desk: Desk) -> None:
    """By the one-time link, then by name and password; after logging out the cookie opens nothing."""
    zhang = desk.person("zhang", "admin", language="zh-Hans")
    me = zhang.get("/api/v1/me").json()
    assert (me["account"]["name"], me["account"]["role"], me["account"]["language"]) == ("zhang", "admin", "zh-Hans")
    assert set(me["may"]) == {act for act, roles in permissions.ACTS.items() if Role.ADMIN in roles}
    other = desk.browser()
    given = {"name": "zhang", "password": PASSWORD}
    assert other.post("/api/v1/session", json=given, headers=OWN_PAGE).status_code == 200
    assert len(zhang.get("/api/v1/me/sessions").json()) == 2
    secret = other.cookies["omnirouter_desk"]
    assert other.delete("/api/v1/session", headers=OWN_PAGE).status_code == 204
    other.cookies.set("omnirouter_desk", secret, domain="desk.example")
    assert other.get("/api/v1/me").status_code == 401
    mine = zhang.get("/api/v1/me/sessions").json()
    assert [session["current"] for session in mine] == [True]
    assert zhang.delete(f"/api/v1/me/sessions/{mine[0]['id']}").status_code == 204
    assert zhang.get("/api/v1/me").status_code == 401


def test_the_cookie_is_for_the_desk_alone(desk: Desk) -> None:
    """No script reads it, no other site sends it with a change, and over https no other host can set it."""
    desk.person("zhang", "admin")
    for origin, name, secure in (("http://desk.example", "omnirouter_desk", False),
                                 ("https://desk.example", "__Host-omnirouter", True)):  # fmt: skip
        answer = desk.browser().post(
            "/api/v1/session", json={"name": "zhang", "password": PASSWORD}, headers={**OWN_PAGE, "origin": origin}
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{name}=")
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert ("Secure" in cookie) is secure


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://desk.example"},
        {"x-requested-with": "omnirouter"},
        {"origin": "http://evil.example", "x-requested-with": "omnirouter"},
        {"origin": "null", "x-requested-with": "omnirouter"},
        {"origin": "http://desk.example.evil.example", "x-requested-with": "omnirouter"},
    ],
)
def test_another_site_cannot_act_by_the_cookie(desk: Desk, headers: dict[str, str]) -> None:
    """A browser's request that changes something must come from the desk's own pages; reading needs no more."""
    zhang = desk.person("zhang", "admin")
    for name in OWN_PAGE:
        del zhang.headers[name]
    assert zhang.get("/api/v1/tokens").status_code == 200
    answer = zhang.post("/api/v1/tokens", json={"name": "crm", "role": "admin"}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems#forbidden")
    login = {"name": "zhang", "password": PASSWORD}
    assert desk.browser().post("/api/v1/session", json=login, headers=headers).status_code == 403
    assert zhang.get("/api/v1/tokens").json() == []


def test_a_wrong_password_says_nothing_and_slows_the_next(desk: Desk) -> None:
    """401 with one sentence, whoever was meant; then 429 with the seconds to wait."""
    desk.person("zhang", "admin")
    browser = desk.browser()

    def tried(name: str) -> Any:
        return browser.post("/api/v1/session", json={"name": name, "password": "wrong"}, headers=OWN_PAGE)

    answers = [tried(name) for name in ("zhang", "nobody") * 3]
    assert {(a.status_code, a.json()["detail"]) for a in answers} == {(401, "Name or password is wrong.")}
    slowed = tried("zhang")
    assert slowed.status_code == 429
    assert int(slowed.headers["retry-after"]) >= 1


def test_an_admin_lets_others_in_and_out_again(desk: Desk) -> None:
    """A new person gets a link; a program a token; both are out as soon as they are disabled or revoked."""
    zhang = desk.person("zhang", "admin")
    added = zhang.post("/api/v1/accounts", json={"name": "li", "role": "agent", "queues": ["payments"]})
    assert added.status_code == 201, added.text
    words = added.json()["link"]["words"]
    assert added.json()["link"]["url"] == f"/desk/welcome#{words}"
    li = desk.browser()
    set_it = {"link": words, "password": PASSWORD}
    assert li.put("/api/v1/password", json=set_it, headers=OWN_PAGE).status_code == 200
    assert li.put("/api/v1/password", json=set_it, headers=OWN_PAGE).status_code == 409
    token = zhang.post("/api/v1/tokens", json={"name": "crm", "role": "lead", "expires_days": 30}).json()
    program = desk.browser()
    program.headers["authorization"] = f"Bearer {token['words']}"
    assert program.get("/api/v1/me").json()["account"]["program"] is True
    assert [t["words"] for t in zhang.get("/api/v1/tokens").json()] == [None]
    assert zhang.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
    assert program.get("/api/v1/me").status_code == 401
    assert zhang.patch("/api/v1/accounts/li", json={"disabled": True}).json()["disabled"] is True
    assert li.get("/api/v1/me").status_code == 401
    assert zhang.post("/api/v1/accounts/li/link").status_code == 422
    assert zhang.patch("/api/v1/accounts/zhang", json={"disabled": True}).status_code == 409


MISTAKES: list[tuple[str, str, Any, int, list[str]]] = [
    ("POST", "accounts", {"name": "li", "role": "boss"}, 422, ["body.role"]),
    ("POST", "accounts", {"role": "agent", "x": 1}, 422, ["body.name", "body.x"]),
    ("POST", "accounts", {"name": "l i", "role": "agent"}, 422, []),
    ("POST", "accounts", {"name": "li", "role": "agent", "queues": ["nowhere"]}, 422, []),
    ("PATCH", "accounts/nobody", {"mail": "a@b.example"}, 404, []),
    ("POST", "tokens", {"name": "crm", "role": "lead", "expires_days": 0}, 422, ["body.expires_days"]),
    ("DELETE", "tokens/none", {}, 404, []),
    ("GET", "nothing", None, 404, []),
    ("PUT", "accounts", {}, 405, []),
]


def test_a_mistake_is_told_with_its_place(desk: Desk) -> None:
    """Every failure is a problem of the documented list, with one sentence; all mistakes of a form at once."""
    for method, path, body, status, mistakes in MISTAKES:
        answer = desk.as_("admin").request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == status
        assert told["detail"].endswith(".")
        assert [mistake["path"] for mistake in told.get("mistakes", [])] == mistakes


def test_what_is_too_large_is_not_read(desk: Desk) -> None:
    """Beyond [web] max_body: 413, whether the request says its size or not."""
    client = desk.as_("admin")
    many = b"x" * (desk.store.policy.web.max_body + 1)
    for content in (many, iter([many])):
        answer = client.post("/api/v1/accounts", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems#too-large")


def test_a_ledger_that_is_away_is_told_as_such(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After; what fails for another reason 500, and neither tells where."""
    client = desk.as_("admin")

    failures: list[tuple[Exception, int]] = [(ConnectionResetError("10.0.0.7"), 503), (KeyError("secret"), 500)]

    def fail(*_: Any) -> None:
        raise failures[0][0]

    monkeypatch.setattr(passwords, "invite", fail)
    while failures:
        status = failures[0][1]
        answer = client.post("/api/v1/accounts/li/link")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert "10.0.0.7" not in answer.text
        assert "secret" not in answer.text
        failures.pop(0)


def test_the_schema_and_its_page_are_for_everybody(desk: Desk) -> None:
    """OpenAPI 3.1, and a page that lists every route without a script and without another host."""
    browser = desk.browser()
    schema = browser.get("/api/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    page = browser.get("/api/docs")
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-", "")
    for route in routes(desk):
        assert f"/api{route.path_format}" in page.text
    assert browser.get("/api/docs.css").headers["content-type"].startswith("text/css")

