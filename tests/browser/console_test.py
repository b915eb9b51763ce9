"""The console in a real browser: each view looked at by axe-core, with the mouse, the
keyboard and on a phone."""

import unittest

from console_case import ConsoleCase


class ConsoleTest(ConsoleCase):
    def test_versions_of_a_truststore(self):
        old = self.workshop.authority("old", "/O=Partner <script>alert(1)<\\/script>/CN=Old")
        new = self.workshop.authority("new", "/O=Partner/CN=New")
        soon = self.workshop.authority("soon", "/O=Partner/CN=Soon", days=9)
        page = self.page
        self.sign_in()
        page.click("Truststores")
        page.heading("Truststores")
        page.click("Create")
        page.fill("Name", "partners")
        page.upload("File with certificates (PEM)", old.certificate)
        page.click("Create truststore")
        page.heading("partners")
        # Text of a certificate is text.
        page.sees("script\\>alert(1)")
        self.assertFalse(page.run("!!document.querySelector('main script')"))
        page.click("Add version")
        page.fill("Or the certificates themselves (PEM)", new.certificate.read_text() + soon.certificate.read_text())
        page.click("Add version")
        page.sees("CANDIDATE")
        page.click("2")
        page.sees("Certificates of version 2")
        page.sees("in 8 days")

        page.choose("From version", "1")
        page.choose("To version", "2")
        page.click("Compare")
        page.sees("From version 1 to 2: 2 added, 1 removed, 0 changed.")
        self.look("a truststore")
        self.picture("truststore")

        page.click("Activate version 2")
        page.click("Activate")
        page.sees("Activated.")
        self.assertEqual(self.daemon.json("get", "truststores/partners")[0]["active_version"],
                         "truststores/partners/versions/2")
        page.open_dialog("Roll back")
        page.click("Roll back")
        page.sees("Rolled back.")
        self.assertEqual(self.daemon.json("get", "truststores/partners")[0]["active_version"],
                         "truststores/partners/versions/1")
        # What is wrong is said where it is, and what was typed stays.
        page.click("Add version")
        page.fill("Or the certificates themselves (PEM)", "no certificate")
        page.click("Add version")
        page.until("document.activeElement.getAttribute('role') === 'alert'")
        self.assertEqual(page.run("sallyportTest.field('Or the certificates themselves (PEM)').value"), "no certificate")
        page.key("Escape")
        page.until("!document.querySelector('dialog')")
        self.assertEqual(page.run("document.activeElement.textContent"), "Add version")

        # Of somebody else, live.
        self.daemon.ctl("update", "truststores/partners", "--set", "description=from elsewhere")
        page.sees("from elsewhere")

    def test_all_views_and_what_a_viewer_may(self):
        ctl = self.daemon.ctl
        ctl("create", "truststores/partners", "--from-file",
            f"pem={self.workshop.authority('p', '/CN=P').certificate}")
        ctl("generate", "clientCertificates/one")
        ctl("create", "apis/orders")
        self.node()
        page = self.page
        page.open(self.address)
        page.heading("Sign in")
        self.look("signing in")
        self.picture("sign-in")
        page.fill("Token", "nobody")
        page.key("Enter")
        page.sees("the token is not one that the service knows")
        self.sign_in("viktor")
        page.sees("token:viktor (viewer)")
        for view, heading in (
                ("", "Overview"), ("domains", "Custom domain names"), ("truststores", "Truststores"),
                ("truststores/partners", "partners"), ("client-certificates", "Client certificates"),
                ("client-certificates/one", "one"), ("apis", "APIs"), ("apis/orders", "orders"),
                ("apis/orders?tab=stages", "orders"), ("apis/orders?tab=deployments", "orders"),
                ("apis/orders?tab=test", "orders"), ("apis/orders?tab=details", "orders"),
                ("fleets", "Fleets"), ("fleets/default", "default"), ("refusals", "Refusals"),
                ("expiry", "Expiry"), ("audit", "Audit log"), ("nothing", "Not found")):
            self.go("nowhere", "Not found")
            self.go(view, heading)
            self.look(view)
            names = page.run("[...document.querySelectorAll('main button:not([role=tab])')].map((b) => b.textContent)")
            self.assertFalse(set(names) & {"Create", "Edit", "Delete", "Generate certificate", "Deploy"}, view)
            if view in ("fleets/default", "expiry", "audit"):
                self.picture(view.split("/")[0])
        # The service decides, not the page.
        status = page.run("""fetch('api/Truststores/DeleteTruststore', {method: 'POST', headers: {
            'content-type': 'application/json', 'x-sallyport-console': '1',
            'x-sallyport-proof': localStorage.getItem('sallyport-proof')},
            body: JSON.stringify({name: 'truststores/partners'})}).then((r) => r.status)""")
        self.assertEqual(status, 403)

        self.go("fleets/default", "default")
        page.sees("edge-1")
        self.go("audit", "Audit log")
        page.fill("Resource", "truststores/partners")
        page.key("Enter")
        page.until("location.hash.includes('resource=')")
        page.click("truststores/partners")
        page.sees("CreateTruststore")
        # What the log has of where people come from: the browser, not the channel.
        page.sees("127.0.0.1:")

    def test_with_the_keyboard_alone_and_in_the_dark(self):
        self.daemon.ctl("create", "truststores/partners", "--from-file",
                        f"pem={self.workshop.authority('p', '/CN=P').certificate}")
        page = self.page
        page.open(self.address)
        page.heading("Sign in")
        # The field has the focus already.
        page.send("Input.insertText", text="anna")
        page.key("Enter")
        page.heading("Overview")
        self.assertEqual(page.run("document.activeElement.tagName"), "H1")
        self.assertEqual(page.run("document.title"), "Overview – Sallyport")
        page.run("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
        page.key("Tab")
        self.assertEqual(page.run("document.activeElement.textContent"), "Skip to the content")
        page.key("Enter")
        self.assertEqual(page.run("document.activeElement.id"), "main")
        self.go("truststores", "Truststores")
        page.key("Tab")
        self.assertEqual(page.run("document.activeElement.textContent"), "Create")
        page.key("Enter")
        page.until("document.activeElement.closest('dialog') && document.activeElement.tagName === 'INPUT'")
        page.key("Escape")
        page.until("!document.querySelector('dialog')")
        self.assertEqual(page.run("document.activeElement.textContent"), "Create")

        # Tabs, as the pattern for them says.
        self.daemon.ctl("create", "apis/orders")
        self.go("apis/orders", "orders")
        page.run("document.getElementById('tab-routes').focus()")
        page.key("ArrowRight")
        self.assertEqual(page.run("document.activeElement.id"), "tab-stages")
        page.key("Enter")
        page.until("document.getElementById('tab-stages').getAttribute('aria-selected') === 'true'")

        back = "getComputedStyle(document.body).backgroundColor"
        light = page.run(back)
        page.choose("Colours", "Dark")
        self.assertNotEqual(page.run(back), light)
        page.send("Page.reload")
        page.heading("orders")
        self.assertNotEqual(page.run(back), light)
        page.scheme("dark")
        page.choose("Colours", "Light")
        self.assertEqual(page.run(back), light)

        # Signed out, the session is over, here and for whoever kept its secrets.
        page.click("Sign out")
        page.heading("Sign in")
        page.send("Page.reload")
        page.heading("Sign in")

    def test_a_phone_shows_the_same(self):
        self.page.size(360, 740, scale=2)
        self.daemon.ctl("generate", "clientCertificates/one")
        self.sign_in()
        self.go("client-certificates", "Client certificates")
        self.page.row("one")
        self.picture("phone")


if __name__ == "__main__":
    unittest.main()
