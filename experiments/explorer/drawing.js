"use strict";
/* Numbers in words, ticks, interpolation, and the surface in colour. */

const DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function minus(text) {
  return text.replace(/-/g, "−");
}

function power(exponent) {
  return "10" + (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((d) => DIGITS[d]).join("");
}

/* A value to so many digits; powers of ten where plain digits would be hard to read. */
function readable(value, digits = 4) {
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const size = Number(exponent);
  if (size < -3 || size > 5) return minus(mantissa) + "·" + power(size);
  return minus(size >= digits ? value.toFixed(0) : value.toPrecision(digits));
}

function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    found.push({ value: i * step, text: minus(String(Number((i * step).toPrecision(6)))) });
  }
  return found;
}

/* Powers of ten with words, and 2 and 5 times each without while there is room for their lines. */
function logarithmicTicks(low, high, most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const decades = last - first >= 2;
  const stride = Math.max(1, Math.ceil((last - first + 1) / most));
  const plain = first >= -3 && last <= 4;
  const found = [];
  for (let e = Math.floor((first - 1) / stride) * stride; e <= last + 1; e += stride) {
    for (const m of stride === 1 ? [1, 2, 5] : [1]) {
      const value = Number(`${m}e${e}`);
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      const words = decades ? (plain || e === 0 ? String(value) : power(e)) : readable(value, 1);
      found.push({ value, text: decades && m > 1 ? "" : words });
    }
  }
  return found.length >= 2 ? found : linearTicks(low, high, most);
}

/* A quantity with its numbers unpacked, in the form that is interpolated: logarithms where it is logarithmic. */
function unpacked(quantity) {
  const bytes = Uint8Array.from(atob(quantity.values), (c) => c.charCodeAt(0));
  const field = new Float32Array(bytes.buffer);
  const values = quantity.logarithmic ? Float64Array.from(field, Math.log) : Float64Array.from(field);
  const outward = quantity.logarithmic ? Math.exp : (v) => v;
  let [low, high] = quantity.limits ?? [
    outward(values.reduce((a, b) => Math.min(a, b))),
    outward(values.reduce((a, b) => Math.max(a, b))),
  ];
  if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) {
    const room = Math.abs(high) / 2 || 0.5;
    [low, high] = [low - room, high + room];
  }
  const inward = quantity.logarithmic ? Math.log : (v) => v;
  const ticks = (most) => (quantity.logarithmic ? logarithmicTicks : linearTicks)(low, high, most);
  const share = (v) => (v - inward(low)) / (inward(high) - inward(low));
  return { ...quantity, values, inward, outward, ticks, share };
}

/* The cell of an axis that a log-SNR lies in, and how far into it; null beyond the ends. */
function locate(axis, x) {
  const last = axis.length - 1;
  const slack = 1e-5 * (axis[last] - axis[0]);
  if (!(x >= axis[0] - slack && x <= axis[last] + slack)) return null;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle] <= x) low = middle;
    else high = middle;
  }
  return [low, Math.min(Math.max((x - axis[low]) / (axis[high] - axis[low]), 0), 1)];
}

function mixed(values, columns, [i, u], [j, v]) {
  const a = values[i * columns + j] * (1 - v) + (v && values[i * columns + j + 1] * v);
  if (!u) return a;
  return a * (1 - u) + u * (values[(i + 1) * columns + j] * (1 - v) + (v && values[(i + 1) * columns + j + 1] * v));
}

/* A quantity between grid points, linear in what is drawn; null beyond the grid. */
function interpolated(view, quantity, point) {
  const places = view.axes.map((axis, k) => locate(axis, point[k]));
  if (places.includes(null)) return null;
  const columns = view.axes.length === 2 ? view.axes[1].length : 1;
  return quantity.outward(mixed(quantity.values, columns, places[0], places[1] ?? [0, 0]));
}

function colourBytes(hex) {
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

function colourAt(table, share) {
  return 3 * Math.round(255 * Math.min(Math.max(share, 0), 1));
}

/* The surface pixel by pixel, with a light line where a tick of the colour bar is crossed. */
function surfaceImage(context, view, quantity, table, width, height, thickness) {
  const image = context.createImageData(width, height);
  const places = [0, 1].map((k) => {
    const [axis, count] = [view.axes[k], k ? height : width];
    const span = axis[axis.length - 1] - axis[0];
    return Array.from({ length: count }, (_, i) => locate(axis, axis[0] + (span * (i + 0.5)) / count));
  });
  const edges = quantity.ticks(8).map((tick) => quantity.inward(tick.value));
  const levels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const place = places[1][height - 1 - row];
    for (let column = 0; column < width; column++) {
      const value = mixed(quantity.values, view.axes[1].length, places[0][column], place);
      const here = row * width + column;
      let level = 0;
      while (level < edges.length && edges[level] <= value) level++;
      levels[here] = level;
      const left = column < thickness ? level : levels[here - thickness];
      const above = row < thickness ? level : levels[here - thickness * width];
      const light = left !== level || above !== level ? 0.45 : 0;
      const from = colourAt(table, quantity.share(value));
      for (let c = 0; c < 3; c++) image.data[4 * here + c] = table[from + c] * (1 - light) + 255 * light;
      image.data[4 * here + 3] = 255;
    }
  }
  return image;
}

function barImage(context, table, width, height) {
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const from = colourAt(table, (i % width) / (width - 1));
    image.data.set([table[from], table[from + 1], table[from + 2], 255], 4 * i);
  }
  return image;
}

function element(parent, tag, attributes = {}, text = null) {
  const drawn = ["svg", "g", "path", "circle", "line", "text", "rect", "clipPath", "defs"].includes(tag);
  const made = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}
