"""Who reaches whom under NetworkPolicies: what the API's reference says of them, as a pure function over objects.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the reference of networking.k8s.io/v1. An
`ipBlock` is taken to match pods' addresses too, as some network plugins do: the wider reading is the safer one here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tests.kubernetes import Object

Flow = tuple[str, str, int]
"""From whom, to whom, on which port (TCP, or UDP 53)."""


SIDES = ("Egress", "Ingress")


@dataclass(frozen=True)
class Peer:
    """A pod, or without `namespace` an address elsewhere. `ports`: those that have names, as it declares them."""

    name: str
    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """Peers, the labels of their namespaces, and the policies that hold among them."""

    peers: Sequence[Peer]
    namespaces: Mapping[str, Mapping[str, str]]
    policies: Sequence[Object]

    def flows(self, ports: Iterable[int], sides: Sequence[str] = SIDES) -> set[Flow]:
        """All that is let through between two peers of which a policy may select one; by one side alone if asked so."""
        there = frozenset(ports)
        ours = {policy["metadata"]["namespace"] for policy in self.policies}
        rules = {(side, peer.name): self._rules(side, peer) for side in sides for peer in self.peers}
        found = set()
        for one in self.peers:
            for other in self.peers:
                if one is other or not {one.namespace, other.namespace} & ours:
                    continue
                through = there
                for side in sides:
                    subject, peer = (one, other) if side == "Egress" else (other, one)
                    through &= self._open(rules[side, subject.name], subject.namespace, peer, other, through)
                found |= {(one.name, other.name, port) for port in through}
        return found

    def lets(self, one: Peer, other: Peer, port: int) -> bool:
        """Whether both sides let it through."""
        return (one.name, other.name, port) in self.flows([port])

    def _rules(self, side: str, subject: Peer) -> Sequence[Object] | None:
        """What is allowed to, or from, a pod; None where no policy selects it."""
        selecting = [each for each in self.policies if self._selects(each, subject) and side in kinds_of(each["spec"])]
        return [rule for each in selecting for rule in each["spec"].get(side.lower(), ())] if selecting else None

    def _selects(self, policy: Object, subject: Peer) -> bool:
        here = policy["metadata"]["namespace"] == subject.namespace
        return here and chosen(policy["spec"]["podSelector"], subject.labels)

    def _open(
        self, rules: Sequence[Object] | None, home: str, peer: Peer, target: Peer, ports: frozenset[int]
    ) -> frozenset[int]:
        if rules is None:
            return ports
        through: set[int] = set()
        for rule in rules:
            sides = rule.get("from") or rule.get("to")
            if not sides or any(self._is(side, home, peer) for side in sides):
                said = rule.get("ports")
                through |= {port for port in ports if not said or any(fits(each, target, port) for each in said)}
        return frozenset(through)

    def _is(self, side: Object, home: str, peer: Peer) -> bool:
        if "ipBlock" in side:
            address = ip_address(peer.address)
            block = side["ipBlock"]
            without = any(address in ip_network(each) for each in block.get("except", ()))
            return address in ip_network(block["cidr"]) and not without
        if not peer.namespace:
            return False
        if "namespaceSelector" in side:
            in_namespace = chosen(side["namespaceSelector"], self.namespaces[peer.namespace])
        else:
            in_namespace = peer.namespace == home
        return in_namespace and chosen(side.get("podSelector", {}), peer.labels)


def kinds_of(spec: Object) -> Sequence[str]:
    """Which directions a policy is about; unsaid: Ingress, and Egress if it has rules for that."""
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def chosen(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector fits; an empty one fits all."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        expressed(each, labels) for each in selector.get("matchExpressions", ())
    )


def expressed(said: Object, labels: Mapping[str, str]) -> bool:
    value = labels.get(said["key"])
    match said["operator"]:
        case "In":
            return value in said["values"]
        case "NotIn":
            return value not in said["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def fits(said: Object, target: Peer, port: int) -> bool:
    """Whether a port of a rule is this one of the target; by name if the target declares one of that name."""
    wanted = said.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return target.ports.get(wanted) == port
    return bool(wanted <= port <= said.get("endPort", wanted))
