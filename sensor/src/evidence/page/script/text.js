"use strict";
// Text, numbers and times as people read them. Everything that the page shows is put in here, as text and never as markup.

// What has no shape of its own, or changes where others are: control and format characters (bidirectional ones among them), line
// separators, spaces that are no space, what is not assigned.
const ODD = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
// Letters that are written from the right: they would pull the digits and signs beside them to another place.
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]+/gu;

// An odd character, as it is shown: by its number, as in Rust. Unicode's pictures of control codes are in too few fonts.
function shown(character) {
  const code = character.codePointAt(0);
  return { 0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r" }[code] ?? `\\u{${code.toString(16)}}`;
}

// A text for places that hold no elements: names for screen readers, options, the title.
function plain(text) {
  return String(text).replace(ODD, shown);
}

// A text as nodes: odd characters are seen, and seen to be no letters of the text.
function nodes(text) {
  const found = [];
  for (const [part, odd] of cut(String(text), ODD)) {
    if (odd) {
      found.push(wrapped("span", "odd", shown(part)));
    } else {
      for (const [run, fromRight] of cut(part, FROM_RIGHT)) found.push(fromRight ? wrapped("bdi", "", run) : run);
    }
  }
  return found;
}

// A text in pieces: [piece, whether it matches].
function* cut(text, pattern) {
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) yield [text.slice(end, match.index), false];
    yield [match[0], true];
    end = match.index + match[0].length;
  }
  if (end < text.length) yield [text.slice(end), false];
}

function wrapped(name, style, text) {
  const element = document.createElement(name);
  if (style) element.className = style;
  element.textContent = text;
  return element;
}

// An element of HTML: attributes, then what is in it: elements, texts, numbers; nothing for null.
function make(name, attributes = {}, ...content) {
  return fill(document.createElement(name), attributes, content);
}

// The same of SVG.
function draw(name, attributes = {}, ...content) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);
}

function fill(element, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, plain(value));
  }
  for (const part of content) {
    if (part === null || part === undefined) continue;
    if (part instanceof Node) element.append(part);
    else element.append(...nodes(part));
  }
  return element;
}

// Bytes: "4.1 GB", as everywhere in Weir.
function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [value, unit] = [Number(count), 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 99.95 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)} ${units[unit]}`;
}

// A count with its noun: "1 gap", "12,480 entries". Counts may be texts, where they are more than JavaScript's numbers hold.
function counted(count, one, many) {
  return `${number(count)} ${Number(count) === 1 ? one : many}`;
}

function number(count) {
  return BigInt(count).toLocaleString("en");
}

// Seconds between two times: "7 m 30 s", "0.25 s".
function lasting(seconds) {
  const units = [["d", 86400], ["h", 3600], ["m", 60]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return `${Number(seconds.toPrecision(3))} s`;
  const [name, size] = units[first];
  const [below, part] = units[first + 1] ?? ["s", 1];
  const rest = Math.floor((seconds % size) / part);
  return `${Math.floor(seconds / size)} ${name}${rest ? ` ${rest} ${below}` : ""}`;
}
