"""The Ares kernel: the words and doors that every package shares."""

from importlib.metadata import version

__version__ = version("ares-trading")
