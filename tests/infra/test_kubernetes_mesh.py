"""Goal: the mesh repeats what only reads, and never an order; blue becomes green by figures, and trading goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import MagicMock

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from api.app import router_of
from api.versions import EDITIONS
from ares.config import AresConfig
from tests.kubernetes import Object, named, of_kind, overlay, pods

MESHED = ("staging", "prod", "prod-kafka")
READS = {"GET", "HEAD"}
RETRIES = "retry.linkerd.io/"
CHANGES_THOUGH_IT_READS = ("/auth/",)
"""Below a version: what a GET does once, a login by somebody else's word."""


def routes_to(there: Sequence[Object], service: str) -> list[Object]:
    """HTTPRoutes that say what becomes of requests to a Service."""
    parents = {"group": "", "kind": "Service", "name": service}
    return [each for each in of_kind(there, "HTTPRoute") if parents.items() <= each["spec"]["parentRefs"][0].items()]


def taken_by(routes: Sequence[Object], method: str, path: str) -> tuple[Object, Object]:
    """The route and its rule that a request goes by: Exact before prefixes, the longest of these, then the method's."""
    best: tuple[tuple[bool, int, bool], Object, Object] | None = None
    for route in routes:
        for rule in route["spec"]["rules"]:
            for match in rule["matches"]:
                said, kind = match["path"]["value"], match["path"]["type"]
                fits = path == said if kind == "Exact" else f"{path}/".startswith(f"{said.rstrip('/')}/")
                if not fits or match.get("method", method) != method:
                    continue
                weight = (kind == "Exact", len(said), "method" in match)
                if best is None or weight > best[0]:
                    best = (weight, route, rule)
    assert best is not None, f"{method} {path} is nobody's: the mesh would answer 404"
    return best[1], best[2]


def repeats(route: Object) -> bool:
    return any(each.startswith(RETRIES) for each in route["metadata"].get("annotations", {}))


def api_routes() -> Iterator[tuple[str, str, bool]]:
    """Method, path and whether it is a WebSocket, of every route that the API has; nothing is asked of its parts."""
    parts, app = MagicMock(), FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    parts.config.return_value = AresConfig()
    for edition in EDITIONS:
        app.include_router(router_of(edition, parts, MagicMock()))
    for each in iter_route_contexts(app.routes):
        path = re.sub(r"\{[^}]+\}", "x", each.path or "")
        for method in each.route.methods if isinstance(each.route, APIRoute) else ("GET",):
            yield method, path, isinstance(each.route, APIWebSocketRoute)


@pytest.mark.parametrize("name", MESHED)
def test_what_is_repeated_only_reads(name: str) -> None:
    repeated = [each for each in of_kind(overlay(name), "HTTPRoute") if repeats(each)]
    assert {each["metadata"]["name"] for each in repeated} == {"api-reads", "trader-questions"}
    for route in repeated:
        for rule in route["spec"]["rules"]:
            assert {match.get("method") for match in rule["matches"]} <= READS


def test_every_route_of_the_api_is_repeated_if_it_reads_and_only_then() -> None:
    routes, seen = routes_to(overlay("prod"), "api"), 0
    for method, path, is_stream in api_routes():
        route, rule = taken_by(routes, method, path)
        reads = method in READS and not is_stream and not any(each in path for each in CHANGES_THOUGH_IT_READS)
        assert repeats(route) is reads, f"{method} {path}"
        assert ("timeouts" in rule) is not is_stream, f"{method} {path}"
        seen += 1
    assert seen > 80
    assert "timeouts" not in taken_by(routes, "GET", "/console/orders")[1]


def test_no_command_to_the_trader_is_sent_twice() -> None:
    routes = routes_to(overlay("prod"), "trader")
    for command in ("/halt", "/order", "/flatten", "/cancel", "/alerts", "/limit", "/alive"):
        route, rule = taken_by(routes, "POST", command)
        assert not repeats(route)
        assert rule["timeouts"] == {"request": "60s"}, "a flatten waits for its fills"
    for question in ("/status", "/why", "/limits", "/approvals"):
        assert repeats(taken_by(routes, "GET", question)[0])


@pytest.mark.parametrize("name", MESHED)
def test_routes_lead_where_they_say(name: str) -> None:
    there = overlay(name)
    for route in of_kind(there, "HTTPRoute"):
        (parent,) = route["spec"]["parentRefs"]
        found = named(there, parent["kind"], parent["name"])
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", ()):
                ports = {each["port"] for each in named(there, "Service", backend["name"])["spec"]["ports"]}
                assert backend["port"] in ports
                assert backend["name"] == parent["name"]
        if parent["kind"] == "Service":
            assert parent["port"] in {each["port"] for each in found["spec"]["ports"]}


@pytest.mark.parametrize("name", MESHED)
def test_every_door_is_shut_but_for_who_is_named(name: str) -> None:
    there = overlay(name)
    (namespace,) = of_kind(there, "Namespace")
    said = namespace["metadata"]["annotations"]
    assert said["config.linkerd.io/default-inbound-policy"] == "deny"
    assert said["linkerd.io/inject"] == "enabled"
    assert "8812" in said["config.linkerd.io/opaque-ports"].split(",")
    servers = {each["metadata"]["name"]: each["spec"] for each in of_kind(there, "Server")}
    assert all(spec["accessPolicy"] == "deny" for spec in servers.values())
    for policy in of_kind(there, "AuthorizationPolicy"):
        target = policy["spec"]["targetRef"]
        assert named(there, target["kind"], target["name"])
        for each in policy["spec"]["requiredAuthenticationRefs"]:
            assert named(there, each["kind"], each["name"])
    doors = {port["name"] for pod in pods(there) for each in pod.containers for port in each.get("ports", ())}
    assert doors == {spec["port"] for spec in servers.values()}, "a port that no Server tells of lets nobody in"


@pytest.mark.parametrize("name", MESHED)
def test_a_new_release_of_the_api_is_judged_and_takes_over_where_the_old_one_stands(name: str) -> None:
    there = overlay(name)
    (rollout,) = of_kind(there, "Rollout")
    spec = rollout["spec"]
    deployment = named(there, "Deployment", spec["workloadRef"]["name"])
    assert deployment["spec"]["replicas"] == 0, "its pods are the Rollout's"
    assert spec["selector"] == deployment["spec"]["selector"]
    scaled = named(there, "HorizontalPodAutoscaler", "api")["spec"]["scaleTargetRef"]
    assert scaled == {"apiVersion": rollout["apiVersion"], "kind": "Rollout", "name": rollout["metadata"]["name"]}
    strategy = spec["strategy"]["blueGreen"]
    for service in (strategy["activeService"], strategy["previewService"]):
        assert named(there, "Service", service)["spec"]["selector"] == spec["selector"]["matchLabels"]
    assert strategy["autoPromotionEnabled"] is False
    assert strategy["scaleDownDelaySeconds"] >= 60, "a way back within a minute needs the old one to be there"
    assert judged(there, strategy["prePromotionAnalysis"]) == {"api-is-well"}
    assert judged(there, strategy["postPromotionAnalysis"]) == {"api-is-well", "trading-goes-on"}


def judged(there: Sequence[Object], analysis: Any) -> set[str]:
    """Which templates judge; all that they are told of, they are given."""
    (namespace,) = of_kind(there, "Namespace")
    given = {each["name"]: each.get("value") for each in analysis["args"]}
    assert given["namespace"] == namespace["metadata"]["name"]
    names = {each["templateName"] for each in analysis["templates"]}
    for name in names:
        template = named(there, "AnalysisTemplate", name)["spec"]
        assert {each["name"] for each in template["args"]} <= set(given)
        for metric in template["metrics"]:
            asked = set(re.findall(r"\{\{args\.([a-z]+)\}\}", metric["provider"]["prometheus"]["query"]))
            assert asked <= {each["name"] for each in template["args"]}
            assert "namespace" in asked, "another Ares in the cluster is not judged with this one"
            assert metric["count"] * int(metric["interval"].removesuffix("s")) >= 120
    return names


def test_the_trader_is_handed_over_by_its_lease_and_two_may_be_there_for_it() -> None:
    for name in ("dev", *MESHED):
        trader = named(overlay(name), "Deployment", "trader")["spec"]
        assert trader["replicas"] == 1
        assert trader["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
