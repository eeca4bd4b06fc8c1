"""CPU time of another process: user and system, all threads, children included."""

import ctypes
import sys
import time

import psutil


def _process_clock(pid: int) -> int | None:
    """Return the id of the process's CPU clock (nanoseconds), None where there is none.

    Source: POSIX clock_getcpuclockid(3); Python has it for threads only.
    """
    if not sys.platform.startswith("linux"):
        return None
    clock = ctypes.c_int()
    failed = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    return None if failed else clock.value


def _own_cpu_s(process: psutil.Process) -> float:
    if (clock := _process_clock(process.pid)) is not None:
        return time.clock_gettime(clock)
    times = process.cpu_times()  # counts in clock ticks, often 10 ms
    return times.user + times.system


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that `pid` and its children, dead ones too, have used so far.

    Raises:
        psutil.NoSuchProcess: the process is gone.
    """
    process = psutil.Process(pid)
    times = process.cpu_times()
    reaped_s = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    total_s = _own_cpu_s(process) + reaped_s
    for child in process.children(recursive=True):
        try:
            total_s += _own_cpu_s(child)
        except (psutil.NoSuchProcess, OSError):
            continue  # it ended between the two looks
    return total_s


def resident_bytes(pid: int) -> int:
    """Return the resident memory of `pid` and its children, in bytes; shared pages count twice."""
    process = psutil.Process(pid)
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
