# Signs and seals messages with dkimpy: reads {"key", "selector", "domain", "host",
# "message"} and prints a list of signed messages, as JSON.
import json
import sys

import dkim

work = json.load(sys.stdin)
message, key = work["message"].encode("latin-1"), work["key"].encode("ascii")
selector, domain = work["selector"].encode("ascii"), work["domain"].encode("ascii")
out = []
for c in ((b"simple", b"simple"), (b"simple", b"relaxed"), (b"relaxed", b"simple"), (b"relaxed", b"relaxed")):
    out.append(dkim.sign(message, selector, domain, key, canonicalize=c) + message)
sealed = dkim.arc_sign(message, selector, domain, key, work["host"].encode("ascii"))
out.append(b"".join(sealed) + message)
json.dump([m.decode("latin-1") for m in out], sys.stdout)
