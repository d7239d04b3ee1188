/* The surface or curve with its axes, the paths on it, the crosshair and the step that is looked at. */

const BAR = 12;
const ROOM = 9; // round the surface, for paths that run along its edge

function pictureOf(plot, state, table, clip) {
  const canvas = plot.querySelector("canvas");
  const overlay = element(plot, "svg", { "aria-hidden": "true" });
  let frame = null;

  const flat = () => state.view.scales.length === 1;

  function measure() {
    const width = Math.floor(plot.clientWidth);
    const [left, right] = [54 + ROOM, 14 + ROOM];
    const top = ROOM + (flat() ? 12 : 44);
    const inner = Math.max(width - left - right, 60);
    const tall = Math.min(flat() ? 0.75 * inner : inner, 460);
    const [xAxis, yAxis] = state.view.axes;
    const along = (axis, from, to) => (v) => from + ((to - from) * (v - axis[0])) / (axis[axis.length - 1] - axis[0]);
    const x = along(xAxis, left, left + inner);
    const level = (value) => top + tall * (1 - state.quantity.share(state.quantity.inward(value)));
    const y = flat() ? level : along(yAxis, top + tall, top);
    const place = (point) => {
      if (!flat()) return [x(point[0]), y(point[1])];
      const value = interpolated(state.view, state.quantity, point);
      return value === null ? null : [x(point[0]), y(value)];
    };
    return { width, height: top + tall + ROOM + 46, left, top, inner, tall, x, y, place };
  }

  function draw() {
    frame = measure();
    plot.style.height = frame.height + "px";
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    canvas.width = Math.round(frame.width * ratio);
    canvas.height = Math.round(frame.height * ratio);
    const context = canvas.getContext("2d");
    if (!flat()) {
      const scaled = (...lengths) => lengths.map((v) => Math.round(v * ratio));
      const [left, top, wide, tall, bar] = scaled(frame.left, frame.top, frame.inner, frame.tall, BAR);
      const line = Math.max(1, Math.round(ratio));
      context.putImageData(surfaceImage(context, state.view, state.quantity, table, wide, tall, line), left, top);
      context.putImageData(barImage(context, table, wide, bar), left, 0);
    }
    drawOverlay();
  }

  function drawOverlay() {
    const { width, height, left, top, inner, tall } = frame;
    overlay.replaceChildren();
    overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const area = { x: left - ROOM, y: top - ROOM, width: inner + 2 * ROOM, height: tall + 2 * ROOM };
    element(element(element(overlay, "defs"), "clipPath", { id: clip }), "rect", area);
    drawAxes(area);
    const inside = element(overlay, "g", { "clip-path": "url(#" + clip + ")" });
    if (flat()) drawCurve(inside);
    const shown = state.view.routes.filter((route) => state.shown.get(route.key));
    shown.forEach((route, rank) => drawRoute(inside, route, rank));
    drawCross(inside);
    if (state.route) drawStep();
  }

  function drawAxes(area) {
    const { left, top, inner, tall, x, y } = frame;
    const [side, bottom] = [left - ROOM, top + tall + ROOM];
    const axes = element(overlay, "g", { class: "explorer-axes" });
    element(axes, "rect", { ...area, class: "explorer-edge" });
    const ends = (axis) => [axis[0], axis[axis.length - 1]];
    const words = (scale) => `log-SNR of ${scale} (nats)`;
    for (const tick of linearTicks(...ends(state.view.axes[0]), inner / 45)) {
      element(axes, "line", { x1: x(tick.value), x2: x(tick.value), y1: bottom, y2: bottom + 5 });
      element(axes, "text", { x: x(tick.value), y: bottom + 19, "text-anchor": "middle" }, tick.text);
    }
    const middle = { x: left + inner / 2, y: bottom + 39, "text-anchor": "middle", class: "explorer-name" };
    element(axes, "text", middle, words(state.view.scales[0]));
    const upward = flat() ? state.quantity.ticks(tall / 40) : linearTicks(...ends(state.view.axes[1]), tall / 45);
    for (const tick of upward) {
      const at = y(tick.value);
      element(axes, "line", { x1: side - (tick.text ? 5 : 3), x2: side, y1: at, y2: at });
      element(axes, "text", { x: side - 8, y: at + 4, "text-anchor": "end" }, tick.text);
    }
    if (flat()) return;
    const turned = `translate(13 ${top + tall / 2}) rotate(-90)`;
    const name = { transform: turned, "text-anchor": "middle", class: "explorer-name" };
    element(axes, "text", name, words(state.view.scales[1]));
    element(axes, "rect", { x: left, y: 0.5, width: inner, height: BAR, class: "explorer-edge" });
    for (const tick of state.quantity.ticks(8)) {
      const at = left + inner * state.quantity.share(state.quantity.inward(tick.value));
      element(axes, "line", { x1: at, x2: at, y1: BAR, y2: BAR + (tick.text ? 5 : 3) });
      element(axes, "text", { x: at, y: BAR + 18, "text-anchor": "middle" }, tick.text);
    }
  }

  const trace = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

  function drawCurve(parent) {
    const points = state.view.axes[0].map((x) => frame.place([x]));
    element(parent, "path", { d: trace(points), class: "explorer-curve" });
  }

  function drawRoute(parent, route, rank) {
    const followed = route === state.route;
    // Paths of one scale share a curve: each later one has smaller dots, so that those below still show.
    const r = flat() ? Math.max(7.5 - 2.5 * rank, 2) : followed ? 3.8 : 3;
    const group = element(parent, "g", { "data-route": route.key });
    const points = route.points.filter((point) => point !== null).map(frame.place).filter((place) => place !== null);
    if (!flat()) {
      element(group, "path", { d: trace(points), class: "explorer-halo" });
      const line = { d: trace(points), class: "explorer-line", stroke: route.colour };
      element(group, "path", { ...line, "stroke-width": followed ? 2.8 : 1.8 });
    }
    for (const [cx, cy] of points) {
      element(group, "circle", { cx, cy, r, fill: route.colour, class: "explorer-dot" });
    }
  }

  function drawCross(parent) {
    const { left, top, inner, tall, place } = frame;
    const found = place(state.cross);
    if (found === null) return;
    const [x, y] = found;
    const lines = `M${left - ROOM} ${y}h${inner + 2 * ROOM}M${x} ${top - ROOM}v${tall + 2 * ROOM}`;
    const group = element(parent, "g", { class: "explorer-cross" });
    element(group, "path", { d: lines, class: "explorer-cross-light" });
    element(group, "path", { d: lines, class: "explorer-cross-dark" });
  }

  function drawStep() {
    const point = state.route.points[state.step];
    const found = point && interpolated(state.view, state.quantity, point) !== null && frame.place(point);
    if (!found) return;
    const ring = { cx: found[0], cy: found[1], r: 10, fill: "none" };
    const group = element(overlay, "g", { class: "explorer-marker" });
    element(group, "circle", { ...ring, stroke: "#fff", "stroke-width": 6 });
    element(group, "circle", { ...ring, stroke: state.route.colour, "stroke-width": 3 });
  }

  /* How far along each axis a place of the window lies. */
  function shareAt(x, y) {
    const box = plot.getBoundingClientRect();
    return [(x - box.left - frame.left) / frame.inner, 1 - (y - box.top - frame.top) / frame.tall];
  }

  function fit() {
    if (Math.floor(plot.clientWidth) !== frame.width) draw();
  }

  return { draw, drawOverlay, shareAt, fit };
}

