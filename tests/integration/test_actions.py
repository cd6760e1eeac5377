"""Limits with an action: lists of keys that are allowed, or denied, without a
bucket."""

import harness
from harness import PATIENT, fields

LIMITS = """
[staff]
match = login:admin-*
action = allow

[bad]
match = login:evil*
action = deny

[trial]
match = look:*
action = deny
shadow = yes

[user]
match = user:*
action = allow
also = login:all

[login]
match = login:*
capacity = 2
rate = 1/h
"""


class Actions(harness.Case):
    def check(self, gate, store):
        with gate.connect() as client:
            self.assertEqual(
                client.ask("CONSUME login:admin-7 1000000000"),
                "ALLOW limit=staff level=0 capacity=1000000000 next=0 retry=0 blocked=0 "
                "from=action")
            denial = ("DENY limit=bad level=0 capacity=0 next=0 retry=never blocked=0 "
                      "from=action")
            for request in "CONSUME login:evil", "CHARGE login:evil 5", "PEEK login:evil 1":
                self.assertEqual(client.ask(request), denial)
            self.assertEqual(client.ask("RESET login:evil"), "OK")
            self.assertIn(" taken=0", client.ask("TAKE login:evil 3"))
            self.assertIn(" taken=3", client.ask("TAKE login:admin-1 3"))
            self.assertTrue(client.ask("CONSUME look:1").startswith("ALLOW limit=trial"))
            explained = client.ask_many("EXPLAIN login:evil")
            self.assertIn("store none: no bucket is asked", explained)
            rows = {row.split(" ")[0]: row for row in client.ask_many("LIMITS")}
            self.assertIn(" algorithm=action capacity=0 action=deny ", rows["bad"])
            self.assertIn(" allowed=0 denied=3 ", rows["bad"])
            self.check_together(client, store)
        self.assertNotIn("bad", self.hashes())

    def check_together(self, client, store):
        """An action is a part of a check like any other."""
        reply = fields(client.ask("MCONSUME login:1 1 login:evil 1"))
        self.assertEqual((reply["verdict"], reply["limit"], reply["from"]),
                         ("DENY", "bad", "action"))
        reply = fields(client.ask("MCONSUME login:admin-1 1 login:1 1"))
        self.assertEqual((reply["verdict"], reply["limit"], reply["level"], reply["from"]),
                         ("ALLOW", "login", "1", store))
        for level in "1", "2":
            reply = fields(client.ask("CONSUME user:1"))
            self.assertEqual((reply["verdict"], reply["limit"], reply["level"]),
                             ("ALLOW", "login", level))
        reply = fields(client.ask("CONSUME user:2"))
        self.assertEqual((reply["verdict"], reply["limit"]), ("DENY", "login"))
        reply = fields(client.ask("MCONSUME login:admin-1 1 user:admin 1"))
        self.assertEqual((reply["verdict"], reply["limit"]), ("DENY", "login"))

    def hashes(self):
        if not self.server:
            return ""
        return " ".join(key.decode() for key in self.server.ask("KEYS", "*"))

    def test_in_memory(self):
        self.server = None
        self.check(self.daemon(LIMITS), "memory")

    def test_with_redis(self):
        self.server = self.redis()
        self.check(self.redis_daemon(self.server, LIMITS, PATIENT), "redis")

    def test_without_redis_it_is_the_same(self):
        server = self.redis()
        gate = self.redis_daemon(server, LIMITS, PATIENT)
        server.kill()
        self.assertIn("from=action", gate.ask("CONSUME login:evil"))
        self.assertTrue(gate.ask("CONSUME login:admin-2").startswith("ALLOW limit=staff"))


if __name__ == "__main__":
    harness.main()
