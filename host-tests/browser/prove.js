// node prove.js FILE BROWSER: whether anything runs or is requested when texts that the service stored are put into
// pages, and whether what was sent does act there, so that the proof proves something.
//
// FILE is JSON: [{ name, sent, isText, stored: [{ fields, text }] }].

import { readFileSync } from "node:fs";
import { Pages } from "./pages.js";
import { WAYS } from "./ways.js";

/** Texts in a page at once. */
const AT_ONCE = 40;

const [file, browser] = process.argv.slice(2);
const vectors = JSON.parse(readFileSync(file, "utf8"));

/** One text of one vector, to be put in in one way. */
function item(vector, way, text, isSent) {
  const put = isSent ? { ...vector, isText: false } : vector;
  return {
    name: "",
    written: way.written?.(text, put),
    inner: way.inner?.(text),
  };
}

/** Puts all texts in in one way; returns a list of what was seen for each of them. */
async function putAll(pages, wayName, texts, isSent) {
  const items = texts.map(({ vector, text }, index) => ({
    ...item(vector, WAYS[wayName], text, isSent),
    name: `text-${index}`,
  }));
  const seen = new Map();
  for (let at = 0; at < items.length; at += AT_ONCE) {
    for (const [name, what] of await pages.put(items.slice(at, at + AT_ONCE))) seen.set(name, what);
  }
  return items.map(({ name }) => seen.get(name) ?? []);
}

/** What the contract allows: an image in Markdown is text, and Markdown loads images. */
function objections(vector, way, seen) {
  return vector.isText && way.isMarkdown ? seen.filter((what) => !what.startsWith("requested image ")) : seen;
}

async function prove(pages) {
  const sent = vectors.map((vector) => ({ vector, text: vector.sent }));
  const stored = vectors.flatMap((vector) => vector.stored.map(({ fields, text }) => ({ vector, fields, text })));
  const acting = new Map(vectors.map(({ name }) => [name, []]));
  const failures = [];
  for (const [wayName, way] of Object.entries(WAYS)) {
    const before = await putAll(pages, wayName, sent, true);
    before.forEach((seen, index) => {
      if (seen.length > 0) acting.get(vectors[index].name).push(wayName);
    });
    const after = await putAll(pages, wayName, stored, false);
    after.forEach((seen, index) => {
      const { vector, fields, text } = stored[index];
      const bad = objections(vector, way, seen);
      if (bad.length > 0) failures.push({ name: vector.name, way: wayName, fields, seen: bad, text });
    });
    const fired = before.filter((seen) => seen.length > 0).length;
    console.log(`${wayName}: ${fired} of ${sent.length} act as they were sent`);
  }
  return { acting, failures };
}

function report({ acting, failures }) {
  for (const { name, way, fields, seen, text } of failures) {
    console.log(`\n${name}, by ${way}, from ${fields.join(", ")}:\n    ${seen.join("\n    ")}\n    ${JSON.stringify(text)}`);
  }
  const idle = [...acting].filter(([, ways]) => ways.length === 0).map(([name]) => name);
  for (const name of idle) console.log(`\n${name}: does nothing in any way even as it was sent, so it proves nothing`);
  const through = new Set(failures.map(({ name }) => name)).size;
  console.log(
    `\n${vectors.length} vectors: ${vectors.length - idle.length} act as they were sent, ${through} as they were stored`,
  );
  return failures.length === 0 && idle.length === 0;
}

const pages = await Pages.open(browser);
const result = await prove(pages).finally(() => pages.close());
process.exitCode = report(result) ? 0 : 1;
