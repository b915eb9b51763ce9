"""Chromium without a window, over its debugging pipe (the DevTools protocol)."""

import base64
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from harness import processes, wait

_PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
# Finds what people find: by what it says. In an open dialog, if there is one.
_HELPERS = """
(() => {
  const scope = () => document.querySelector('dialog[open]') || document;
  const shown = (e) => e.checkVisibility() && !e.closest('[hidden]');
  const text = (e) => (e.getAttribute('aria-label') || e.textContent).trim().replace(/\\s+/g, ' ');
  const all = (selector) => [...scope().querySelectorAll(selector)].filter(shown);
  window.sallyportTest = {
    control: (name) => all('button, a, summary, [role="tab"]').find((e) => text(e) === name),
    field: (name) => {
      const label = all('label').find((e) => text(e).replace(/ \\(optional\\)$/, '') === name);
      return label && (label.htmlFor ? document.getElementById(label.htmlFor) : label.querySelector('select'));
    },
    row: (name) => all('tr').find((e) => text(e.querySelector('th, td')) === name),
    text: () => document.body.innerText,
  };
})()
"""


class Chromium:
    """The browser; for `with`."""

    def __enter__(self):
        if _PROGRAM is None:
            raise AssertionError("there is no chromium: run tools/setup test")
        self.folder = tempfile.TemporaryDirectory()
        to_read, to_write = os.pipe(), os.pipe()
        # Numbers that are not those that the browser wants.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in (to_write[0], to_read[1])]
        options = [
            "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--force-color-profile=srgb", "--lang=en", "--user-data-dir=" + self.folder.name,
            # Everything but this machine is nowhere.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
        ]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # it does not start as root with one
        self.log = open(pathlib.Path(self.folder.name) / "log", "w+b")
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}', "bash", _PROGRAM, *options,
             "about:blank"],
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"HOME": self.folder.name, "PATH": os.environ["PATH"]},
            preexec_fn=processes.die_with_parent)
        for fd in (to_write[0], to_read[1], *theirs):
            os.close(fd)
        self.writer = os.fdopen(to_write[1], "wb", buffering=0)
        self.reader = os.fdopen(to_read[0], "rb", buffering=0)
        self.numbers = itertools.count(1)
        self.condition = threading.Condition()
        self.answers = {}
        self.events = []
        self.ended = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        try:
            self.send("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        self.process.wait(timeout=30)
        self.writer.close()
        self.thread.join(timeout=30)
        self.reader.close()
        self.log.close()
        # Its helpers may still be writing.
        wait.until(lambda: shutil.rmtree(self.folder.name, ignore_errors=True) or
                   not os.path.exists(self.folder.name), "the browser's folder is gone")
        self.folder._finalizer.detach()

    def _read(self):
        rest = b""
        while True:
            try:
                got = self.reader.read(1 << 16)
            except (OSError, ValueError):
                got = b""
            with self.condition:
                if not got:
                    self.ended = True
                    self.condition.notify_all()
                    return
                *messages, rest = (rest + got).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self.condition.notify_all()

    def send(self, method, session=None, timeout=30, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.writer.write(json.dumps(message).encode() + b"\0")
        with self.condition:
            if not self.condition.wait_for(lambda: number in self.answers or self.ended, timeout):
                raise AssertionError(f"{method}: no answer in {timeout} s")
            if number not in self.answers:
                self.log.seek(0)
                raise AssertionError(f"{method}: the browser has ended: {self.log.read()[-2000:]}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def page(self):
        """A page with cookies and storage of its own."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return Page(self, session["sessionId"], target["targetId"])


class Page:
    """One tab."""

    def __init__(self, browser, session, target):
        self.browser = browser
        self.session = session
        self.target = target
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(domain + ".enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=_HELPERS)
        self.size(1200, 900)

    def send(self, method, **params):
        return self.browser.send(method, session=self.session, **params)

    def size(self, width, height, scale=1):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)

    def scheme(self, name):
        """What the system says: light or dark."""
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, url):
        self.send("Page.navigate", url=url)

    def run(self, expression, **params):
        """The value of an expression, awaited."""
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True, **params)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression, what=None):
        def found():
            try:
                return self.run(expression)
            except AssertionError:
                return None  # between two documents
        try:
            return wait.until(found, what or expression)
        except TimeoutError as error:
            raise AssertionError(f"{error}; the page says:\n{self.text()}") from None

    def text(self):
        return self.run("sallyportTest.text()")

    def sees(self, text):
        self.until(f"sallyportTest.text().replace(/\\s+/g, ' ').includes({json.dumps(text)})", f"sees {text!r}")

    def heading(self, text):
        self.until(f"document.querySelector('h1')?.textContent === {json.dumps(text)}"
                   " && !document.querySelector('dialog[open]')",
                   f"the heading {text!r}")

    def click(self, name):
        """Moves the mouse to the button or link and presses it."""
        self._press(f"sallyportTest.control({json.dumps(name)})", name)

    def open_dialog(self, name):
        """Clicks what opens a dialog, until it is there: a live update may have
        moved the button from under the mouse."""
        is_open = "!!document.querySelector('dialog[open]')"
        for _ in range(5):
            self.click(name)
            waited = time.monotonic() + 3
            while time.monotonic() < waited:
                if self.run(is_open):
                    return
                time.sleep(0.05)
        raise AssertionError(f"{name!r} opens no dialog; the page says:\n{self.text()}")

    def _press(self, element, what):
        self.until(f"!!{element}", f"there is {what!r}")
        x, y = self.run(f"""(() => {{
            const e = {element};
            e.scrollIntoView({{block: 'center', behavior: 'instant'}});
            const box = e.getClientRects()[0];
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, label, text):
        """Types into a field, in place of what is there."""
        field = f"sallyportTest.field({json.dumps(label)})"
        self.until(f"!!{field}", f"there is a field {label!r}")
        self.run(f"{field}.focus(), {field}.select()")
        if text:
            self.send("Input.insertText", text=text)
        else:
            self.key("Delete")

    def choose(self, label, text):
        """Chooses the option of a select that begins with `text`."""
        field = f"sallyportTest.field({json.dumps(label)})"
        self.until(f"""(() => {{
            const e = {field};
            const option = e && [...e.options].find((o) => o.text.startsWith({json.dumps(text)}));
            if (!option) return false;
            e.focus();
            e.value = option.value;
            e.dispatchEvent(new Event('input', {{bubbles: true}}));
            e.dispatchEvent(new Event('change', {{bubbles: true}}));
            return true;
        }})()""", f"{label!r} has {text!r}")

    def check(self, label):
        self._press(f"sallyportTest.field({json.dumps(label)})", label)

    def upload(self, label, path):
        handle = self.send("Runtime.evaluate", expression=f"sallyportTest.field({json.dumps(label)})")
        self.send("DOM.setFileInputFiles", files=[str(path)], objectId=handle["result"]["objectId"])

    def row(self, name):
        """The text of the row of a table."""
        return self.until(f"sallyportTest.row({json.dumps(name)})?.innerText.replace(/\\s+/g, ' ')",
                          f"there is a row {name!r}")

    def key(self, key, **more):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Delete": 46, "ArrowRight": 39}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key,
                  windowsVirtualKeyCode=codes[key], **text, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key,
                  windowsVirtualKeyCode=codes[key], **more)

    def picture(self):
        """PNG of what is in the window."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def complaints(self):
        """Errors of scripts, and what the content security policy refused."""
        with self.browser.condition:
            events = [e for e in self.browser.events if e.get("sessionId") == self.session]
        out = [e["params"]["exceptionDetails"] for e in events if e["method"] == "Runtime.exceptionThrown"]
        for event in events:
            entry = event["params"].get("entry", {}) if event["method"] == "Log.entryAdded" else {}
            # What a call was refused is an answer.
            if entry.get("level") == "error" and entry.get("source") != "network":
                out.append(entry)
        return out

    def requests(self):
        """The URLs that the page has asked for."""
        with self.browser.condition:
            return [e["params"]["request"]["url"] for e in self.browser.events
                    if e.get("sessionId") == self.session and e["method"] == "Network.requestWillBeSent"]

    def axe(self, source, *rules):
        """What axe-core finds (by these rules; by all): a line for each violation and
        element. In a world of its own, where the page's policy does not hold."""
        world = self.send("Page.createIsolatedWorld", frameId=self.send("Page.getFrameTree")["frameTree"]["frame"]["id"])
        context = world["executionContextId"]
        self.run(source + "\n;0", contextId=context)
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = self.run(f"axe.run(document, {json.dumps(options)}).then((r) => r.violations)", contextId=context)
        return [f"{v['id']}: {n['target']}: {n['failureSummary']}" for v in found for n in v["nodes"]]
