"""What others would try: the console of a real sallyportd, asked by programs and by
pages that are not its own."""

import hashlib
import http.client
import http.server
import json
import pathlib
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "integration"))

from chromium import Chromium  # noqa: E402
from sallyportd import Daemon  # noqa: E402

ROLES = {"token-v": "viewer", "token-o": "operator", "token-a": "admin"}


class Visitor:
    """A program that keeps what a browser would."""

    def __init__(self, daemon):
        self.port = int(daemon.http.rsplit(":", 1)[1])
        self.cookie = self.proof = None
        self.headers = {}

    def ask(self, method, path, body=None, **more):
        """Status, object and headers of an answer; a header None is left out."""
        headers = {"Host": f"127.0.0.1:{self.port}", "x-sallyport-console": "1"}
        if body is not None:
            headers["content-type"] = "application/json"
        if self.cookie:
            headers["cookie"] = self.cookie
        if self.proof:
            headers["x-sallyport-proof"] = self.proof
        headers.update({k.replace("_", "-"): v for k, v in more.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            connection.putrequest(method, path, skip_host=True)
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            if data is not None:
                connection.putheader("content-length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text), answer.headers
        except ValueError:
            return answer.status, text, answer.headers

    def sign_in(self, token):
        status, body, headers = self.ask("POST", "/console/session", {"token": token})
        if status == 200:
            self.cookie = headers["set-cookie"].split(";")[0]
            self.proof = body["proof"]
        return status

    def call(self, method, body=None, **more):
        return self.ask("POST", "/console/api/" + method, body or {}, **more)[:2]


class SecurityTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.credentials = self.folder / "credentials"
        self.credentials.write_text("".join(
            f"token {token} {role} {hashlib.sha256(token.encode()).hexdigest()}\n"
            for token, role in ROLES.items()))

    def start(self, *arguments):
        daemon = Daemon(self.folder / "data", *(arguments or (
            "--admin-credentials", str(self.credentials))))
        daemon.__enter__()
        self.addCleanup(daemon.stop)
        return daemon

    def test_roles_are_those_of_the_api_and_the_audit_log_names_who_did_it(self):
        daemon = self.start()
        viewer, operator = Visitor(daemon), Visitor(daemon)
        self.assertEqual(viewer.sign_in("token-v"), 200)
        self.assertEqual(operator.sign_in("token-o"), 200)
        create = {"apiId": "orders", "api": {}}
        status, error = viewer.call("Apis/CreateApi", create)
        self.assertEqual((status, error["reason"]), (403, "ROLE_MISSING"))
        self.assertEqual(operator.call("Apis/CreateApi", create)[0], 200)
        self.assertEqual(operator.call("Fleets/RevokeNode", {"name": "fleets/default/nodes/x"})[0], 403)
        self.assertEqual(viewer.call("Apis/GetApi", {"name": "apis/orders"})[1]["name"], "apis/orders")
        entry = viewer.call("AuditLog/ListAuditEntries")[1]["auditEntries"][0]
        self.assertEqual(entry["principal"], "token:token-o")
        self.assertTrue(entry["peer"].startswith("127.0.0.1:"), entry["peer"])
        # All that is wrong, by field.
        status, error = operator.call("Apis/CreateApi", {"apiId": "A B", "api": {"displayName": "x" * 200}})
        self.assertEqual(status, 400)
        self.assertEqual({v["field"] for v in error["violations"]}, {"api_id", "api.display_name"})
        log = "".join(daemon.lines)
        self.assertIn('"principal":"token:token-o"', log.replace('": "', '":"'))
        for secret in (*ROLES, operator.proof, operator.cookie.split("=")[1]):
            self.assertNotIn(f'"{secret}"', log)
            self.assertNotIn("Bearer " + secret, log)

    def test_nobody_gets_in_without_a_token_that_counts(self):
        daemon = self.start()
        visitor = Visitor(daemon)
        for token in ("", "wrong", "token-v ", "token-v\nx"):
            self.assertIn(visitor.sign_in(token), (401,), token)
        self.assertFalse(visitor.ask("GET", "/console/session")[1]["signInWithoutToken"])
        for method in ("Fleets/ListFleets", "State/ImportState", "Truststores/ReadTruststoreVersion"):
            self.assertEqual(visitor.call(method)[0], 401)
        self.assertEqual(visitor.ask("POST", "/console/events", {"afterRevision": "0"})[0], 401)
        # Somebody's cookie, without the proof; and the other way round.
        known = Visitor(daemon)
        known.sign_in("token-a")
        visitor.cookie = known.cookie
        self.assertEqual(visitor.call("Fleets/ListFleets")[0], 401)
        visitor.proof = known.proof
        self.assertEqual(visitor.call("Fleets/ListFleets")[0], 200)
        visitor.cookie = None
        self.assertEqual(visitor.call("Fleets/ListFleets")[0], 401)
        # Metadata by which the gate knows the console mean nothing from outside.
        for more in ({"x-sallyport-console-key": "a" * 64, "x-sallyport-console-peer": "127.0.0.1:1"},):
            self.assertEqual(visitor.call("Fleets/ListFleets", **more)[0], 401)
        # Signed out is signed out.
        known.ask("DELETE", "/console/session")
        self.assertEqual(known.call("Fleets/ListFleets")[0], 401)

    def test_guesses_are_limited_like_those_of_the_api(self):
        daemon = self.start("--admin-credentials", str(self.credentials),
                            "--principal-calls-per-second", "2")
        visitor = Visitor(daemon)
        statuses = [visitor.sign_in(f"guess-{i}") for i in range(12)]
        self.assertIn(429, statuses)
        self.assertNotIn(200, statuses)
        self.assertEqual(Visitor(daemon).sign_in("token-v"), 200)

    def test_on_this_machine_without_credentials(self):
        daemon = self.start("--allow-loopback-without-credentials")
        visitor = Visitor(daemon)
        self.assertTrue(visitor.ask("GET", "/console/session")[1]["signInWithoutToken"])
        # Not by being there: somebody says so, on a page of ours.
        self.assertEqual(visitor.call("Fleets/ListFleets")[0], 401)
        for more in ({"origin": "http://evil.example.com"}, {"sec_fetch_site": "cross-site"},
                     {"x_sallyport_console": None}, {"Host": "evil.example.com"},
                     {"content-type": "text/plain"}):
            self.assertIn(visitor.ask("POST", "/console/session", {"token": ""}, **more)[0], (403, 415, 421), more)
        self.assertEqual(visitor.sign_in(""), 200)
        self.assertEqual(visitor.call("Apis/CreateApi", {"apiId": "orders", "api": {}})[0], 200)

    def test_no_answer_has_a_private_key(self):
        daemon = self.start("--allow-loopback-without-credentials", "--issuer", "internal",
                            "--issuer-domains", "example.com")
        daemon.ctl("generate", "clientCertificates/one")
        visitor = Visitor(daemon)
        visitor.sign_in("")
        visitor.call("ServerCertificates/CreateServerCertificate", {
            "serverCertificateId": "web", "serverCertificate": {"issuance": {"dnsNames": ["api.example.com"]}}})
        everything = ""
        for method in ("ClientCertificates/ListClientCertificates", "ServerCertificates/ListServerCertificates",
                       "Issuers/ListIssuers", "AuditLog/ListAuditEntries"):
            status, answer = visitor.call(method)
            self.assertEqual(status, 200)
            everything += json.dumps(answer)
        self.assertIn("BEGIN CERTIFICATE", everything)
        self.assertNotIn("PRIVATE", everything)
        self.assertNotIn("privateKey", everything)

    def test_the_console_can_be_off(self):
        daemon = self.start("--allow-loopback-without-credentials", "--console", "off")
        visitor = Visitor(daemon)
        for path in ("/", "/console/", "/console/main.js", "/console/session"):
            # All that is not the console's is the AWS-compatible API's, which wants a signature.
            status, _, headers = visitor.ask("GET", path)
            self.assertEqual((status, headers["x-amzn-errortype"]), (403, "MissingAuthenticationTokenException"))
            self.assertNotIn("content-security-policy", headers)
        self.assertEqual(visitor.ask("GET", "/healthz")[0], 200)

    def test_large_and_odd_requests_are_refused_and_others_served(self):
        daemon = self.start()
        visitor = Visitor(daemon)
        self.assertEqual(visitor.ask("POST", "/console/session", b"{" + b" " * (3 << 20) + b"}")[0], 413)
        self.assertEqual(visitor.ask("POST", "/console/session", b"\xff\xfe")[0], 400)
        self.assertEqual(visitor.ask("POST", "/console/session", b"[" * 100000)[0], 400)
        self.assertEqual(visitor.sign_in("token-v"), 200)
        self.assertEqual(visitor.ask("POST", "/console/api/Fleets/ListFleets", b'{"filter":' + b"[" * 100000)[0], 400)
        self.assertEqual(visitor.ask("POST", "/console/api/Fleets/ListFleets", b'{"pageSize":"\xff"}')[0], 400)
        self.assertEqual(visitor.ask("TRACE", "/console/session")[0] // 100, 4)
        self.assertEqual(visitor.call("Fleets/ListFleets")[0], 200)

    def test_waiting_pages_are_few_and_hold_nobody_up(self):
        daemon = self.start()
        visitor = Visitor(daemon)
        visitor.sign_in("token-v")
        answers = []

        def wait_for_news():
            answers.append(visitor.ask("POST", "/console/events", {"afterRevision": "0"})[0])
        waiting = [threading.Thread(target=wait_for_news) for _ in range(5)]
        for one in waiting:
            one.start()
        while len(answers) < 2:  # the two that are too many are told at once
            self.assertTrue(any(one.is_alive() for one in waiting))
            threading.Event().wait(0.02)
        self.assertEqual(answers, [429, 429])
        operator = Visitor(daemon)
        operator.sign_in("token-o")
        self.assertEqual(operator.call("Apis/CreateApi", {"apiId": "orders", "api": {}})[0], 200)
        for one in waiting:
            one.join()
        self.assertEqual(sorted(answers), [200, 200, 200, 429, 429])

    def test_a_page_of_somebody_else_can_do_nothing(self):
        daemon = self.start("--allow-loopback-without-credentials")
        attempt = """
          const tries = [];
          const url = %s;
          const post = (path, options) => fetch(url + path, {method: 'POST', credentials: 'include', ...options})
              .then((r) => r.text()).then((t) => 'read:' + t, () => 'refused');
          tries.push(post('/console/session', {mode: 'cors', body: '{"token":""}',
              headers: {'content-type': 'application/json', 'x-sallyport-console': '1'}}));
          tries.push(post('/console/session', {mode: 'cors', body: '{"token":""}'}));
          tries.push(fetch(url + '/console/session', {credentials: 'include'}).then(() => 'read', () => 'refused'));
          const frame = document.createElement('iframe');
          frame.src = url + '/console/';
          document.body.append(frame);
          window.result = Promise.all(tries);
        """ % json.dumps(daemon.http)

        class Page(http.server.BaseHTTPRequestHandler):
            cookies = []

            def do_GET(self):
                Page.cookies.append(self.headers.get("cookie"))
                text = b"<!DOCTYPE html><body><script>" + attempt.encode() + b"</script>"
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with Chromium() as browser:
            page = browser.page()
            page.open(daemon.http + "/console/")
            page.click("Continue without a token")
            page.heading("Overview")
            # Another server of this machine: the same site for cookies.
            page.open(f"http://127.0.0.1:{server.server_address[1]}/")
            page.until("typeof window.result !== 'undefined'")
            self.assertEqual(page.run("window.result"), ["refused"] * 3)
            # It sees the cookie, and has nothing of it: the proof is not there.
            cookie = next(c for c in Page.cookies if c)
            thief = Visitor(daemon)
            thief.cookie = cookie
            self.assertEqual(thief.call("Fleets/ListFleets")[0], 401)
            # The console is in no frame.
            self.assertNotIn("Overview", page.text())
            page.open(daemon.http + "/console/")
            page.heading("Overview")


if __name__ == "__main__":
    unittest.main()
