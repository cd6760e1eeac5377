"""Postfix's policy protocol, by its documentation (SMTPD_POLICY_README of 3.7)."""

import os
import re
import shutil
import smtplib
import subprocess
import unittest

import harness

EXAMPLES = os.path.join(harness.ROOT, "conf", "examples")

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

[route:vrfy]
policy.protocol_state = VRFY
keys = ip:$client
policy_denied = discard

[route:etrn]
policy.protocol_state = ETRN
keys = ip:$policy.etrn_domain
required = yes

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

    def test_the_route_says_what_denied_mail_gets(self):
        client = self.start()
        state = {"protocol_state": "VRFY"}
        self.assertEqual([self.ask(client, **state) for _ in range(3)], ["action=DUNNO"] * 3)
        self.assertRegex(self.ask(client, **state), r"^action=DISCARD Over limit ip, try again in \d+ s$")
        # Without a key, no limit has a name.
        self.assertEqual(self.ask(client, protocol_state="ETRN"), "action=REJECT 5.7.1 Not allowed")

    def test_each_action(self):
        for word, action in (("defer", "DEFER 4.7.1"), ("reject", "REJECT 5.7.1"), ("hold", "HOLD"),
                             ("defer_if_permit", "DEFER_IF_PERMIT 4.7.1")):
            port = harness.free_port()
            self.daemon(f"[route:r]\nkeys = k\npolicy_denied = {word}\namount = $policy.size\n"
                        "amount_max = 99\n[k]\nmatch = k\ncapacity = 1\nrecharge = 1d\n",
                        {"policy": {"listen": f"127.0.0.1:{port}"}})
            client = harness.Client(("127.0.0.1", port))
            self.addCleanup(client.close)
            self.assertEqual(self.ask(client, size=1), "action=DUNNO")
            self.assertTrue(self.ask(client, size=1).startswith(f"action={action} Over limit k, "))
            final = action if action[0] in "RH" else "REJECT 5.7.1"
            self.assertEqual(self.ask(client, size=2), f"action={final} More than limit k ever allows")

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


@unittest.skipUnless(shutil.which("postfix", path="/usr/sbin") and os.geteuid() == 0, "needs postfix, and root")
class PostfixTest(harness.Case):
    """A real Postfix, with conf/examples/postfix.cf and mail.ini."""

    MASTER = """
PORT      inet  n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
anvil     unix  - - n - 1 anvil
discard   unix  - - n - - discard
error     unix  - - n - - error
retry     unix  - - n - - error
postlog   unix-dgram n - n - 1 postlogd
"""
    MAIN = """
compatibility_level = 3.6
queue_directory = FOLDER/queue
data_directory = FOLDER/data
maillog_file = FOLDER/mail.log
maillog_file_prefixes = FOLDER
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example
mydestination =
mynetworks = 127.0.0.0/8
default_transport = discard:
relay_domains = example.org
relay_transport = discard:
smtpd_recipient_restrictions = reject_unauth_destination
"""

    def example(self, name):
        with open(os.path.join(EXAMPLES, name), encoding="ascii") as file:
            return file.read().replace("14292", str(self.policy_port))

    def setUp(self):
        super().setUp()
        self.policy_port, self.port = harness.free_port(), harness.free_port()
        self.gate = self.daemon(self.example("mail.ini"),
                                {"policy": {"listen": f"127.0.0.1:{self.policy_port}"}})
        os.chmod(self.folder, 0o755)
        config = os.path.join(self.folder, "postfix")
        for name in "postfix", "queue", "data":
            os.mkdir(os.path.join(self.folder, name))
        shutil.chown(os.path.join(self.folder, "data"), "postfix", "postfix")
        for name, text in (("main.cf", self.MAIN + self.example("postfix.cf")), ("master.cf", self.MASTER)):
            with open(os.path.join(config, name), "w", encoding="ascii") as file:
                file.write(text.replace("FOLDER", self.folder).replace("PORT", str(self.port)))
        self.postfix = ["/usr/sbin/postfix", "-c", config]
        subprocess.run([*self.postfix, "start"], check=True, capture_output=True)
        self.addCleanup(subprocess.run, [*self.postfix, "stop"], check=False, capture_output=True)

    def send(self, recipients=1, sender="me@example.com"):
        """What Postfix says to a mail: (code, text)."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=harness.PATIENCE) as smtp:
            smtp.ehlo("test.example")
            for code, text in (smtp.mail(sender),
                               *(smtp.rcpt(f"you{i}@example.org") for i in range(recipients))):
                if code != 250:
                    return code, text.decode()
            code, text = smtp.data(b"Subject: x\r\n\r\nx\r\n")
            return code, text.decode()

    def test_mail(self):
        self.assertEqual(self.send(20)[0], 250)
        self.assertEqual(self.send(10)[0], 250)
        code, text = self.send(10)
        self.assertEqual(code, 450, text)
        self.assertRegex(text, r"4\.7\.1 .*Over limit recipients, try again in \d+ s")
        self.assertEqual(self.send(1, "she@example.com")[0], 250)
        code, text = self.send(31, "he@example.com")
        self.assertEqual(code, 554, text)
        self.assertIn("5.7.1", text)
        self.assertIn("More than limit recipients ever allows", text)
        self.assertIn(" level=5 ", self.gate.ask("peek client:127.0.0.1"))
        self.gate.ask("consume client:127.0.0.1 95")
        code, text = self.send(1, "she@example.com")
        self.assertEqual(code, 450, text)
        self.assertIn("Over limit client", text)
        # Without an answer, what is set decides, here and there.
        self.gate.ask("reset client:127.0.0.1")
        self.gate.stop()
        self.assertEqual(self.send(1)[0], 250)


if __name__ == "__main__":
    harness.main()
