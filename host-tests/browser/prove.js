// node prove.js FILE BROWSER: whether anything runs or is requested when texts that the service stored are put into
// pages, and whether what was sent does act there, so that the proof proves something.
//
// FILE is JSON: [{ name, sent, isText, stored: [{ fields, text }] }].

import { readFileSync } from "node:fs";
import { Pages } from "./pages.js";
import { WAYS } from "./ways.js";

/** Texts in a page at once. */
const AT_ONCE = 60;

/** How long an attack that has not acted yet is waited for in each way, in milliseconds. */
const PATIENCE = 5_000;

/** Every how many attacks are tried as they were sent in a way, beside those that have not acted in any yet. */
const SAMPLE = 12;

/** Puts texts (`{ text, isText }`) in in one way, each once, and returns what was seen of them, in their order. */
async function putAll(pages, way, texts) {
  const key = ({ text, isText }) => JSON.stringify([isText, text]);
  const distinct = [...new Map(texts.map((text) => [key(text), text])).entries()];
  const seen = new Map();
  for (let at = 0; at < distinct.length; at += AT_ONCE) {
    const part = distinct.slice(at, at + AT_ONCE);
    const items = part.map(([, put], index) => ({
      name: `text-${index}`,
      written: way.written?.(put.text, put),
      inner: way.inner?.(put.text),
    }));
    const found = await pages.put(items);
    part.forEach(([id], index) => seen.set(id, found.get(`text-${index}`) ?? []));
  }
  return texts.map((text) => seen.get(key(text)));
}

/** Puts in what was sent; without it nobody would know whether an attack was stopped or never was one. */
async function control(pages, name, way, vectors, acting) {
  const isTried = (vector, index) => !acting.has(vector.name) || index % SAMPLE === 0 || way.canAct?.(vector.sent);
  const tried = vectors.filter(isTried).filter(({ sent }) => way.canAct?.(sent) ?? true);
  const seen = await putAll(pages, way, tried.map(({ sent }) => ({ text: sent, isText: false })));
  const fired = tried.filter((_, index) => seen[index].length > 0);
  for (const vector of fired) acting.add(vector.name);
  console.log(`${name}: ${fired.length} of the ${tried.length} attacks that were tried act as they were sent`);
  return fired.length > 0;
}

/** Puts in what was stored, and returns what should not have been seen. */
async function attack(pages, name, way, vectors) {
  const texts = vectors.flatMap((vector) => vector.stored.map(({ fields, text }) => ({ vector, fields, text, isText: vector.isText })));
  const seen = await putAll(pages, way, texts);
  return texts
    .map(({ vector, fields, text }, index) => ({ name: vector.name, way: name, fields, text, seen: objections(vector, way, seen[index]) }))
    .filter((failure) => failure.seen.length > 0);
}

/** Tries what has not acted by itself, and patiently: a frame in a sandbox has a process of its own, which may come late. */
async function tryAgain(pages, vectors, acting) {
  for (const { name, sent } of vectors.filter(({ name }) => !acting.has(name))) {
    for (const way of Object.values(WAYS)) {
      const put = { text: sent, isText: false };
      const item = { name: "text-0", written: way.written?.(sent, put), inner: way.inner?.(sent) };
      if (await pages.acts(item, PATIENCE)) {
        acting.add(name);
        break;
      }
    }
  }
}

/** An image in Markdown is text by the contract, and Markdown loads images. */
function objections(vector, way, seen) {
  return vector.isText && way.isMarkdown ? seen.filter((what) => !what.startsWith("requested image ")) : seen;
}

async function prove(pages, vectors) {
  const acting = new Set();
  const faults = [];
  const through = new Set();
  for (const [name, way] of Object.entries(WAYS)) {
    if (!(await control(pages, name, way, vectors, acting))) faults.push(`${name}: nothing acts in this way, so it proves nothing`);
    for (const failure of await attack(pages, name, way, vectors)) {
      through.add(failure.name);
      faults.push(describe(failure));
    }
  }
  await tryAgain(pages, vectors, acting);
  for (const { name } of vectors.filter(({ name }) => !acting.has(name))) {
    faults.push(`${name}: does nothing in any way even as it was sent, so it proves nothing`);
  }
  for (const fault of faults) console.log(`\n${fault}`);
  console.log(`\n${vectors.length} attacks: ${acting.size} act as they were sent, ${through.size} as they were stored`);
  return faults.length === 0;
}

const describe = ({ name, way, fields, seen, text }) =>
  `${name}, by ${way}, from ${fields.join(", ")}:\n    ${seen.join("\n    ")}\n    ${JSON.stringify(text)}`;

const [file, browser] = process.argv.slice(2);
const pages = await Pages.open(browser);
const proven = await prove(pages, JSON.parse(readFileSync(file, "utf8"))).finally(() => pages.close());
process.exitCode = proven ? 0 : 1;
