"""One typed object for all settings: `load_config()`; what can be set is in `ares.config.settings`."""

from ares.config.load import ConfigSource, load_config
from ares.config.settings import AresConfig

__all__ = ["AresConfig", "ConfigSource", "load_config"]
