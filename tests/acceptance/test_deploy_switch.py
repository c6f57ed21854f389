"""Goal: one trader lets the other lead, whatever fails meanwhile, and no tick is lost, no order sent twice.

Two real traders, a collector under load, a mirror, QuestDB and the simulated exchange. A failure is injected into each
switch; `make rehearse-switch SWITCHES=50` has all of them several times. `test_handover_doors.py` tests each change.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.switching import COLORS, LEASE_S, Failure, Outcome, Place, ended, placed
from tests.switching_account import accounted

pytestmark = pytest.mark.skipif("ARES_TEST_SWITCHES" not in os.environ, reason="make rehearse-switch runs it")
SWITCHES = int(os.environ.get("ARES_TEST_SWITCHES", "0"))
SWITCHES_S_MAX = float(os.environ.get("ARES_TEST_SWITCHES_S", "inf"))
"""No further switch begins after so many seconds; what there was is accounted for all the same."""
WATCH_S = 2.0
BACK_S_MAX = 60.0
LOCKED_S = 4.0
FIT_S_MAX = 120.0


async def begun(there: Place, to: str, failure: str, watch_s: float = WATCH_S) -> asyncio.subprocess.Process:
    return await there.deploy("switch", "--to", to, "--reason", failure, "--watch", str(watch_s), "--json")


def figures(said: str) -> dict[str, object]:
    """The JSON object that a command printed."""
    try:
        found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    except ValueError:
        return {}
    assert isinstance(found, dict)
    return found


async def finished(there: Place, process: asyncio.subprocess.Process, failure: str, to: str) -> Outcome:
    """What a switch came to; who leads is asked of the traders, not of the command."""
    code, said = await ended(process)
    leads = await there.leader()
    told = figures(said)
    seconds = float(str(told["seconds"])) if told.get("seconds") else None
    back_s = float(str(told["back_s"])) if told.get("back_s") else None
    assert (code == 0) is (leads == to), f"{failure}: exit code {code}, {leads} leads: {said}"
    assert code in (0, 1, 2), said
    return Outcome(failure, to, leads, seconds, back_s, said if code else "")


async def went_back(
    there: Place, process: asyncio.subprocess.Process, failure: str, colors: tuple[str, str]
) -> Outcome:
    """The same, where the other one must lead again: it does so many seconds from now."""
    to, other = colors
    again = asyncio.create_task(there.leads(other))
    outcome = await finished(there, process, failure, to)
    outcome.back_s = await again
    assert outcome.leads == other, outcome.said
    return outcome


async def nothing(there: Place, to: str, _: str) -> Outcome:
    outcome = await finished(there, await begun(there, to, "nothing"), "nothing", to)
    assert outcome.leads == to, outcome.said
    return outcome


async def candidate_dead(there: Place, to: str, other: str) -> Outcome:
    """Killed before: it is not fit, and nothing changes."""
    await there.kill(to)
    outcome = await finished(there, await begun(there, to, "candidate killed before"), "candidate killed before", to)
    assert outcome.leads == other
    return outcome


async def leader_killed_draining(there: Place, to: str, other: str) -> Outcome:
    since = there.lines(other)
    async with aiohttp.ClientSession(there.exchange) as http:  # so that something is on its way
        await http.post("/sim/misbehave", json={"kind": "accept_timeout", "on": "v3/order", "count": 2})
    switching = await begun(there, to, "leader killed while it drains")
    await there.meets(switching, other, "handing_over", since)
    await there.kill(other)
    return await finished(there, switching, "leader killed while it drains", to)


async def candidate_killed_leading(there: Place, to: str, other: str) -> Outcome:
    """It has the lease, and is gone: its lease runs out, and who led before leads again."""
    since = there.lines(to)
    switching = await begun(there, to, "candidate killed with the lease")
    await there.meets(switching, to, "lease_acquired", since)
    await there.kill(to)
    return await went_back(there, switching, "candidate killed with the lease", (to, other))


async def leader_stopped(there: Place, to: str, other: str) -> Outcome:
    """For longer than its lease; when it goes on it must not send."""
    switching = await begun(there, to, "leader stopped for longer than its lease")
    await there.freeze(other)
    outcome = await finished(there, switching, "leader stopped for longer than its lease", to)
    await asyncio.sleep(max(0.0, LEASE_S - (outcome.lead_s or 0.0)))
    there.sign(other, signal.SIGCONT)
    await asyncio.sleep(1.0)
    return outcome


async def control_locked(there: Place, to: str, other: str) -> Outcome:
    since = there.lines(other)
    switching = await begun(there, to, "control store locked for seconds")
    await there.meets(switching, other, "handing_over", since)
    with there.control_locked():
        await asyncio.sleep(LOCKED_S)
    return await finished(there, switching, "control store locked for seconds", to)


async def store_restarted(there: Place, to: str, other: str) -> Outcome:
    since = there.lines(other)
    switching = await begun(there, to, "QuestDB killed and restarted")
    await there.meets(switching, other, "handing_over", since)
    await there.restart_store()
    return await finished(there, switching, "QuestDB killed and restarted", to)


async def venue_mute(there: Place, to: str, _: str) -> Outcome:
    """It takes orders and does not say so."""
    async with aiohttp.ClientSession(there.exchange) as http:
        await http.post("/sim/misbehave", json={"kind": "accept_timeout", "on": "v3/order", "count": 6})
    return await finished(
        there, await begun(there, to, "venue mute after taking orders"), "venue mute after taking orders", to
    )


async def venue_slow(there: Place, to: str, _: str) -> Outcome:
    async with aiohttp.ClientSession(there.exchange) as http:
        slow = {"kind": "ack_late", "on": "v3/order", "count": 8, "wait_ms": 1_500}
        await http.post("/sim/misbehave", json=slow)
        await http.post("/sim/misbehave", json={"kind": "5xx", "on": "v3/order", "count": 2})
    return await finished(there, await begun(there, to, "venue slow, and failing"), "venue slow, and failing", to)


async def command_killed_asking(there: Place, to: str, other: str) -> Outcome:
    return await command_killed(there, to, "command killed as it asks", (to, "command_received"))


async def command_killed_handing(there: Place, to: str, other: str) -> Outcome:
    return await command_killed(there, to, "command killed while the leader drains", (other, "handing_over"))


async def command_killed(there: Place, to: str, what: str, moment: tuple[str, str]) -> Outcome:
    """Killed once a trader, of this colour, says this; then it is given again."""
    color, says = moment
    since = there.lines(color)
    switching = await begun(there, to, what)
    await there.meets(switching, color, says, since)
    switching.kill()
    await ended(switching)
    return await finished(there, await begun(there, to, "repeated"), what, to)


async def command_killed_watching(there: Place, to: str, other: str) -> Outcome:
    switching = await begun(there, to, "command killed as it watches", watch_s=30)
    await there.leads(to)
    switching.kill()
    await ended(switching)
    return await finished(there, await begun(there, to, "repeated"), "command killed as it watches", to)


async def candidate_hangs(there: Place, to: str, other: str) -> Outcome:
    """It leads, trades, and hangs: the command goes back by itself."""
    switching = await begun(there, to, "candidate hangs after taking over", watch_s=20)
    await there.leads(to)
    await there.freeze(to)
    outcome = await went_back(there, switching, "candidate hangs after taking over", (to, other))
    there.sign(to, signal.SIGCONT)
    await asyncio.sleep(1.0)
    return outcome


async def candidate_blind(there: Place, to: str, other: str) -> Outcome:
    """It leads, trades, and its way to QuestDB is cut: its own metrics say so, and the command goes back."""
    switching = await begun(there, to, "candidate cut off from QuestDB", watch_s=20)
    await there.leads(to)
    await there.cuts[to].cut()
    outcome = await went_back(there, switching, "candidate cut off from QuestDB", (to, other))
    await there.cuts[to].connect()
    return outcome


async def rolled_back(there: Place, to: str, other: str) -> Outcome:
    """By hand, the new leader well."""
    await nothing(there, to, other)
    return await back(there, to, other, "rollback by hand")


async def rolled_back_hung(there: Place, to: str, other: str) -> Outcome:
    """By hand, the new leader hung."""
    await nothing(there, to, other)
    await there.freeze(to)
    outcome = await back(there, to, other, "rollback by hand, the leader hung")
    there.sign(to, signal.SIGCONT)
    await asyncio.sleep(1.0)
    return outcome


async def rolled_back_dead(there: Place, to: str, other: str) -> Outcome:
    """By hand, the new leader killed."""
    await nothing(there, to, other)
    await there.kill(to)
    return await back(there, to, other, "rollback by hand, the leader killed")


async def back(there: Place, to: str, other: str, failure: str) -> Outcome:
    code, said = await ended(await there.deploy("rollback", "--reason", failure, "--json"))
    assert code == 0, said
    leads = await there.leader()
    assert leads == other, said
    return Outcome(failure, to, leads, None, float(str(figures(said)["seconds"])), said)


FAILURES: tuple[Failure, ...] = (
    nothing,
    candidate_killed_leading,
    rolled_back,
    leader_killed_draining,
    leader_stopped,
    venue_mute,
    candidate_hangs,
    control_locked,
    command_killed_asking,
    candidate_dead,
    store_restarted,
    rolled_back_hung,
    venue_slow,
    candidate_blind,
    command_killed_handing,
    rolled_back_dead,
    command_killed_watching,
)


async def test_traders_let_each_other_lead_whatever_fails_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    began_s = time.monotonic()
    async with placed(tmp_path) as there:
        for number in range(SWITCHES):
            if time.monotonic() - began_s > SWITCHES_S_MAX:
                break
            other = await there.leader()
            to = COLORS[1 - COLORS.index(other)]
            await there.stands_by(to)
            await fit(there, to)
            outcome = await FAILURES[number % len(FAILURES)](there, to, other)
            outcomes.append(outcome)
            sys.stdout.write(f"{number + 1:3} {time.monotonic() - began_s:5.0f} s  {row(outcome)}\n")
            sys.stdout.flush()
            for color in COLORS:
                if color != await there.leader():
                    await there.stands_by(color)
        last = await there.leader()
        await quiet(there)
        said = await there.log_now()
        account = await accounted(there)
    sys.stdout.write(
        f"{len(outcomes)} switches, {said.leader.fencing if said.leader else 0} leases, {account.orders} orders at the "
        f"venue; ticks (issued, stored, different): {account.ticks}; restarts {there.restarts}; {last} leads\n"
    )
    assert all(issued == stored == ids for issued, stored, ids in account.ticks.values()), account.ticks
    assert account.orders > len(outcomes), "it traded"
    assert account.sent_twice == []
    assert account.unknown_to_us == [], "an orphan"
    assert account.apart == []
    assert account.fencings == sorted(account.fencings), "an order came from who did not lead any more"
    assert len(set(account.fencings)) > len(outcomes) // 2, "different leaders sent"
    backs = [each.back_s for each in outcomes if each.back_s is not None]
    assert all(seconds <= BACK_S_MAX for seconds in backs), backs


async def fit(there: Place, to: str) -> None:
    """Verify until it may lead, as who deploys does: after a restart of QuestDB quotes are old for some seconds."""
    async with asyncio.timeout(FIT_S_MAX):
        while (await ended(await there.deploy("verify", "--color", to)))[0]:
            await asyncio.sleep(1.0)


async def quiet(there: Place) -> None:
    """Halt, and wait until nothing is under way."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ares.cli", "trader", "halt", "--reason", "the rehearsal is over"),
        env=there.variables(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    code, said = await ended(process)
    assert code == 0, said
    await asyncio.sleep(5.0)


def row(outcome: Outcome) -> str:
    """A line of the table: failure, who was to lead and who leads, seconds to lead, seconds to go back."""
    lead = "" if outcome.lead_s is None else f"{outcome.lead_s:.1f}"
    back_s = "" if outcome.back_s is None else f"{outcome.back_s:.1f}"
    said = " ".join(outcome.said[outcome.said.find("error: ") :].split())[:300] if "error: " in outcome.said else ""
    return f"{outcome.failure:42} to {outcome.to:6} leads {outcome.leads:6} lead {lead:>6} back {back_s:>6} {said}"
