"use strict";
/* Charts as SVG. What is data becomes text and numbers, never markup: there is no innerHTML in here. */

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, words) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (words !== undefined) made.textContent = words;
  return made;
}

function compact(number) {
  if (number >= 1e6) return (number / 1e6).toFixed(1) + "M";
  if (number >= 1e4) return (number / 1e3).toFixed(0) + "k";
  return number >= 10 || Number.isInteger(number) ? Math.round(number).toLocaleString("en-US") : number.toFixed(1);
}

/* Bars a minute, above the line what came in and below it what went out, to one scale. */
function flowChart(incoming, outgoing) {
  const width = 720, half = 84, left = 44, top = 8, middle = top + half, bottom = middle + half + 2;
  const most = Math.max(1, ...incoming, ...outgoing);
  const svg = shape("svg", {viewBox: `0 0 ${width} ${bottom + 20}`, role: "img"});
  svg.append(shape("title", {}, `files a minute over the last hour, most ${compact(most)}`));
  const step = (width - left - 4) / 60;
  const bars = (values, kind, grows) => values.forEach((value, minute) => {
    const height = value > 0 ? Math.max(1.5, value / most * half) : 0;
    const y = grows < 0 ? middle - height : middle + 2;
    const bar = shape("rect", {class: kind, x: (left + minute * step + 0.75).toFixed(2), y: y.toFixed(2),
      width: (step - 1.5).toFixed(2), height: height.toFixed(2), rx: 1});
    bar.append(shape("title", {}, `${59 - minute} min ago: ${compact(value)} ${kind}`));
    svg.append(bar);
  });
  for (const y of [top, middle + 1, bottom]) {
    svg.append(shape("line", {class: "grid", x1: left, x2: width - 4, y1: y, y2: y}));
  }
  bars(incoming, "in", -1);
  bars(outgoing, "out", 1);
  svg.append(shape("text", {x: left - 6, y: top + 8, "text-anchor": "end"}, compact(most)));
  svg.append(shape("text", {x: left - 6, y: middle + 5, "text-anchor": "end"}, "0"));
  svg.append(shape("text", {x: left - 6, y: bottom, "text-anchor": "end"}, compact(most)));
  for (const ago of [60, 45, 30, 15, 0]) {
    const x = left + (60 - ago) * step;
    const anchor = ago === 60 ? "start" : ago === 0 ? "end" : "middle";
    svg.append(shape("text", {x: x.toFixed(1), y: bottom + 15, "text-anchor": anchor}, ago ? `-${ago} min` : "now"));
  }
  return svg;
}

/* Parts of a whole next to each other: [[class, number], ...]. */
function stackedBar(parts) {
  const svg = shape("svg", {viewBox: "0 0 400 14", preserveAspectRatio: "none", height: 14});
  const whole = parts.reduce((sum, part) => sum + part[1], 0);
  svg.append(shape("rect", {class: "track", x: 0, y: 0, width: 400, height: 14, rx: 3}));
  let x = 0;
  for (const [kind, count] of parts) {
    if (!count) continue;
    const width = Math.max(2, count / whole * 400);
    svg.append(shape("rect", {class: kind, x: x.toFixed(2), y: 0, width: width.toFixed(2), height: 14}));
    x += width;
  }
  return svg;
}

/* How full: share from 0 to 1. */
function gauge(share, kind) {
  const svg = shape("svg", {viewBox: "0 0 400 10", preserveAspectRatio: "none", height: 10});
  svg.append(shape("rect", {class: "track", x: 0, y: 0, width: 400, height: 10, rx: 3}));
  const full = Math.max(0, Math.min(1, share)) * 400;
  svg.append(shape("rect", {class: kind, x: 0, y: 0, width: full.toFixed(2), height: 10, rx: 3}));
  return svg;
}

/* A line through the values of an hour; where there are none it is broken. */
function sparkLine(values) {
  const svg = shape("svg", {viewBox: "0 0 240 36", preserveAspectRatio: "none"});
  const most = Math.max(1e-9, ...values.filter((value) => value !== null));
  let path = "", isOn = false;
  values.forEach((value, minute) => {
    if (value === null) { isOn = false; return; }
    const x = minute / 59 * 240, y = 34 - value / most * 31;
    path += `${isOn ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    if (!isOn) path += `l0.5 0`;
    isOn = true;
  });
  svg.append(shape("line", {class: "grid", x1: 0, x2: 240, y1: 35, y2: 35}));
  svg.append(shape("path", {class: "spark", d: path || "M0 0"}));
  return svg;
}

function swatch(kind, words) {
  const key = document.createElement("span");
  key.className = "key";
  const svg = shape("svg", {viewBox: "0 0 10 10"});
  svg.append(shape("rect", {class: kind, width: 10, height: 10, rx: 2}));
  key.append(svg, document.createTextNode(words));
  return key;
}
