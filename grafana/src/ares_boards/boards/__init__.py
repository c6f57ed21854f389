"""The boards, in the order in which a reader meets them."""

from __future__ import annotations

from ares_boards.boards.backups import BACKUPS
from ares_boards.boards.flow import FLOW
from ares_boards.boards.market import MARKET
from ares_boards.boards.models import MODELS
from ares_boards.boards.questdb import QUESTDB
from ares_boards.boards.risk import RISK
from ares_boards.boards.services import SERVICES
from ares_boards.boards.slo import SLO
from ares_boards.boards.trading import TRADING

BOARDS = (TRADING, RISK, MARKET, FLOW, MODELS, QUESTDB, SERVICES, BACKUPS, SLO)
