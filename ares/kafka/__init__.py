"""The one door to Kafka: who connects, sends, reads as a member of a group, and asks how far a group is."""

from ares.kafka.connection import Topic
from ares.kafka.group import GroupReader, Incoming, Membership
from ares.kafka.lag import Progress, progress
from ares.kafka.sender import Outgoing, Sender

__all__ = ["GroupReader", "Incoming", "Membership", "Outgoing", "Progress", "Sender", "Topic", "progress"]
