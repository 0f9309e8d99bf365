/**
 * Takes the plain lines of NDJSON into an entry, in AssemblyScript (https://www.assemblyscript.org): `deno task wasm` makes
 * `plain_lines.wasm` of it. What it takes it takes as `json.ts` does, byte for byte, and checks it as strictly (RFC 8259); of a line
 * that is not plain it keeps nothing, and `json.ts` says what it is. Plain is a line whose fields go into the entry as they stand: no
 * escapes in them or in names, no field twice, none that somebody has to look at.
 *
 * The body has to be UTF-8, and its last byte here a line end: no loop looks for the end of the bytes besides.
 *
 * | bytes of the memory from | what |
 * |---|---|
 * | 0 | results, 32 bits each: lines passed; where it stopped; end of what was put; begin and end of a topic that nobody has admitted |
 * | 64 | for each length up to 24 of a name, the first of the names as long, and the first of those longer: a byte each |
 * | 128 | names of 32 bytes: 24 of letters, tag, kind, 2 unused, bit |
 * | 4096 | topics admitted, 256 bytes each: the length, the letters |
 */

const lengths: usize = 64;
const names: usize = 128;
const nameBytes: usize = 32;
const topics: usize = 4096;
const topicBytes: usize = 256;
const nameLengthMax: usize = 24;

/** What is done with a value; `plain_lines.ts` beside this folder has the same. */
const kindSpan: u32 = 1;
const kindLevel: u32 = 2;
const kindTopic: u32 = 3;
const kindTime: u32 = 4;
const kindData: u32 = 5;

const topicTag: u32 = 2;
const submittedMsTag: u32 = 14;
const jsonTag: u32 = 16;

/** Two bytes say how long a message is. */
const messageBytesMax: usize = 1 << 14;
const fieldBytesMax: usize = 8192;
const depthLimit: i32 = 60;
const timeDigits: usize = 13;

const newline: u32 = 0x0a;
const quote: u32 = 0x22;
const comma: u32 = 0x2c;
const minus: u32 = 0x2d;
const dot: u32 = 0x2e;
const zero: u32 = 0x30;
const colon: u32 = 0x3a;
const openList: u32 = 0x5b;
const backslash: u32 = 0x5c;
const closeList: u32 = 0x5d;
const openObject: u32 = 0x7b;
const closeObject: u32 = 0x7d;

let at: usize = 0;
let out: usize = 0;
let topicCount: usize = 0;
let hasDefaultTopic: bool = false;
let depthMax: i32 = 0;

/** Of the line at hand. */
let seen: u32 = 0;
let hasTopic: bool = false;
let unknownTopicAt: usize = 0;
let unknownTopicEnd: usize = 0;
let dataAt: usize = 0;
let dataEnd: usize = 0;

/** A body begins: nothing is admitted yet. */
export function begin(depth: i32): void {
  topicCount = 0;
  hasDefaultTopic = false;
  depthMax = min(depth, depthLimit);
}

/** The topic with this number stands in its place and is admitted, as are those before it. */
export function admit(count: usize): void {
  topicCount = count;
}

/** Lines without a topic are admitted. */
export function admitDefault(): void {
  hasDefaultTopic = true;
}

/** Takes lines from `from` up to `end`, `most` messages at most, and puts them from `to` on. Returns how many messages. */
export function take(from: usize, end: usize, to: usize, most: u32, lineMax: usize): u32 {
  let count: u32 = 0;
  let lines: u32 = 0;
  at = from;
  out = to;
  unknownTopicEnd = 0;
  while (at < end) {
    const begin = at;
    const next = peek();
    if (next == newline) {
      at++;
      lines++;
      continue;
    }
    const put = out;
    if (next != openObject || count == most || !message(lineMax) || peek() != newline) {
      at = begin;
      out = put;
      break;
    }
    at++;
    lines++;
    count++;
  }
  store<u32>(0, lines);
  store<u32>(4, at as u32);
  store<u32>(8, out as u32);
  store<u32>(12, unknownTopicAt as u32);
  store<u32>(16, unknownTopicEnd as u32);
  return count;
}

/** From "{" to "}". */
function message(lineMax: usize): bool {
  const begin = at;
  const head = out;
  let isData = false;
  out += 2;
  seen = 0;
  hasTopic = false;
  dataAt = 0;
  at++;
  let next = peek();
  if (next == closeObject) at++;
  else {
    while (true) {
      if (next != quote) return false;
      const name = nameAt();
      if (at == 0) return false;
      next = behindColon();
      if (next == 0) return false;
      if (name == 0) {
        isData = true;
        if (!value(next)) return false;
      } else if (!member(name, next)) return false;
      next = peek();
      if (next == closeObject) break;
      if (next != comma) return false;
      at++;
      next = peek();
    }
    at++;
  }
  if (at - begin > lineMax || (isData && seen != 0)) return false;
  if (!hasTopic && !hasDefaultTopic) {
    unknownTopicAt = unknownTopicEnd = 1;
    return false;
  }
  if (isData) span(jsonTag, begin, at);
  else if (dataAt != 0) span(jsonTag, dataAt, dataEnd);
  else putEmptyObject();
  return shut(head);
}

function putEmptyObject(): void {
  store<u8>(out, jsonTag);
  store<u8>(out + 1, 2);
  store<u8>(out + 2, openObject);
  store<u8>(out + 3, closeObject);
  out += 4;
}

function shut(head: usize): bool {
  const length = out - head - 2;
  if (length >= messageBytesMax) return false;
  store<u8>(head, (length & 127) | 128);
  store<u8>(head + 1, length >> 7);
  return true;
}

/** The name that begins here, and on behind its quote; 0 when it is none of ours. `at` is 0 when it is no plain string. */
function nameAt(): usize {
  const begin = at + 1;
  const end = plainEnd(begin);
  if (load<u8>(end) != quote) {
    at = 0;
    return 0;
  }
  at = end + 1;
  const length = end - begin;
  if (length - 1 >= nameLengthMax) return 0;
  const last: usize = load<u8>(lengths + length + 1);
  for (let number: usize = load<u8>(lengths + length); number < last; number++) {
    const name = names + number * nameBytes;
    if (isSame(begin, name, length)) return name;
  }
  return 0;
}

/** The first bytes of both; behind `there` stand zeros up to the next eight. */
function isSame(here: usize, there: usize, length: usize): bool {
  for (; length > 8; length -= 8, here += 8, there += 8) {
    if (load<u64>(here) != load<u64>(there)) return false;
  }
  return ((load<u64>(here) ^ load<u64>(there)) << ((8 - length) << 3)) == 0;
}

/** The first byte of the value; 0 when there is no colon. */
function behindColon(): u32 {
  if (peek() != colon) return 0;
  at++;
  return peek();
}

function member(name: usize, next: u32): bool {
  const kind: u32 = load<u8>(name + 25);
  const bit = load<u32>(name + 28);
  if (kind == 0 || (seen & bit) != 0) return false;
  seen |= bit;
  if (kind == kindData) {
    dataAt = at;
    if (!value(next)) return false;
    dataEnd = at;
    return true;
  }
  let begin = at;
  let end: usize;
  if (next == quote) {
    begin++;
    end = plainEnd(begin);
    if (load<u8>(end) != quote) return false;
    at = end + 1;
  } else {
    if (!number(next)) return false;
    end = at;
  }
  return field(load<u8>(name + 24), kind, begin, end);
}

function field(tag: u32, kind: u32, begin: usize, end: usize): bool {
  const length = end - begin;
  if (length > fieldBytesMax) return false;
  if (kind == kindTopic) return topic(begin, end);
  if (length == 0) return true;
  if (kind == kindLevel && length == 8 && isCorrected(begin)) return false;
  if (kind == kindTime && length != timeDigits) return false;
  span(tag, begin, end);
  return kind != kindTime || time(begin, end);
}

/** "warnning". */
function isCorrected(begin: usize): bool {
  return load<u64>(begin) == 0x676e696e6e726177;
}

function topic(begin: usize, end: usize): bool {
  const length = end - begin;
  for (let number: usize = 0; number < topicCount; number++) {
    const known = topics + number * topicBytes;
    if (load<u8>(known) != length || length == 0 || !isSame(begin, known + 1, length)) continue;
    hasTopic = true;
    span(topicTag, begin, end);
    return true;
  }
  unknownTopicAt = begin;
  unknownTopicEnd = end;
  return false;
}

function time(begin: usize, end: usize): bool {
  let ms: u64 = 0;
  for (let digit = begin; digit < end; digit++) {
    const value: u32 = (load<u8>(digit) as u32) - zero;
    if (value > 9) return false;
    ms = ms * 10 + value;
  }
  store<u8>(out, submittedMsTag);
  store<u8>(out + 1, 8);
  store<f64>(out + 2, ms as f64);
  out += 10;
  return true;
}

/** Tag, length and bytes. What is copied too much the next one covers. */
function span(tag: u32, begin: usize, end: usize): void {
  const length = end - begin;
  store<u8>(out, tag);
  if (length < 128) {
    store<u8>(out + 1, length);
    out += 2;
  } else {
    store<u8>(out + 1, (length & 127) | 128);
    store<u8>(out + 2, length >> 7);
    out += 3;
  }
  for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(begin + i));
  out += length;
}

/** Any value of one's own; of what is open it keeps a bit each, 1 for an object. */
function value(next: u32): bool {
  let open: u64 = 0;
  // The message itself is one.
  let depth = 1;
  do {
    if (next == openObject || next == openList) {
      if (++depth > depthMax) return false;
      open = (open << 1) | ((next == openObject) as u64);
      at++;
      next = peek();
      if (next != closing(open)) {
        next = element(open, next);
        if (next == 0) return false;
        continue;
      }
      at++;
      open >>= 1;
      depth--;
    } else if (!single(next)) return false;
    while (depth > 1) {
      next = peek();
      at++;
      if (next == comma) {
        next = element(open, peek());
        if (next == 0) return false;
        break;
      }
      if (next != closing(open)) return false;
      open >>= 1;
      depth--;
    }
  } while (depth > 1);
  return true;
}

function closing(open: u64): u32 {
  return (open & 1) != 0 ? closeObject : closeList;
}

/** The first byte of the next value in what is open, behind the name in an object; or 0. */
function element(open: u64, next: u32): u32 {
  if ((open & 1) == 0) return next;
  return next == quote && text() ? behindColon() : 0;
}

/** A value that holds no others. */
function single(next: u32): bool {
  if (next == quote) return text();
  if (next == 0x74) return word(0x65757274, 4);
  if (next == 0x66) return word(0x736c6166, 4) && load<u8>(at++) == 0x65;
  if (next == 0x6e) return word(0x6c6c756e, 4);
  return number(next);
}

function word(letters: u32, length: usize): bool {
  if (load<u32>(at) != letters) return false;
  at += length;
  return true;
}

/** A string from quote to quote, with escapes. */
function text(): bool {
  at++;
  while (true) {
    at = plainEnd(at);
    const found = load<u8>(at);
    if (found == quote) {
      at++;
      return true;
    }
    if (found != backslash || !escape()) return false;
  }
}

function escape(): bool {
  const letter: u32 = load<u8>(at + 1);
  at += 2;
  if (letter == 0x75) {
    for (let last = at + 4; at < last; at++) if (!isHex(load<u8>(at))) return false;
    return true;
  }
  return letter == quote || letter == backslash || letter == 0x2f || letter == 0x62 || letter == 0x66 ||
    letter == 0x6e || letter == 0x72 || letter == 0x74;
}

function isHex(letter: u32): bool {
  return letter - zero <= 9 || (letter | 0x20) - 0x61 <= 5;
}

function number(next: u32): bool {
  if (next == minus) at++;
  if (load<u8>(at) == zero) at++;
  else if (!digits()) return false;
  if (load<u8>(at) == dot) {
    at++;
    if (!digits()) return false;
  }
  if (((load<u8>(at) as u32) | 0x20) != 0x65) return true;
  at++;
  const sign: u32 = load<u8>(at);
  if (sign == 0x2b || sign == minus) at++;
  return digits();
}

function digits(): bool {
  const begin = at;
  while ((load<u8>(at) as u32) - zero <= 9) at++;
  return at > begin;
}

/** The next byte that is no space. */
function peek(): u32 {
  let next: u32 = load<u8>(at);
  while (next == 0x20 || next == 0x09 || next == 0x0d) next = load<u8>(++at);
  return next;
}

/** Where from `from` on something stands that is not just a byte of a string: quote, backslash, control character. */
function plainEnd(from: usize): usize {
  while (true) {
    const bytes = v128.load(from);
    const special = v128.or(
      v128.or(i8x16.eq(bytes, i8x16.splat(quote as i8)), i8x16.eq(bytes, i8x16.splat(backslash as i8))),
      i8x16.lt_u(bytes, i8x16.splat(0x20)),
    );
    const mask = i8x16.bitmask(special);
    if (mask != 0) return from + ctz(mask);
    from += 16;
  }
}
