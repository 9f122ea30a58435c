// A browser that puts texts into frames of a page, and sees what runs in them and what they request.

import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const OWN = "http://proof.test/";
const GIF = Buffer.from("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==", "base64");

/** Longer than any page takes to come to rest. */
const PATIENCE = 120_000;

/** What the attacker's server answers, by the end of the path; all else is not found. */
const ANSWERS = {
  js: ["text/javascript", "alert('a script from elsewhere')"],
  css: ["text/css", "body { background: url(http://attack.test/from-style.gif) }"],
  svg: ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" id="x"><script>alert(1)</script></svg>'],
  gif: ["image/gif", GIF],
  html: ["text/html", "<script>alert('a page from elsewhere')</script>"],
};

export class Pages {
  /** What has been seen of the texts that are in the page now, by the name of their frame. */
  #seen = new Map();
  #pending = new Set();
  #news = 0;

  static async open(executablePath) {
    const pages = new Pages();
    await pages.#open(executablePath);
    return pages;
  }

  async #open(executablePath) {
    // Without a sandbox of its own: in a container there is none to be had, and the pages are ours.
    this.browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    const context = await this.browser.newContext({ bypassCSP: true });
    await context.exposeBinding("__report", ({ frame }, what) => this.#note(frame, `ran ${what}`));
    await context.addInitScript({ content: await ours("hooks.js") });
    await context.route("**/*", (route) => this.#answer(route));
    this.trigger = await ours("trigger.js");
    this.context = context;
  }

  /** A page of our own for the next texts: nothing of the last ones is left in it. */
  async #begin() {
    await this.page?.close();
    this.#seen = new Map();
    this.#pending.clear();
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(PATIENCE);
    this.#watch();
    await this.page.goto(OWN);
  }

  #watch() {
    this.page.on("popup", (page) => {
      this.#note(undefined, `opened ${page.url()}`);
      page.close().catch(() => {});
    });
    this.page.on("dialog", (dialog) => {
      this.#note(undefined, `ran ${dialog.type()}()`);
      dialog.accept().catch(() => {});
    });
    this.page.on("console", (message) => {
      // Chromium says these of a frame of another origin and of one in a sandbox, where it shows no dialog.
      if (/^ran: |subframe tried to create a JavaScript dialog|Ignored call to/.test(message.text())) {
        this.#note(undefined, `ran a script that said: ${message.text()}`);
      }
    });
  }

  /** Puts each of `items` (`{ name, written }` or `{ name, inner }`) into a frame of its own. */
  async put(items) {
    await this.#begin();
    await this.page.evaluate(putIntoFrames, items);
    await this.#rest();
    await this.page.evaluate(runInFrames, this.trigger);
    await this.#rest();
    if (items.some((item) => item.inner !== undefined)) {
      // What an editor does: the text that the browser makes of its document is read by it again.
      await this.page.evaluate(readAgain);
      await this.#rest();
      await this.page.evaluate(runInFrames, this.trigger);
      await this.#rest();
    }
    return this.#attributed(items);
  }

  /** Puts one item in that should act, and waits until it does, or for `patience` milliseconds. Says whether it did. */
  async acts(item, patience) {
    const end = Date.now() + patience;
    let seen = await this.put([item]);
    while (seen.size === 0 && Date.now() < end) {
      await this.page.evaluate(twoFrames);
      seen = this.#seen;
    }
    return seen.size > 0;
  }

  /** What was seen of each item; of what no frame is known for, the items are put in fewer at a time. */
  async #attributed(items) {
    const seen = this.#seen;
    const unknown = seen.get(undefined);
    if (unknown === undefined) return seen;
    if (items.length === 1) {
      const known = seen.get(items[0].name) ?? [];
      return new Map([[items[0].name, [...new Set([...known, ...unknown])]]]);
    }
    const half = Math.ceil(items.length / 2);
    const first = await this.put(items.slice(0, half));
    return new Map([...first, ...(await this.put(items.slice(half)))]);
  }

  /** Waits until nothing is being fetched and two frames of the screen have brought nothing new, twice. */
  async #rest() {
    const end = Date.now() + PATIENCE;
    for (let quiet = 0; quiet < 2; ) {
      if (Date.now() > end) throw new Error(`a page did not come to rest within ${PATIENCE / 1000} s`);
      const before = this.#news;
      await this.page.evaluate(twoFrames).catch(() => {});
      quiet = this.#pending.size === 0 && this.#news === before ? quiet + 1 : 0;
    }
  }

  async #answer(route) {
    const request = route.request();
    const url = request.url();
    if (url === OWN && this.#frameOf(request) === this.page.mainFrame()) {
      return route.fulfill({ contentType: "text/html", body: "<!doctype html><title>proof</title>" });
    }
    this.#pending.add(request);
    this.#note(this.#frameOf(request), `requested ${request.resourceType()} ${url}`);
    const [contentType, body] = ANSWERS[new URL(url).pathname.split(".").pop()] ?? [];
    const answer = body ? { contentType, body } : { status: 404, body: "" };
    await route.fulfill({ ...answer, headers: { "access-control-allow-origin": "*" } }).catch(() => {});
    this.#pending.delete(request);
  }

  #frameOf(request) {
    try {
      return request.frame();
    } catch {
      return undefined;
    }
  }

  #note(frame, what) {
    // What comes late from a page that was closed, or from a window that an attack opened, which has been seen.
    if (frame && frame.page() !== this.page) return;
    let place = frame;
    while (place && place.parentFrame() && place.parentFrame() !== this.page.mainFrame()) place = place.parentFrame();
    const name = place && place !== this.page.mainFrame() ? place.name() || undefined : undefined;
    const seen = this.#seen.get(name) ?? [];
    // What goes on and on, as some animations do, is news once.
    if (seen.includes(what)) return;
    this.#news += 1;
    this.#seen.set(name, [...seen, what]);
  }

  async close() {
    await this.browser.close();
  }
}

const ours = (file) => readFile(new URL(file, import.meta.url), "utf8");

// The functions below run in the page.

function putIntoFrames(items) {
  for (const { name, written, inner } of items) {
    const frame = document.createElement("iframe");
    frame.name = name;
    // All of them are on the screen, where nothing waits to be scrolled to.
    frame.width = 64;
    frame.height = 32;
    document.body.append(frame);
    const inside = frame.contentDocument;
    if (inner !== undefined) {
      inside.body.innerHTML = inner;
    } else {
      inside.open();
      inside.write(written);
      inside.close();
    }
  }
}

function runInFrames(source) {
  const run = (frame) => {
    try {
      frame.eval(source);
      for (let at = 0; at < frame.length; at += 1) run(frame[at]);
    } catch {
      // The frame went to another origin, which has been seen.
    }
  };
  for (let at = 0; at < window.length; at += 1) run(window[at]);
}

function readAgain() {
  for (const frame of document.querySelectorAll("iframe")) {
    const body = frame.contentDocument?.body;
    if (body) body.innerHTML = body.innerHTML;
  }
}

function twoFrames() {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))));
}
