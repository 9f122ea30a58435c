// The ways in which a text is put into a page: `written` is the whole document, as a server without a template engine
// sends it, `inner` what a script of the page puts into it.

import MarkdownIt from "markdown-it";
import { marked } from "marked";

const markdownIt = new MarkdownIt({ html: true, linkify: true });

// A script of the page's own ends one that was put in without an end.
const page = (body) => `<!doctype html><meta charset="utf-8"><body>${body}</body><script></script>`;

// A text that has no tag in it is text by the contract: whoever puts it between quotes escapes the quotes.
const quoted = (text, quote, vector) =>
  vector.isText ? text.replaceAll(quote, `&#${quote.charCodeAt(0)};`) : text;

export const WAYS = {
  innerHTML: { inner: (text) => text },
  "document.write": { written: (text) => page(text) },
  "attribute in double quotes": {
    written: (text, vector) => page(`<div title="${quoted(text, '"', vector)}">a</div>`),
  },
  "attribute in single quotes": {
    written: (text, vector) => page(`<div title='${quoted(text, "'", vector)}'>a</div>`),
  },
  textarea: {
    written: (text) => page(`<textarea>${text}</textarea>`),
    // All else is the text of the element.
    canAct: (text) => /<\/textarea/i.test(text),
  },
  svg: { written: (text) => page(`<svg width="9" height="9">${text}</svg>`) },
  "Markdown by markdown-it": {
    written: (text) => page(markdownIt.render(text)),
    isMarkdown: true,
  },
  "Markdown by marked": {
    written: (text) => page(marked.parse(text)),
    isMarkdown: true,
  },
};
