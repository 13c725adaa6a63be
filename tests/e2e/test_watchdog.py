"""The watch over the event loops, in real processes."""

import os
import signal
import time

import towline


def test_a_server_that_was_stopped_has_not_stalled(system, api):
    agent = system.start_agent(api.kubeconfig())
    programs = {"kas": (system.kas.process, system.kas.metrics_port), "agentk": (agent.process, agent.metrics_port)}
    for process, _ in programs.values():
        os.kill(process.pid, signal.SIGSTOP)
    time.sleep(8)  # longer than a stall: there is nothing to wait for in a process that does nothing
    for process, _ in programs.values():
        os.kill(process.pid, signal.SIGCONT)
    towline.wait_for(lambda: system.request("/echo")[0] == 200, "requests")
    time.sleep(2.5)  # the watch looks once a second
    for program, (process, port) in programs.items():
        assert towline.http_status(f"http://127.0.0.1:{port}/liveness") == 200
        assert towline.metrics_of(port)[f"{program}_loop_stalls_total"] == 0, process.log()[-2000:]
        assert towline.metrics_of(port)[f"{program}_loop_longest_turn_seconds"] < 4
        assert not process.log_lines("an event loop does not go on: its connections wait")
