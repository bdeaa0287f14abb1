"""Expands the recurrence rules of standard input with python-dateutil: JSON lines
{"rule", "start", "count", "year", "max"} become JSON lists of times. DTSTART is always an
instance and the first that COUNT counts (RFC 5545 3.8.5.3), which dateutil leaves to its
caller. With "zone" there are "rules", "counts", "dates" and "except" of an event. "year"
is the last one to look at, since dateutil goes on to the year 9999. A rule of seconds that
finds little takes it minutes: after a while the list ends with "...".
"""
import datetime
import itertools
import json
import signal
import sys
import types
import zoneinfo

from dateutil import rrule

PATIENCE = 0.3  # seconds of the processor, for a rule


def cut(*_):
    raise TimeoutError


signal.signal(signal.SIGVTALRM, cut)


def expand(task, rule, count):
    """The first instances of a rule, and whether there may be more."""
    rrule.datetime = types.SimpleNamespace(**vars(datetime))
    rrule.datetime.MAXYEAR = task["year"]
    start = parse(task["start"])
    times, most, complete = [], min(task["max"], count or task["max"]), True
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        for t in itertools.islice(rrule.rrulestr(rule, dtstart=start, cache=False), most):
            times.append(t)
    except ValueError:  # "generates an empty set"
        pass
    except TimeoutError:
        complete = False
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if start not in times:
        times.insert(0, start)
    return times[:most], complete


def expand_set(task):
    """The instances of a set in a zone, as points in time (RFC 5545 3.8.5, 3.3.5)."""
    zone = zoneinfo.ZoneInfo(task["zone"])

    def point(t):  # fold 0: the first of two times, and by the offset before a gap
        return t.replace(tzinfo=zone, fold=0).astimezone(datetime.timezone.utc)

    times, complete = {point(parse(t)) for t in task["dates"]}, True
    for rule, count in zip(task["rules"], task["counts"]):
        found, all_of_it = expand(task, rule, count)
        times |= {point(t) for t in found}
        complete = complete and all_of_it
    times -= {point(parse(t)) for t in task["except"] or []}
    return sorted(times), complete


def parse(text):
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%S")


for line in sys.stdin:
    task = json.loads(line)
    if "zone" in task:
        found, complete = expand_set(task)
    else:
        found, complete = expand(task, task["rule"], task["count"])
    times = [t.strftime("%Y%m%dT%H%M%S") for t in found]
    print(json.dumps(times if complete else times + ["..."]))
