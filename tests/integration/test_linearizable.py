"""Four daemons, 32 clients, one Redis: what all clients saw is what one server would
have said that decides one request after the other.

Of each request it is known when it was sent and when its response came; it was
decided at one moment in between.  find_order() looks for an order of all requests
in which each has its response by the model, decide(), and in which none comes
before one that had its response before this one was sent, nor before one that the
same client sent earlier (Wing and Gong's search, which remembers where it was).

No drop leaks, as that takes days, so a bucket is a number; the deny cache is off,
which may deny what another daemon's client has just given back; and no response
may come from a fallback.

The search need not try much: amounts are such that few orders lead to one level, so
that a level tells what came before; and the clients meet after each round, so that
an order of each round, from the levels seen behind the last, is one of all.
"""

import collections
import itertools
import random
import threading
import time
import unittest

import harness
from harness import PATIENT, fields

DAEMONS = 4
CLIENTS = 32
ROUNDS = 8
REQUESTS = 4  # of each client in a round
PLACES = 30_000  # that are tried for a round: by bad luck, it could be millions

Limit = collections.namedtuple("Limit", "capacity debt also")
LIMITS = {
    "few:1": Limit(1500, 400, ()),
    "some:1": Limit(2000, 0, ()),
    "many:1": Limit(3000, 200, ()),
    "both:1": Limit(1000, 0, ("few:1",)),
}
KEYS = list(LIMITS)
EMPTY = (0,) * len(KEYS)


def words_of(key):
    name, limit = key.split(":")[0], LIMITS[key]
    also = f"also = {' '.join(limit.also)}\n" if limit.also else ""
    return (f"[{name}]\nmatch = {key}\ncapacity = {limit.capacity}\nrecharge = 5d\n"
            f"debt = {limit.debt}\ndeny_cache = no\non_error = deny\n{also}")


class Operation(collections.namedtuple("Operation", "client sent received verb parts said")):
    """A request, its response, and the moments at which it was sent and that came."""

    def request(self):
        return request_of(self.verb, self.parts)

    def tells_little(self):
        """It can come almost anywhere: try others first, whose levels must be right."""
        return self.verb == "RESET" or self.said.level == 0

    def only_looks(self):
        """It changes nothing, whatever the levels are."""
        return self.verb in ("PEEK", "MPEEK") or self.said.verdict == "DENY"


# What is looked at in a response: its key, if it is about one of several, is the
# one that decides.  taken: None but for TAKE.
Said = collections.namedtuple("Said", "verdict key level taken")
OK = Said("OK", None, None, None)


def request_of(verb, parts):
    if verb == "RESET":
        return f"RESET {parts[0][0]}"
    return " ".join([verb, *(f"{key} {amount}" for key, amount in parts)])


def said_of(reply, parts):
    if reply == "OK":
        return OK
    said = fields(reply)
    if said["from"] != "redis":
        raise AssertionError(reply)
    return Said(said["verdict"], said.get("key", parts[0][0]), int(said["level"]),
                int(said["taken"]) if "taken" in said else None)


#
# The model.
#


def sums(parts):
    """{key: drops} of the buckets of a request, with those that their limits charge too."""
    total = {}
    for key, amount in parts:
        total[key] = total.get(key, 0) + amount
    for key, amount in parts:
        for also in LIMITS[key].also:
            total[also] = total.get(also, 0) + amount
    return total


def decide_take(levels, key, amount):
    i = KEYS.index(key)
    taken = max(0, min(amount, LIMITS[key].capacity - levels[i]))
    after = levels[i] + taken
    return (levels[:i] + (after,) + levels[i + 1:],
            {Said("ALLOW" if taken else "DENY", key, after, taken)})


def most(keys, weight):
    """Those that weigh most: of these, any may be told."""
    best = max(map(weight, keys))
    return [key for key in keys if weight(key) == best]


def decide(levels, verb, parts):
    """The levels behind a request, and the responses that it may have."""
    if verb == "RESET":
        i = KEYS.index(parts[0][0])
        return levels[:i] + (0,) + levels[i + 1:], {OK}
    if verb == "TAKE":
        return decide_take(levels, *parts[0])
    drops = sums(parts)
    level = dict(zip(KEYS, levels))

    def room(key):
        return LIMITS[key].capacity + (LIMITS[key].debt if verb == "CHARGE" else 0)

    def excess(key):
        # What is more than there is ever room for is denied for good.
        return float("inf") if drops[key] > room(key) else level[key] + drops[key] - room(key)

    denied = [key for key in drops if drops[key] > 0 and excess(key) > 0]
    if denied:
        return levels, {Said("DENY", key, level[key], None) for key in most(denied, excess)}
    if verb not in ("PEEK", "MPEEK"):
        level.update((key, max(0, level[key] + drops[key])) for key in drops)
    fullest = most(list(drops), lambda key: level[key] - LIMITS[key].capacity)
    return tuple(level.values()), {Said("ALLOW", key, level[key], None) for key in fullest}


def step(levels, operation):
    """The levels behind it; None: its response cannot be, from these."""
    after, said = decide(levels, operation.verb, operation.parts)
    return after if operation.said in said else None


#
# The search.
#


class Search:
    """Orders of a history, from its start: a place in it is how many operations of
    each client are done, and the levels."""

    def __init__(self, history, start=EMPTY):
        self.start = start
        clients = {}
        for operation in sorted(history, key=lambda o: o.sent):
            clients.setdefault(operation.client, []).append(operation)
        self.clients = list(clients.values())
        self.furthest = (0,) * len(self.clients)

    def pending(self, done):
        """Each client's next operation, with its number, in the order of responses."""
        following = [(c, ops[n]) for c, (ops, n) in enumerate(zip(self.clients, done))
                     if n < len(ops)]
        return sorted(following, key=lambda each: each[1].received)

    def next_places(self, place):
        """Where one more operation may lead.  One that only looks can come first at
        once: whatever is possible without it is so behind it."""
        done, levels = place
        places, pending = [], self.pending(done)
        for c, operation in pending:
            if operation.sent > pending[0][1].received:
                continue
            after = step(levels, operation)
            if after is None:
                continue
            place = done[:c] + (done[c] + 1,) + done[c + 1:], after
            if operation.only_looks():
                return [place]
            places.append((operation.tells_little(), place))
        return [place for _, place in sorted(places, key=lambda each: each[0])]

    def finds_end(self, patience=float("inf")):
        """Whether there is an order; None: it is still unknown after so many places."""
        start = self.furthest, self.start
        seen, paths = {start}, [iter([start])]
        while paths:
            place = next(paths[-1], None)
            if place is None:
                paths.pop()
                continue
            self.furthest = max(self.furthest, place[0], key=sum)
            if sum(place[0]) == sum(map(len, self.clients)):
                return True
            if len(seen) > patience:
                return None
            new = [p for p in self.next_places(place) if p not in seen]
            seen.update(new)
            paths.append(iter(new))
        return False

    def where(self):
        """For people: what could not be, wherever the search came furthest."""
        return [f"{o.request()}: {tuple(o.said)}" for _, o in self.pending(self.furthest)]


def has_order(history):
    return Search(history).finds_end()


#
# What clients ask.
#


VERBS = (["CONSUME"] * 40 + ["MCONSUME"] * 30 + ["CHARGE", "TAKE", "PEEK"] * 8 + ["MPEEK"] * 4 +
         ["RESET"] * 2)


def choose(rng):
    """A verb and its parts: (key, amount) each."""
    verb = rng.choice(VERBS)
    amount = lambda: rng.choice([1, 31, 67, 101, 211, 397, -29, -139, -251])
    if verb in ("MCONSUME", "MPEEK"):
        keys = rng.choices(KEYS, k=rng.randrange(2, 4))
        return verb, tuple((key, amount()) for key in keys)
    key = rng.choice(KEYS[:3] if verb in ("TAKE", "RESET") else KEYS)
    return verb, ((key, abs(amount()) if verb in ("CHARGE", "TAKE") else amount()),)


# What is asked behind a round: what never fits is denied, and its level told.
LOOKS = [("PEEK", ((key, limit.capacity + 1),)) for key, limit in LIMITS.items()]


class Simulated:
    """Clients of a server that decides each request at a moment of its own."""

    def __init__(self, seed, clients, requests):
        self.rng = random.Random(seed)
        self.plan = []  # (decided, client, sent, received, verb, parts)
        for client in range(clients):
            now = self.rng.randrange(20)
            for _ in range(requests):
                sent = now + self.rng.randrange(1, 10)
                decided = sent + self.rng.randrange(1, 40)
                now = decided + self.rng.randrange(1, 40)
                self.plan.append((decided, client, sent, now, *choose(self.rng)))
        end = 1 + max(row[3] for row in self.plan)
        self.plan += [(end + i, clients, end + i, end + i, *look) for i, look in enumerate(LOOKS)]
        self.plan.sort()

    def history(self, decide=decide):
        levels, history = EMPTY, []
        for _, client, sent, received, verb, parts in self.plan:
            levels, said = decide(levels, verb, parts)
            history.append(Operation(client, sent, received, verb, parts,
                                     self.rng.choice(sorted(said, key=str))))
        return history


class TestOfTheTest(unittest.TestCase):
    """The search finds an order where there is one, and only there."""

    @staticmethod
    def operation(client, sent, received, verb, parts, *said):
        return Operation(client, sent, received, verb, parts, Said(*said, None) if said else OK)

    @staticmethod
    def by_hand(history):
        def is_order(order):
            levels = EMPTY
            for i, operation in enumerate(order):
                if any(later.received < operation.sent or later.client == operation.client
                       and later.sent < operation.sent for later in order[i + 1:]):
                    return False
                levels = step(levels, operation)
                if levels is None:
                    return False
            return True
        return any(map(is_order, itertools.permutations(history)))

    def test_it_finds_what_trying_all_orders_does(self):
        found = {True: 0, False: 0}
        rng = random.Random(7)
        for seed in range(150):
            history = Simulated(seed, 3, 2).history()[:6]
            self.assertTrue(has_order(history))
            i = rng.randrange(len(history))
            other = rng.choice(history).said
            history[i] = history[i]._replace(said=other if rng.random() < 0.5 or not other.key else
                                             other._replace(level=other.level + rng.choice([-1, 1])))
            answer = has_order(history)
            self.assertEqual(answer, self.by_hand(history), history)
            found[answer] += 1
        self.assertGreater(min(found.values()), 10)

    def test_two_at_once_may_have_come_in_either_order(self):
        first = self.operation(1, 0, 10, "CONSUME", (("few:1", 2),), "ALLOW", "few:1", 2)
        other = self.operation(2, 5, 15, "CONSUME", (("few:1", 1),), "ALLOW", "few:1", 3)
        self.assertTrue(has_order([first, other]))
        other = other._replace(said=Said("ALLOW", "few:1", 1, None))
        self.assertFalse(has_order([first, other]))
        self.assertTrue(has_order([first._replace(said=Said("ALLOW", "few:1", 3, None)), other]))

    def test_what_had_its_response_before_counts(self):
        first = self.operation(1, 0, 10, "CONSUME", (("some:1", 2),), "ALLOW", "some:1", 2)
        look = self.operation(2, 11, 12, "PEEK", (("some:1", 1),), "ALLOW", "some:1", 0)
        self.assertFalse(has_order([first, look]))
        self.assertTrue(has_order([first, look._replace(sent=10)]))
        self.assertFalse(has_order([first, look._replace(sent=10, client=1)]))

    def test_servers_that_do_wrong_are_found_out(self):
        def charges_one_though_another_denies(levels, verb, parts):
            after, said = decide(levels, verb, parts)
            if verb == "MCONSUME" and all(each.verdict == "DENY" for each in said):
                after = decide(levels, "CONSUME", parts[:1])[0]
            return after, said

        def does_not_reset(levels, verb, parts):
            return (levels, {OK}) if verb == "RESET" else decide(levels, verb, parts)

        def takes_one_too_many(levels, verb, parts):
            after, said = decide(levels, verb, parts)
            return (levels if verb == "TAKE" else after), said

        def admits_what_does_not_fit(levels, verb, parts):
            after, said = decide(levels, verb, parts)
            return after, {each._replace(verdict="ALLOW") for each in said} \
                if verb == "CONSUME" else said

        for wrong in (charges_one_though_another_denies, does_not_reset, takes_one_too_many,
                      admits_what_does_not_fit):
            with self.subTest(wrong.__name__):
                self.assertFalse(has_order(Simulated(5, CLIENTS, REQUESTS).history(wrong)))

    def test_one_wrong_response_of_many_is_found(self):
        history = Simulated(5, CLIENTS, REQUESTS).history()
        self.assertTrue(has_order(history))
        rng = random.Random(5)
        for i in [*rng.sample(range(len(history)), 2), len(history) - 1]:
            said = history[i].said
            for wrong in said._replace(level=12345), said._replace(verdict="ERR"):
                self.assertFalse(has_order([*history[:i], history[i]._replace(said=wrong),
                                            *history[i + 1:]]))
        said = history[-1].said
        wrong = said._replace(level=said.level + 1)
        self.assertFalse(has_order([*history[:-1], history[-1]._replace(said=wrong)]))


class Linearizable(harness.Case):
    def setUp(self):
        super().setUp()
        server = self.redis()
        limits = "".join(map(words_of, KEYS))
        self.gates = [self.redis_daemon(server, limits, PATIENT) for _ in range(DAEMONS)]

    def ask(self, client, number, requests):
        """Send them at once, and record what came."""
        sent = time.monotonic_ns()
        client.send("".join(request_of(*request) + "\n" for request in requests))
        for verb, parts in requests:
            said = said_of(client.line(), parts)
            self.history.append(Operation(number, sent, time.monotonic_ns(), verb, parts, said))

    def end_round(self):
        """Called by one client, while all are there."""
        with self.gates[0].connect() as client:
            for look in LOOKS:
                self.ask(client, CLIENTS, [look])
        self.rounds.append(self.history)
        self.history = []

    def run_client(self, number):
        rng = random.Random(number)
        with self.gates[number % DAEMONS].connect() as client:
            for _ in range(ROUNDS):
                left = REQUESTS
                while left > 0:
                    count = min(left, rng.choice([1, 1, 3]))
                    self.ask(client, number, [choose(rng) for _ in range(count)])
                    left -= count
                self.met.wait()

    def test_what_all_clients_saw_has_an_order(self):
        self.history, self.rounds = [], []
        self.met = threading.Barrier(CLIENTS, self.end_round)
        threads = [threading.Thread(target=self.run_client, args=[number])
                   for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.rounds), ROUNDS)
        levels, judged = EMPTY, 0
        for history in self.rounds:
            self.assertEqual(len(history), CLIENTS * REQUESTS + len(KEYS))
            search = Search(history, levels)
            answer = search.finds_end(PLACES)
            self.assertIsNot(answer, False, search.where())
            judged += answer is True
            levels = tuple(o.said.level for o in history[-len(KEYS):])
        self.assertGreater(judged, 0)
        self.assert_they_met(judged)

    def assert_they_met(self, judged):
        """Else this shows nothing: requests were decided together, and were both
        allowed and denied."""
        stats = [gate.stats() for gate in self.gates]
        asked = sum(map(len, self.rounds))
        verdicts = collections.Counter(o.said.verdict for h in self.rounds for o in h)
        harness.note(f"{judged} of {ROUNDS} rounds; {asked} requests in {sum(s['batches'] for s in stats)} calls, {dict(verdicts)}")
        self.assertGreater(min(verdicts["ALLOW"], verdicts["DENY"]), asked / 10)


if __name__ == "__main__":
    harness.main()
