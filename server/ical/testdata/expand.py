"""Expands the recurrence rules of standard input with python-dateutil: JSON lines
{"rule", "start", "count", "year", "max"} become JSON lists of times. DTSTART is always an
instance and the first that COUNT counts (RFC 5545 3.8.5.3), which dateutil leaves to its
caller; "year" is the last one to look at, since dateutil goes on to the year 9999. A rule
of seconds that finds little takes it minutes: after a while the list ends with "...".
"""
import datetime
import itertools
import json
import signal
import sys
import types

from dateutil import rrule

PATIENCE = 0.3  # seconds of the processor, for a rule


def cut(*_):
    raise TimeoutError


signal.signal(signal.SIGVTALRM, cut)

for line in sys.stdin:
    task = json.loads(line)
    rrule.datetime = types.SimpleNamespace(**vars(datetime))
    rrule.datetime.MAXYEAR = task["year"]
    start = datetime.datetime.strptime(task["start"], "%Y%m%dT%H%M%S")
    times, most = [], min(task["max"], task["count"] or task["max"])
    end = []
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        found = iter(rrule.rrulestr(task["rule"], dtstart=start, cache=False))
        for t in itertools.islice(found, most):
            times.append(t)
    except ValueError:  # "generates an empty set"
        pass
    except TimeoutError:
        end = ["..."]
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if start not in times:
        times.insert(0, start)
    print(json.dumps([t.strftime("%Y%m%dT%H%M%S") for t in times[:most]] + end))
