"""How gdb shows dripgate's own containers:

    gdb -x tests/gdb/dripgate.py -p $(pidof dripgated)
    (gdb) print conn->stream.out
    $1 = buf of 3 bytes: "OK\\n"

buf, queue (of a client's requests), batch (of queries to Redis), bucket.  Lists are
followed for at most `print elements` members; /r prints the plain struct.
"""

import datetime

import gdb


def bytes_at(pointer, length):
    """As C writes them, in quotes; "..." behind what is too long to be shown."""
    most = gdb.parameter("print elements") or length
    text = bytes(gdb.selected_inferior().read_memory(pointer, min(length, most))) \
        if length else b""
    return '"' + text.decode("latin-1").encode("unicode_escape").decode("ascii").replace(
        '"', '\\"') + '"' + ("..." if length > most else "")


def chain(first, field):
    """A list that goes on by ${field} and ends with NULL."""
    left = gdb.parameter("print elements") or -1
    while first and left:
        yield first.dereference()
        first, left = first[field], left - 1


def time_of(us):
    if not us:
        return "0"
    start = datetime.datetime(1970, 1, 1)
    try:
        return (start + datetime.timedelta(microseconds=us)).isoformat(" ")
    except OverflowError:
        return str(us)


class Printer:
    def __init__(self, value):
        self.value = value


class Buf(Printer):
    def to_string(self):
        start, end = int(self.value["start"]), int(self.value["end"])
        if not start <= end <= int(self.value["cap"]):
            return f"broken buf: start {start}, end {end}, cap {self.value['cap']}"
        count = end - start
        return f"buf of {count} bytes: " + bytes_at(self.value["bytes"] + start, count)


class Bucket(Printer):
    """Its algorithm is its limit's affair, so it is shown as each has it."""

    def to_string(self):
        numbers = [int(self.value["numbers"][i]) for i in range(3)]
        if not any(numbers):
            return "empty bucket"
        when, second, third = numbers
        return (f"bucket, leaky: empty_at {time_of(when)} blocked_until {time_of(second)} "
                f"recharge {third} us; window: end {time_of(when)} count {second} "
                f"length {third} us")


class Queue(Printer):
    def to_string(self):
        ready = "" if not self.value["head"] else \
            ", the first is ready" if self.value["head"]["ready"] else ", the first waits"
        return f"queue of {self.value['count']} requests{ready}"

    def children(self):
        for i, slot in enumerate(chain(self.value["head"], "next")):
            check = slot["check"]
            state = "ready" if slot["ready"] else str(check["state"])
            yield f"[{i}]", f"{state} in {slot['protocol']['name'].string()}" \
                if slot["protocol"] else state

    def display_hint(self):
        return "array"


class Batch(Printer):
    def to_string(self):
        return (f"batch of {self.value['count']} buckets, "
                f"{self.value['queries']} queries without a result")

    def children(self):
        keys = self.value["keys"]["bytes"] + int(self.value["keys"]["start"])
        most = gdb.parameter("print elements") or int(self.value["count"])
        for i in range(min(int(self.value["count"]), most)):
            entry = self.value["entries"][i]
            key = bytes_at(keys + int(entry["key_at"]), int(entry["key_len"]))
            count = sum(1 for _ in chain(entry["first"], "next"))
            yield f"[{i}]", f"{entry['limit']['name'].string()} {key}: {count} queries"

    def display_hint(self):
        return "array"


PRINTERS = {"buf": Buf, "bucket": Bucket, "queue": Queue, "batch": Batch}


def find_printer(value):
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT and kind.tag in PRINTERS:
        return PRINTERS[kind.tag](value)
    return None


find_printer.name = "dripgate"
gdb.pretty_printers.append(find_printer)
