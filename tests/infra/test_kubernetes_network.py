"""Goal: who may reach whom on which port is this table and nothing else; any policy that is changed is noticed."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from tests.helpers import ROOT
from tests.kubernetes import OVERLAYS, Object, cloud, named, of_kind, overlay, pods
from tests.reachability import SIDES, Flow, Peer, World, chosen, fits, kinds_of

MESH = 4143
"""The port of Linkerd's proxy: open between those, and those alone, who may reach one another anyway."""
PROBED = (
    22,
    53,
    80,
    443,
    587,
    5432,
    6443,
    8080,
    8086,
    8443,
    8090,
    8812,
    8820,
    8840,
    8843,
    8900,
    9000,
    9003,
    9090,
    9092,
)
PROBED += (9093, 9100, 9101, 9443, 9444, MESH)

SHELL = "somebody's shell"
"""A pod in our namespace that wears no label of ours."""

OUTSIDERS = (
    Peer("venue", "203.0.113.10"),
    Peer("metadata of the node", "169.254.169.254"),
    Peer("a private host", "10.200.0.9"),
    Peer("a carrier's host", "100.64.0.9"),
    Peer("another private host", "172.16.0.9"),
    Peer("a host at home", "192.168.0.9"),
    Peer("names", "10.1.0.1", "kube-system", {"k8s-app": "kube-dns"}),
    Peer("another of the system", "10.1.0.2", "kube-system", {"k8s-app": "other"}),
    Peer("gateway", "10.1.0.3", "gateway", {"app.kubernetes.io/name": "gateway"}),
    Peer("prometheus", "10.1.0.4", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
    Peer("grafana", "10.1.0.5", "monitoring", {"app.kubernetes.io/name": "grafana"}),
    Peer("another who monitors", "10.1.0.6", "monitoring", {"app.kubernetes.io/name": "other"}),
    Peer("linkerd", "10.1.0.7", "linkerd", {"linkerd.io/control-plane-component": "destination"}),
    Peer("kafka", "10.1.0.8", "kafka", {"app.kubernetes.io/name": "kafka"}),
    Peer("another beside kafka", "10.1.0.9", "kafka", {"app.kubernetes.io/name": "other"}),
    Peer("a stranger", "10.1.0.10", "default", {"ares/questdb": "all", "app.kubernetes.io/name": "prometheus"}),
)
"""Everybody else. The stranger wears labels of ours, in a namespace that is not."""

VENUES = ("ares/venues", "ingest/venues")
USE_QUESTDB = {"mirror", "ingest", "analytics", "trader", "api", "errands", "notifier", "retention"}
ON_THE_INTERNET = {"questdb", "ingest", "analytics", "trader", "api", "errands", "notifier", "alerts", "retention"}


def account(name: str) -> Iterator[Peer]:
    """What an account has in its network, in the ranges that the overlay was told; around a laptop there is prod's."""
    said = cloud("prod" if name == "dev" else name)
    for peer, line in (
        ("control store", "control_store_cidr"), ("api server", "api_server_cidr"), ("token service", "endpoint_cidr")
    ):  # fmt: skip
        yield Peer(peer, str(ip_network(said[line])[-2]))


def world(name: str) -> World:
    there = overlay(name)
    (namespace,) = of_kind(there, "Namespace")
    home = namespace["metadata"]["name"]
    peers = [*OUTSIDERS, *account(name), Peer(SHELL, "10.1.1.250", home)]
    for number, pod in enumerate(pods(there), start=1):
        declared = [port for container in pod.containers for port in container.get("ports", ())]
        ports = {port["name"]: port["containerPort"] for port in declared}
        peers.append(Peer(pod.name, f"10.1.1.{number}", home, pod.labels, ports))
    labelled = {peer.namespace: {"kubernetes.io/metadata.name": peer.namespace} for peer in peers if peer.namespace}
    labelled["gateway"] = {**labelled["gateway"], "ares/gateway": "true"}
    return World(peers, labelled, of_kind(there, "NetworkPolicy"))


def table(name: str) -> set[Flow]:
    """What shall be possible in an overlay."""
    inside = {pod.name for pod in pods(overlay(name))}
    is_meshed, is_watched = name != "dev", name != "dev"
    flows = between(USE_QUESTDB & inside, "questdb", 9000, 8812)
    flows |= between({"alerts"}, "questdb", 9000)
    flows |= between({"api", "notifier", "alerts"}, "trader", 8820)
    flows |= between({"gateway"}, "api", 8840)
    if "exchange" in inside:
        flows |= between({"exchange"}, "questdb", 9000) | between({"ingest", "trader"}, "exchange", 8900)
    if "snapshots" in inside:
        flows |= between({"snapshots"}, "questdb", 9000, 8812)
    if "ingest-sink" in inside:
        flows |= between({"ingest-sink"}, "questdb", 9000, 8812)
    if "postgres" in inside:
        flows |= between(inside - {"postgres"}, "postgres", 5432)
    if is_watched:
        flows |= {("prometheus", each, 9100) for each in inside - {"retention", "snapshots"}}
        flows |= between({"prometheus"}, "questdb", 9003, 9101) | between({"prometheus", "grafana"}, "alerts", 9093)
        flows |= between({"grafana"}, "questdb", 8812)
    if is_meshed:
        flows |= {(one, other, MESH) for one, other, _ in flows}
        flows |= {("prometheus", each, MESH) for each in inside}
        flows |= {(each, "linkerd", port) for each in [*inside, SHELL] for port in (8080, 8086, 8090)}
    return flows | outwards(inside)


def between(sources: set[str], target: str, *ports: int) -> set[Flow]:
    return {(source, target, port) for source in sources for port in ports}


def outwards(inside: set[str]) -> set[Flow]:
    flows = {(each, "names", 53) for each in [*inside, SHELL]}
    flows |= between(ON_THE_INTERNET | inside & {"exchange"}, "venue", 443) | between({"alerts"}, "venue", 587)
    if "postgres" not in inside:
        flows |= between(inside, "control store", 5432)
    flows |= between({"ingest", "trader"}, "venue", 8443, 9443)
    if "snapshots" in inside:
        flows |= between({"snapshots"}, "api server", 443, 6443)
        flows |= between({"questdb", "analytics", "errands", "retention"}, "token service", 443)
    if "ingest-sink" in inside:
        flows |= between({"ingest", "ingest-sink", "mirror"}, "kafka", 9093)
    return flows


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_reaches_whom_is_the_table_and_nothing_else(name: str) -> None:
    there, wanted = world(name).flows(PROBED), table(name)
    assert sorted(wanted - there) == [], "cannot reach whom they need"
    assert sorted(there - wanted) == [], "reach whom they need not"


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_side_alone_lets_through_no_more(name: str) -> None:
    """Who is let out is let in, and the other way round: one fence holds where the other is broken."""
    assert by_side(world(name)) == sides_of(table(name), name)


def by_side(there: World) -> tuple[set[Flow], set[Flow]]:
    """What pods of ours are let out to, and what is let in to them, each as if the other side let all through."""
    home = {peer.name for peer in there.peers if peer.namespace == there.policies[0]["metadata"]["namespace"]}
    out, in_ = (there.flows(PROBED, [side]) for side in SIDES)
    return {flow for flow in out if flow[0] in home}, {flow for flow in in_ if flow[1] in home}


def sides_of(flows: set[Flow], name: str) -> tuple[set[Flow], set[Flow]]:
    home = {pod.name for pod in pods(overlay(name))} | {SHELL}
    return {flow for flow in flows if flow[0] in home}, {flow for flow in flows if flow[1] in home}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_port_that_a_pod_declares_is_probed(name: str) -> None:
    declared = {port for peer in world(name).peers for port in peer.ports.values()}
    assert declared <= set(PROBED)


def test_every_port_that_a_venue_is_reached_at_is_open_to_who_trades_and_collects() -> None:
    said = [file.read_text(encoding="utf-8") for folder in VENUES for file in (ROOT / folder).rglob("*.py")]
    addresses = [
        found for text in said for found in re.findall(r"(?:wss|https)://[\w.-]+\.[a-z]+(?::(\d+))?[/\"]", text)
    ]
    assert len(addresses) >= 6
    reached = {port for source, target, port in table("prod") if (source, target) == ("ingest", "venue")}
    assert {int(port or 443) for port in addresses} <= reached


def mutations(policies: Sequence[Object]) -> Iterator[tuple[str, Sequence[Object]]]:
    """Each policy taken away, and each of its bounds widened, one at a time."""
    for index, policy in enumerate(policies):
        name = policy["metadata"]["name"]
        yield f"{name} is gone", [*policies[:index], *policies[index + 1 :]]
        for said, changed in widened(policy):
            yield f"{name}: {said}", [*policies[:index], changed, *policies[index + 1 :]]


def widened(policy: Object) -> Iterator[tuple[str, Object]]:
    for direction, sides in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(policy["spec"].get(direction, ())):
            for part in ("ports", sides):
                yield f"{direction} {number} without {part}", without(policy, direction, number, part)
            for place, side in enumerate(rule[sides]):
                if len(side) > 1:
                    for part in side:
                        yield f"{direction} {number} {part}", without(policy, direction, number, sides, place, part)
                for excepted in range(len(side.get("ipBlock", {}).get("except", ()))):
                    way = (direction, number, sides, place, "ipBlock", "except", excepted)
                    yield f"{direction} {number} except {excepted}", without(policy, *way)


def without(policy: Object, *way: str | int) -> Object:
    changed = copy.deepcopy(policy)
    place: Any = changed["spec"]
    for step in way[:-1]:
        place = place[step]
    del place[way[-1]]
    return changed


@pytest.mark.parametrize("name", ["dev", "prod-kafka"])
def test_whatever_is_changed_about_a_policy_the_table_notices(name: str) -> None:
    there, wanted = world(name), sides_of(table(name), name)
    tried = {
        said: by_side(World(there.peers, there.namespaces, changed)) for said, changed in mutations(there.policies)
    }
    assert len(tried) > 50
    assert [said for said, found in tried.items() if found == wanted] == []


HOME = {"metadata": {"name": "p", "namespace": "home"}}
ONE, OTHER = Peer("one", "10.1.0.1", "home", {"a": "1"}), Peer("other", "10.1.0.2", "away", {"a": "1"}, {"web": 80})


def lets(spec: Object, one: Peer, other: Peer, port: int = 80) -> bool:
    spaces = {"home": {"name": "home"}, "away": {"name": "away"}}
    return World([one, other], spaces, [{**HOME, "spec": {"podSelector": {}, **spec}}]).lets(one, other, port)


def test_policies_mean_what_their_reference_says() -> None:
    assert lets({"podSelector": {"matchLabels": {"a": "2"}}, "policyTypes": ["Ingress"]}, OTHER, ONE), "not selected"
    assert not lets({}, OTHER, ONE), "selected for ingress, which is so unless it is said otherwise"
    assert lets({}, ONE, OTHER), "and not for egress"
    assert not lets({"policyTypes": ["Egress"]}, ONE, OTHER)
    assert lets({"ingress": [{}]}, OTHER, ONE), "an empty rule lets all in"
    both = {"namespaceSelector": {"matchLabels": {"name": "away"}}, "podSelector": {"matchLabels": {"a": "2"}}}
    assert not lets({"ingress": [{"from": [both]}]}, OTHER, ONE), "in one entry both must fit"
    apart = [{key: value} for key, value in both.items()]
    assert lets({"ingress": [{"from": apart}]}, OTHER, ONE), "in two either"
    assert not lets({"ingress": [{"from": [{"podSelector": {}}]}]}, OTHER, ONE), "pods of its own namespace alone"
    assert lets({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, OTHER, ONE)
    out = {"policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/24", "except": []}}]}]}
    assert lets(out, ONE, OTHER)
    out["egress"][0]["to"][0]["ipBlock"]["except"] = ["10.1.0.2/32"]  # type: ignore[index]
    assert not lets(out, ONE, OTHER)
    named_port = {"policyTypes": ["Egress"], "egress": [{"ports": [{"port": "web"}]}]}
    assert lets(named_port, ONE, OTHER)
    assert not lets(named_port, ONE, OTHER, 81)


def test_selectors_and_ports_mean_what_their_reference_says() -> None:
    labels = {"a": "1"}
    cases = [("In", ["1"], True), ("In", ["2"], False), ("NotIn", ["1"], False), ("Exists", [], True)]
    for operator, values, expected in [*cases, ("DoesNotExist", [], False)]:
        said = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
        assert chosen(said, labels) is expected, operator
    assert chosen({}, labels)
    assert not chosen({"matchLabels": {"a": "1", "b": "1"}}, labels)
    assert fits({"port": 80, "endPort": 90}, OTHER, 85)
    assert not fits({"port": 80, "endPort": 90}, OTHER, 91)
    assert kinds_of({"egress": [{}]}) == ["Ingress", "Egress"]


@pytest.mark.parametrize("name", ["staging", "prod", "prod-kafka"])
def test_the_mesh_lets_in_whom_the_network_lets_in(name: str) -> None:
    """Two fences of different make around the same doors."""
    there = overlay(name)
    through = {flow for flow in table(name) if flow[2] not in (MESH, 53)}
    for server in of_kind(there, "Server"):
        spec = server["spec"]
        for pod in pods(there):
            if not chosen(spec["podSelector"], pod.labels):
                continue
            declared = {one["name"]: one["containerPort"] for each in pod.containers for one in each.get("ports", ())}
            if spec["port"] not in declared:
                continue
            by_network = {
                source for source, target, port in through if (target, port) == (pod.name, declared[spec["port"]])
            }
            assert (
                admitted(there, server["metadata"]["name"]) & {*by_network, *(pod.name for pod in pods(there))}
                == by_network
            )


def admitted(there: Sequence[Object], server: str) -> set[str]:
    """ServiceAccounts that the policies of a Server, or of routes of it, name; each is called as its pod."""
    routes = {
        each["metadata"]["name"]
        for each in of_kind(there, "HTTPRoute")
        if any(parent["kind"] == "Server" and parent["name"] == server for parent in each["spec"]["parentRefs"])
    }
    accounts: set[str] = set()
    for policy in of_kind(there, "AuthorizationPolicy"):
        target = policy["spec"]["targetRef"]
        if (target["kind"] == "Server" and target["name"] == server) or (
            target["kind"] == "HTTPRoute" and target["name"] in routes
        ):
            for each in policy["spec"]["requiredAuthenticationRefs"]:
                if each["kind"] == "MeshTLSAuthentication":
                    who = named(there, "MeshTLSAuthentication", each["name"])
                    accounts |= {one["name"] for one in who["spec"]["identityRefs"]}
    return accounts
