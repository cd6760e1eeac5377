"""Postfix's policy protocol, by its documentation (SMTPD_POLICY_README of 3.7)."""

import re

import harness

LIMITS = """
[sender]
match = sender:*
capacity = 2
recharge = 1d

[mails]
match = mails:*
capacity = 5
recharge = 1d

[ip]
match = ip:*
capacity = 3
recharge = 1d

[route:data]
policy.protocol_state = END-OF-MESSAGE
keys = mails:$policy.sasl_username
amount = $policy.recipient_count
amount_max = 100

[route:rcpt]
policy.protocol_state = RCPT
policy.sasl_username = ?*
keys = sender:$policy.sasl_username ip:$client

[route:connect]
policy.protocol_state = CONNECT
keys = ip:$client64

[route:web]
path = /*
keys = ip:web
"""

# Every attribute of Postfix 3.7.
ATTRIBUTES = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "SMTP",
    "helo_name": "some.domain.tld", "queue_id": "8045F2AB23", "sender": "foo@bar.tld",
    "recipient": "bar@foo.tld", "recipient_count": "0", "client_address": "192.0.2.4",
    "client_name": "another.domain.tld", "reverse_client_name": "another.domain.tld",
    "instance": "123.456.7", "sasl_method": "plain", "sasl_username": "you",
    "sasl_sender": "", "size": "12345", "ccert_subject": "solaris9.porcupine.org",
    "ccert_issuer": "Wietse+20Venema",
    "ccert_fingerprint": "C2:9D:F4:87:71:73:73:D9:18:E7:C2:F3:C1:DA:6E:04",
    "encryption_protocol": "TLSv1/SSLv3", "encryption_cipher": "DHE-RSA-AES256-SHA",
    "encryption_keysize": "256", "etrn_domain": "", "stress": "",
    "ccert_pubkey_fingerprint": "68:B3:29:DA:98:93:E3:40:99:C7:D8:AD:5C:B9:C9:40",
    "client_port": "1234", "policy_context": "submission", "server_address": "10.3.2.1",
    "server_port": "54321", "compatibility_level": "3.7", "mail_version": "3.7.0",
}


def request(**changes):
    attributes = {**ATTRIBUTES, **changes}
    return "".join(f"{name}={value}\n" for name, value in attributes.items()) + "\n"


class PolicyTest(harness.Case):
    def start(self, **settings):
        self.port = harness.free_port()
        settings = {"policy": {"listen": f"127.0.0.1:{self.port}"}, **settings}
        self.gate = self.daemon(LIMITS, settings)
        return self.client()

    def client(self):
        client = harness.Client(("127.0.0.1", self.port))
        self.addCleanup(client.close)
        return client

    def actions(self, client, count):
        actions = []
        for _ in range(count):
            actions.append(client.line())
            self.assertEqual(client.line(), "")
        return actions

    def ask(self, client, **changes):
        client.send(request(**changes))
        return self.actions(client, 1)[0]

    def level(self, key):
        return int(re.search(r" level=(\d+)", self.gate.ask(f"peek {key}"))[1])

    def test_keys_are_those_of_the_route(self):
        client = self.start()
        self.assertEqual(self.ask(client), "action=DUNNO")
        self.assertEqual(self.ask(client), "action=DUNNO")
        self.assertRegex(self.ask(client), "^action=DEFER_IF_PERMIT 4.7.1 Over limit sender, "
                                           r"try again in 86[34]\d\d s$")
        self.assertEqual(self.ask(client, sasl_username="she"), "action=DUNNO")
        self.assertIn("Over limit ip,", self.ask(client, sasl_username="he"))
        self.assertEqual([self.level(key) for key in
                          ("sender:you", "sender:she", "sender:he", "ip:192.0.2.4")],
                         [2, 1, 0, 3])

    def test_the_number_of_recipients_is_the_amount(self):
        client = self.start()
        state = {"protocol_state": "END-OF-MESSAGE"}
        self.assertEqual(self.ask(client, recipient_count=3, **state), "action=DUNNO")
        self.assertIn("DEFER_IF_PERMIT", self.ask(client, recipient_count=3, **state))
        self.assertEqual(self.ask(client, recipient_count=6, **state),
                         "action=REJECT 5.7.1 More than limit mails ever allows")
        self.assertEqual(self.level("mails:you"), 3)

    def test_addresses(self):
        client = self.start()
        for address in "2001:db8::1", "unknown", "":
            self.assertEqual(self.ask(client, protocol_state="CONNECT",
                                      client_address=address), "action=DUNNO")
        self.assertEqual(self.level("ip:2001:db8::/64"), 1)

    def test_what_no_route_takes_passes(self):
        client = self.start()
        for changes in ({"sasl_username": ""}, {"protocol_state": "HELO"}):
            self.assertEqual(self.ask(client, **changes), "action=DUNNO")
        self.assertEqual(self.level("ip:web"), 0)

    def test_requests_in_any_pieces_are_answered_in_order(self):
        client = self.start()
        client.send(request() * 4)
        self.assertEqual(["DUNNO" in action for action in self.actions(client, 4)],
                         [True, True, False, False])
        for byte in request(sasl_username="slow").encode():
            client.send(bytes([byte]))
        self.assertEqual(self.actions(client, 1), ["action=DUNNO"])

    def test_wrong_requests_close_without_a_word(self):
        self.start()
        for wrong in ("\n", "sender=a\n\n", "request=other\n\n",
                      request().replace("size=", "size"), "=a\n" + request(),
                      request(helo_name="a\0b"), "consume login:42\n\n",
                      request(recipient="a" * 17000), "a" * 17000,
                      request(sasl_username="a" * 300)):
            client = self.client()
            client.send(wrong)
            try:
                self.assertEqual(client.rest(), b"", wrong[:40])
            except ConnectionResetError:
                pass  # more bytes than were read
        client = self.client()
        client.send(request()[:-1])
        client.finish()
        self.assertEqual(client.rest(), b"")
        self.assertEqual(self.ask(self.client()), "action=DUNNO")

    def test_a_drain_ends_the_connection_between_requests(self):
        client = self.start()
        self.assertEqual(self.ask(client), "action=DUNNO")
        self.assertEqual(self.gate.stop(), 0)
        self.assertEqual(client.rest(), b"")

    def test_lines_have_their_port(self):
        self.start()
        self.assertIn("ERR", self.gate.ask("request=smtpd_access_policy"))


if __name__ == "__main__":
    harness.main()
