"""One round: a lake is labelled by the same command again and again while its run is disturbed, and is compared then."""

import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from laketag.pipeline.errors import ExitCode
from tests.chaos.bed import Bed
from tests.chaos.comparison import Comparison, compare, current_rows, transient_rows
from tests.chaos.disturbances import Disturbance, Round
from tests.chaos.drivers import Driver
from tests.end_to_end.command_line import wait_until
from tests.label_actors import LABEL_ACTOR
from tests.process_tree import Started, below
from tests.stores.fault_proxy import Fault, FaultProxy

MOST_STARTS = 12
LIMIT_S = 240.0
"""The longest that one command may take on a busy machine."""
SIGNAL_LIMIT_S = 10.0
STALL_S = 2.0
LOOK_S = 0.02
WORKER = re.compile(r"ray::(IDLE|MapBatches|MapWorker)")
SIGNALS = {"kill driver": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
CODES_OF_SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
RESUMABLE = (0, 4, 5, 6, 8)
TOKEN_ERRORS = (
    (400, "ExpiredToken"),
    (403, "InvalidAccessKeyId"),
    (403, "RequestTimeTooSkewed"),
    (403, "SignatureDoesNotMatch"),
)


@dataclass
class Record:
    """What happened in a round."""

    codes: list[int | None] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    never_due: list[str] = field(default_factory=list)
    verify: str = "not reached"
    wrong: list[str] = field(default_factory=list)
    """Promises that were broken, beside those of the table."""
    signal_s: list[float] = field(default_factory=list)
    """From each SIGTERM or SIGINT to the end of the driver."""


@dataclass
class Running:
    """A round while it is carried out."""

    bed: Bed
    plan: Round
    record: Record = field(default_factory=Record)
    waiting: Counter[Disturbance] = field(default_factory=Counter)
    """The disturbances that are not due yet, each with the number of paths that count towards its moment."""
    seen: int = 0
    """How many methods and paths of the store are counted."""
    threads: list[threading.Thread] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    signalled: dict[signal.Signals, float] = field(default_factory=dict)
    """When the driver that runs was sent which signal."""
    rival: Driver | None = None

    @property
    def lake(self) -> str:
        return f"round-{self.plan.seed}"

    @property
    def proxy(self) -> FaultProxy:
        return self.bed.proxies[self.plan.store]

    def start(self) -> Driver:
        """The command that labels the lake runs."""
        return self.bed.start(self.plan.store, self.lake, self.plan.actors)

    def take_due(self) -> list[Disturbance]:
        """The disturbances whose moment has come; they wait no longer."""
        new = list(self.proxy.requests)[self.seen :]
        self.seen += len(new)
        for disturbance in self.waiting:
            moment = disturbance.at
            self.waiting[disturbance] += sum(
                method == moment.method and bool(re.search(moment.path, path)) for method, path in new
            )
        due = [found for found, count in self.waiting.items() if count >= found.at.count]
        for found in due:
            del self.waiting[found]
        return due

    def disturb(self, disturbance: Disturbance, driver: Driver) -> None:
        """The disturbance has begun."""
        (self.record.kills if disturbance.is_kill else self.record.faults)[disturbance.kind] += 1
        if number := SIGNALS.get(disturbance.kind):
            self.signalled.setdefault(number, time.monotonic())
            driver.send(number)
        elif disturbance.kind == "kill actor":
            self._kill_one(LABEL_ACTOR, disturbance.choice)
        elif disturbance.kind == "kill workers":
            for worker in self._workers(WORKER):
                worker.kill()
        elif disturbance.kind == "kill node":
            self._kill_node(disturbance.choice)
        elif disturbance.kind == "second driver":
            self.rival = self.start()
        else:
            self._add_fault(disturbance)

    def _workers(self, title: re.Pattern[str]) -> list[Started]:
        """The workers on all nodes whose title matches."""
        nodes = [node.process.pid for node in self.bed.cluster.nodes[1:] if node.process.poll() is None]
        return [process for pid in nodes for process in below(pid) if title.search(process.title)]

    def _kill_one(self, title: re.Pattern[str], choice: float) -> None:
        if found := self._workers(title):
            found[int(choice * len(found))].kill()

    def _kill_node(self, choice: float) -> None:
        """A node is gone at once, and another joins as soon as it can."""
        nodes = [node for node in self.bed.cluster.nodes[1:] if node.process.poll() is None]
        node = nodes[int(choice * len(nodes))]

        def replace() -> None:
            node.kill()
            wait_s = time.monotonic() + 20
            while self.bed.cluster.count_alive() > len(nodes) and time.monotonic() < wait_s:
                time.sleep(0.2)
            self.bed.cluster.add_worker()

        self.threads.append(threading.Thread(target=replace, daemon=True))
        self.threads[-1].start()

    def _add_fault(self, disturbance: Disturbance) -> None:
        place = {"path": disturbance.path, "method": disturbance.method, "times": disturbance.times}
        if disturbance.kind == "503":
            fault = Fault("status", status=503, **place)
        elif disturbance.kind == "expired token":
            status, code = TOKEN_ERRORS[int(disturbance.choice * len(TOKEN_ERRORS))]
            fault = Fault("status", status=status, code=code, **place)
        elif disturbance.kind == "lost acknowledgement":
            fault = Fault("drop_ack", **place)
        elif disturbance.kind == "slow":
            fault = Fault("slow", delay_s=0.2 + disturbance.choice, **place)
        elif disturbance.kind == "stall":
            fault = Fault("stall", **place)
            timer = threading.Timer(STALL_S, lambda: setattr(fault, "over", True))
            self.threads.append(timer)
            timer.start()
        else:
            fault = Fault(disturbance.kind, **place)
        self.faults.append((disturbance.kind, self.proxy.add(fault)))

    def renew_token(self) -> None:
        """The store accepts the credentials again."""
        for kind, fault in self.faults:
            if kind == "expired token":
                fault.times = 0

    def end_faults(self) -> None:
        """The store answers as it should."""
        for _, fault in self.faults:
            fault.over = True
        self.proxy.faults.clear()


def carry_out(bed: Bed, plan: Round) -> dict[str, Any]:
    """What became of the round, as one row of the results."""
    undisturbed = bed.find_undisturbed(plan.lake)
    running = Running(bed, plan)
    bed.make_lake(plan.store, plan.lake, running.lake)
    running.proxy.requests.clear()
    began_s = time.monotonic()
    comparison = None
    try:
        if _label(running):
            rows, runs = (bed.read(plan.store, running.lake, table) for table in ("labels", "runs"))
            comparison = compare(rows, runs, undisturbed)
            _verify(running)
    finally:
        running.end_faults()
        for thread in running.threads:
            thread.join(120)
    return _result(running, comparison, time.monotonic() - began_s)


def _label(running: Running) -> bool:
    """Whether the command ended with 0 and left no image that the next call would try again."""
    running.waiting = Counter(dict.fromkeys(running.plan.disturbances, 0))
    for _ in range(MOST_STARTS):
        began_s = time.monotonic()
        driver = running.start()
        running.signalled.clear()
        while driver.code is None:
            for disturbance in running.take_due():
                running.disturb(disturbance, driver)
            if time.monotonic() > began_s + LIMIT_S:
                running.record.wrong.append(f"no end after {LIMIT_S:.0f} s")
                driver.send(signal.SIGKILL)
                return False
            time.sleep(LOOK_S)
        _check_end(running, driver)
        if running.record.wrong:
            return False
        if driver.code == ExitCode.STORE:
            running.renew_token()  # as a person does whom the command asks for it
        if driver.code == 0:
            running.end_faults()
            rows, runs = (
                running.bed.read(running.plan.store, running.lake, table) for table in ("labels", "runs")
            )
            if not runs.is_empty() and not transient_rows(current_rows(rows, runs)):
                running.record.never_due = [found.kind for found in running.waiting]
                return True
    running.record.wrong.append(f"not done after {MOST_STARTS} calls")
    return False


def _verify(running: Running) -> None:
    """``laketag verify`` finds that everything adds up."""
    driver = running.bed.verify(running.plan.store, running.lake)
    wait_until(lambda: driver.code is not None, "verify ends", output=lambda: driver.text)
    running.record.verify = "balanced" if driver.code == 0 else "unbalanced"
    if driver.code:
        running.record.wrong.append(f"verify ended with {driver.code}: {driver.text[-600:]}")


def _check_end(running: Running, driver: Driver) -> None:
    """The driver ended as documented, in time and without a traceback; so did a second one that was in its way."""
    record, code = running.record, driver.code
    record.codes.append(code)
    allowed = RESUMABLE
    if running.signalled:
        allowed = (0, *(CODES_OF_SIGNALS[number] for number in running.signalled))
        took_s = time.monotonic() - min(running.signalled.values())
        if signal.SIGKILL not in running.signalled:
            record.signal_s.append(round(took_s, 1))
            if took_s > SIGNAL_LIMIT_S:
                record.wrong.append(f"the end after a signal took {took_s:.1f} s")
    if code not in allowed:
        record.wrong.append(f"exit code {code}: {driver.text[-600:]}")
    if "Traceback" in driver.text:
        record.wrong.append(f"a traceback: {driver.text[-600:]}")
    rival, running.rival = running.rival, None
    if rival is not None:
        end_s = time.monotonic() + LIMIT_S
        while rival.code is None and time.monotonic() < end_s:
            time.sleep(LOOK_S)
        record.codes.append(rival.code)
        if rival.code not in RESUMABLE:
            record.wrong.append(f"exit code {rival.code} of the second driver: {rival.text[-600:]}")


def _result(running: Running, comparison: Comparison | None, seconds: float) -> dict[str, Any]:
    record, plan = running.record, running.plan
    met: Counter[str] = Counter()
    for kind, fault in running.faults:
        met[kind] += fault.hits
    compared = comparison or Comparison()
    return {
        "seed": plan.seed,
        "store": plan.store,
        "images": running.bed.pictures,
        "ok": comparison is not None and comparison.is_equal and not record.wrong,
        "kills": dict(record.kills),
        "faults": dict(record.faults),
        "faulty_answers": dict(met),
        "never_due": record.never_due,
        "codes": record.codes,
        "restarts": len(record.codes) - 1,
        "signal_s": record.signal_s,
        "seconds": round(seconds, 1),
        "rows_lost": len(compared.lost),
        "rows_doubled": len(compared.doubled),
        "rows_different": len(compared.different),
        "verify": record.verify,
        "examples": [
            *compared.lost[:3],
            *compared.doubled[:3],
            *compared.different[:3],
            *compared.unbalanced[:3],
        ],
        "wrong": record.wrong,
    }
