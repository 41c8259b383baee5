// What hessian.js reads and writes, one line in, one line out:
//
//   D hex   every value in the bytes, as text (the text of HessianOracle.java)
//   R hex   the same values, written again
//
// Answers begin with OK or ERR. The library would make JavaScript's own values of what it reads, and
// of a double without a fraction the same number as of an int. So its reader is derived from: what its
// table of lead bytes calls a value is kept beside the value, and a map keeps its keys as they came.
// Reading, chunks, tables and packing are the library's.
'use strict';

const { DecoderV2, EncoderV2 } = require('hessian.js');

class Scalar {
  constructor(method, value) { this.method = method; this.$ = value; }
  // The library files values of maps under the text of their keys as well: these never meet.
  toString() { return `scalar ${Scalar.count++}`; }
}
Scalar.count = 0;

const SCALARS = new Set(['readNull', 'readBool', 'readInt', 'readLong', 'readDouble', 'readDate', 'readString', 'readBytes']);

class Reader extends DecoderV2 {
  constructor(bytes) { super(bytes); this.size = bytes.length; this.fields = new Map(); }

  get more() { return this.position() < this.size; }

  _addRef(value) { super._addRef(value); this.fields.set(value, value.$); }

  read() {
    const method = this.BYTE_CODES[this.byteBuffer.get(this.position())];
    let value = super.read(true);
    if (value === undefined) throw new Error('nothing was read');
    if (SCALARS.has(method)) {
      if (value && Object.hasOwn(value, '$class')) value = value.$;
      return new Scalar(method, value);
    }
    // Each time that the library meets a map without a class, it wraps it anew.
    if (isMap(parts(value)) && !this.fields.has(value)) return parts(value);
    // Of an exception the library makes an Error; its fields are what was read first.
    if (this.fields.get(value)) value.$ = this.fields.get(value);
    return value;
  }
}

const isMap = (value) => Object.hasOwn(value, '$map');
const parts = (value) => (Object.hasOwn(value, '$class') ? value.$ : value);

function show(value, seen) {
  if (value instanceof Scalar) return showScalar(value);
  if (seen.has(value)) return `@${seen.get(value)}`;
  seen.set(value, seen.size);
  const name = Object.hasOwn(value, '$class') ? quote(value.$class) : '';
  const inner = parts(value);
  if (Array.isArray(inner)) return `${name}[${inner.map((item) => show(item, seen)).join(',')}]`;
  if (isMap(inner)) {
    const entries = [...inner.$map].map(([key, item]) => `${show(key, seen)}=${show(item, seen)}`);
    return `${name}{${entries.join(',')}}`;
  }
  const fields = Object.keys(inner).map((field) => `${escape(field)}=${show(inner[field], seen)}`);
  return `${name}(${fields.join(',')})`;
}

function showScalar({ method, $: value }) {
  switch (method) {
    case 'readNull': return 'N';
    case 'readBool': return value ? 'T' : 'F';
    case 'readInt': return `${value}`;
    case 'readLong': return `${value}L`;
    case 'readDouble': {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value);
      return `d${view.getBigUint64(0).toString(16).padStart(16, '0')}`;
    }
    case 'readDate': return `t${value.getTime()}`;
    case 'readString': return quote(value);
    default: return `x${value.toString('hex')}`;
  }
}

const quote = (text) => `"${escape(text)}"`;

function escape(text) {
  let all = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x22 || unit === 0x5c) all += `\\${text[i]}`;
    else if (unit >= 0x20 && unit < 0x7f) all += text[i];
    else all += `\\u${unit.toString(16).padStart(4, '0')}`;
  }
  return all;
}

class Writer extends EncoderV2 {
  write(value) {
    if (value instanceof Scalar) {
      const method = value.method.replace('read', 'write');
      return value.$ === null ? this.writeNull() : this[method](value.$);
    }
    const inner = parts(value);
    if (Array.isArray(inner)) return this.writeArray(value);
    // A Map is the only thing of which the library writes a map.
    if (isMap(inner) && inner === value) return this.writeObject(inner.$map);
    return this.writeObject(value);
  }
}

function answer(what, bytes) {
  const reader = new Reader(bytes);
  const values = [];
  while (reader.more) values.push(reader.read());
  if (what === 'D') {
    const seen = new Map();
    return values.map((value) => show(value, seen)).join(' ');
  }
  const writer = new Writer();
  values.forEach((value) => writer.write(value));
  return writer.get().toString('hex');
}

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let text;
  try {
    text = `OK ${answer(line[0], Buffer.from(line.slice(2), 'hex'))}`;
  } catch (error) {
    text = `ERR ${error.constructor.name} ${quote(String(error.message))}`;
  }
  process.stdout.write(`${text}\n`);
});
