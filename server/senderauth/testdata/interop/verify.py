# Verifies messages with dkimpy: reads {"dns": {name: record}, "messages": [...]} and
# prints [[DKIM result of each signature], ARC result] for each message, as JSON.
import json
import sys

import dkim

work = json.load(sys.stdin)


def answer(name, timeout=5):
    if isinstance(name, bytes):
        name = name.decode("ascii")
    return work["dns"].get(name.rstrip(".").lower(), "").encode("ascii")


def signatures(message):
    d = dkim.DKIM(message)
    count = sum(1 for name, _ in d.headers if name.lower() == b"dkim-signature")
    results = []
    for i in range(count):
        try:
            results.append("pass" if dkim.DKIM(message).verify(idx=i, dnsfunc=answer) else "fail")
        except Exception as e:  # what it can't read it raises
            results.append("error: %s" % e)
    return results


def chain(message):
    try:
        cv, _, reason = dkim.arc_verify(message, dnsfunc=answer)
        return cv.decode("ascii") if cv else "none"
    except Exception as e:
        return "error: %s" % e


out = []
for text in work["messages"]:
    message = text.encode("latin-1")
    out.append([signatures(message), chain(message)])
json.dump(out, sys.stdout)
