/* What the reader has chosen, and the picture of it. */

const BAR = 12;

function explore(root, number) {
  const data = JSON.parse(root.querySelector(".explorer-data").textContent);
  const table = colourBytes(data.colours);
  const part = (name) => root.querySelector(".explorer-" + name);
  const plot = part("plot");
  const canvas = plot.querySelector("canvas");
  const overlay = element(plot, "svg", { "aria-hidden": "true" });
  const state = { view: null, quantity: null, route: null, step: 0, shown: new Map(), cross: [] };
  let frame = null;
  let timer = null;

  const flat = () => state.view.scales.length === 1;
  const steps = () => state.route.points.length - 1;

  /* Choices */

  function fill(select, options, chosen) {
    select.replaceChildren();
    const groups = new Map();
    for (const option of options) {
      const group = option.group ?? "";
      if (!groups.has(group)) groups.set(group, group ? element(select, "optgroup", { label: group }) : select);
      element(groups.get(group), "option", { value: option.key }, option.label);
    }
    select.value = chosen;
  }

  const same = (list, old) => list.find((item) => item.key === old?.key) ?? list[0] ?? null;

  function chooseView(key) {
    stop();
    state.view = data.views.find((view) => view.key === key);
    state.route = same(state.view.routes, state.route);
    for (const route of state.view.routes) {
      if (!state.shown.has(route.key)) state.shown.set(route.key, route.shown);
    }
    state.view.axes.forEach((axis, k) => {
      const middle = axis[axis.length >> 1];
      state.cross[k] = Math.min(Math.max(state.cross[k] ?? middle, axis[0]), axis[axis.length - 1]);
    });
    fill(part("quantity"), state.view.quantities, null);
    part("walk").hidden = part("paths").hidden = !state.route;
    if (state.route) {
      fill(part("route"), state.view.routes, state.route.key);
      state.step = Math.min(state.step, steps());
    }
    listPaths();
    part("note").textContent = state.view.note;
    chooseQuantity(same(state.view.quantities, state.quantity).key);
  }

  function chooseQuantity(key) {
    const found = state.view.quantities.find((quantity) => quantity.key === key);
    state.quantity = unpacked(found);
    part("quantity").value = key;
    part("title").textContent = found.label + (found.units ? ` (${found.units})` : "");
    plot.setAttribute(
      "aria-label",
      `${found.label}, ${state.view.label}: arrow keys move a crosshair over the log-SNRs of ${state.view.scales.join(" and ")}`,
    );
    draw();
    tellCross();
    tellStep();
  }

  function listPaths() {
    for (const row of part("paths").querySelectorAll("label")) row.remove();
    for (const route of state.view.routes) {
      const row = element(part("paths"), "label");
      const box = element(row, "input", { type: "checkbox", value: route.key });
      box.checked = state.shown.get(route.key);
      box.addEventListener("change", () => {
        state.shown.set(route.key, box.checked);
        drawOverlay();
      });
      element(row, "span", { class: "explorer-swatch", style: `background:${route.colour}` });
      const words = element(row, "span", {}, route.label);
      if (route.note) element(words, "small", {}, route.note);
    }
  }

  function chooseRoute(key) {
    stop();
    state.route = state.view.routes.find((route) => route.key === key);
    state.step = Math.min(state.step, steps());
    state.shown.set(key, true);
    for (const box of part("paths").querySelectorAll("input")) box.checked = state.shown.get(box.value);
    drawOverlay();
    tellStep();
  }

  function chooseStep(step) {
    state.step = Math.min(Math.max(step, 0), steps());
    drawOverlay();
    tellStep();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    part("play").textContent = "play";
    part("play").setAttribute("aria-pressed", "false");
  }

  function play() {
    if (timer !== null) return stop();
    if (state.step === steps()) chooseStep(0);
    part("play").textContent = "pause";
    part("play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      chooseStep(state.step + 1);
      if (state.step === steps()) stop();
    }, 500);
  }

  /* Readouts */

  function readout(node, title, point) {
    node.replaceChildren();
    const shown = element(node, "table");
    element(shown, "caption", {}, title);
    const head = element(element(shown, "thead"), "tr");
    for (const words of ["scale", "log-SNR (nats)", "noise σ"]) element(head, "th", { scope: "col" }, words);
    const body = element(shown, "tbody");
    state.view.scales.forEach((scale, k) => {
      const row = element(body, "tr");
      element(row, "th", { scope: "row" }, scale);
      element(row, "td", {}, point ? minus(point[k].toFixed(3)) : "∞");
      element(row, "td", {}, point ? readable(Math.exp(-point[k] / 2)) : "0");
    });
    const value = point && interpolated(state.view, state.quantity, point);
    const line = element(node, "p", { class: "explorer-value" }, state.quantity.label + ": ");
    element(line, "strong", {}, value === null ? "not on the surface" : readable(value));
    if (value !== null && state.quantity.units) line.append(" " + state.quantity.units);
  }

  function tellCross() {
    readout(part("at-cross"), "At the crosshair", state.cross);
  }

  function tellStep() {
    if (!state.route) return;
    const title = `Step ${state.step} of ${steps()}`;
    const slider = part("step");
    slider.max = steps();
    slider.value = state.step;
    slider.setAttribute("aria-valuetext", title);
    part("previous").disabled = state.step === 0;
    part("next").disabled = state.step === steps();
    const point = state.route.points[state.step];
    readout(part("at-step"), point ? title : title + ": clean data", point);
    if (state.route.note) element(part("at-step"), "p", {}, `${state.route.label}: ${state.route.note}`);
    showImages();
  }

  function showImages() {
    const strip = state.route.strip;
    part("strip").hidden = !strip;
    if (!strip) return;
    const { route, step } = state;
    strip.picture ??= Object.assign(new Image(), { src: strip.sheet });
    strip.picture.decode().then(() => {
      if (route !== state.route || step !== state.step) return;
      const images = part("images");
      images.setAttribute("aria-label", `${strip.caption}, step ${step} of ${steps()}`);
      while (images.children.length > strip.images) images.lastChild.remove();
      while (images.children.length < strip.images) element(images, "canvas");
      [...images.children].forEach((image, index) => {
        // Whole multiples keep every pixel of a small image equally large.
        const zoom = Math.max(1, Math.round(72 / strip.width));
        Object.assign(image, { width: strip.width, height: strip.height });
        image.style.width = zoom * strip.width + "px";
        const from = [index * strip.width, step * strip.height, strip.width, strip.height];
        image.getContext("2d").drawImage(strip.picture, ...from, 0, 0, strip.width, strip.height);
      });
      part("strip").querySelector("figcaption").textContent = strip.caption;
    });
  }

  /* The picture */

  function measure() {
    const width = Math.floor(plot.clientWidth);
    const [left, right] = [54, 14];
    const top = flat() ? 12 : 48;
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
    return { width, height: top + tall + 46, left, top, inner, tall, x, y, place };
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
    const clip = `explorer-${number}-area`;
    const area = { x: left, y: top, width: inner, height: tall };
    element(element(element(overlay, "defs"), "clipPath", { id: clip }), "rect", area);
    drawAxes();
    const inside = element(overlay, "g", { "clip-path": `url(#${clip})` });
    if (flat()) drawCurve(inside);
    state.view.routes.forEach((route) => state.shown.get(route.key) && drawRoute(inside, route));
    drawCross(inside);
    if (state.route) drawStep();
  }

  function drawAxes() {
    const { left, top, inner, tall, x, y } = frame;
    const bottom = top + tall;
    const axes = element(overlay, "g", { class: "explorer-axes" });
    element(axes, "rect", { x: left, y: top, width: inner, height: tall, class: "explorer-edge" });
    const ends = (axis) => [axis[0], axis[axis.length - 1]];
    const words = (scale) => `log-SNR of ${scale} (nats)`;
    for (const tick of linearTicks(...ends(state.view.axes[0]), inner / 55)) {
      element(axes, "line", { x1: x(tick.value), x2: x(tick.value), y1: bottom, y2: bottom + 5 });
      element(axes, "text", { x: x(tick.value), y: bottom + 19, "text-anchor": "middle" }, tick.text);
    }
    const middle = { x: left + inner / 2, y: bottom + 39, "text-anchor": "middle", class: "explorer-name" };
    element(axes, "text", middle, words(state.view.scales[0]));
    const upward = flat() ? state.quantity.ticks(tall / 40) : linearTicks(...ends(state.view.axes[1]), tall / 45);
    for (const tick of upward) {
      const at = y(tick.value);
      element(axes, "line", { x1: left - 5, x2: left, y1: at, y2: at });
      element(axes, "text", { x: left - 8, y: at + 4, "text-anchor": "end" }, tick.text);
    }
    if (flat()) return;
    const turned = `translate(13 ${top + tall / 2}) rotate(-90)`;
    const name = { transform: turned, "text-anchor": "middle", class: "explorer-name" };
    element(axes, "text", name, words(state.view.scales[1]));
    element(axes, "rect", { x: left, y: 0.5, width: inner, height: BAR, class: "explorer-edge" });
    for (const tick of state.quantity.ticks(8)) {
      const at = left + inner * state.quantity.share(state.quantity.inward(tick.value));
      element(axes, "line", { x1: at, x2: at, y1: BAR, y2: BAR + 5 });
      element(axes, "text", { x: at, y: BAR + 18, "text-anchor": "middle" }, tick.text);
    }
  }

  const trace = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

  function drawCurve(parent) {
    const points = state.view.axes[0].map((x) => frame.place([x]));
    element(parent, "path", { d: trace(points), class: "explorer-curve" });
  }

  function drawRoute(parent, route) {
    const followed = route === state.route;
    const group = element(parent, "g", { "data-route": route.key });
    const points = route.points.filter((point) => point !== null).map(frame.place).filter((place) => place !== null);
    if (!flat()) {
      element(group, "path", { d: trace(points), class: "explorer-halo" });
      const line = { d: trace(points), class: "explorer-line", stroke: route.colour };
      element(group, "path", { ...line, "stroke-width": followed ? 2.8 : 1.8 });
    }
    for (const [cx, cy] of points) {
      element(group, "circle", { cx, cy, r: followed ? 3.8 : 3, fill: route.colour, class: "explorer-dot" });
    }
  }

  function drawCross(parent) {
    const { left, top, inner, tall, place } = frame;
    const found = place(state.cross);
    if (found === null) return;
    const [x, y] = found;
    const lines = `M${left} ${y}h${inner}M${x} ${top}v${tall}`;
    const group = element(parent, "g", { class: "explorer-cross" });
    element(group, "path", { d: lines, class: "explorer-cross-light" });
    element(group, "path", { d: lines, class: "explorer-cross-dark" });
  }

  function drawStep() {
    const point = state.route.points[state.step];
    const found = point && interpolated(state.view, state.quantity, point) !== null && frame.place(point);
    if (!found) return;
    const ring = { cx: found[0], cy: found[1], r: 8, fill: "none" };
    const group = element(overlay, "g", { class: "explorer-marker" });
    element(group, "circle", { ...ring, stroke: "#fff", "stroke-width": 6 });
    element(group, "circle", { ...ring, stroke: state.route.colour, "stroke-width": 3 });
  }

  /* Pointer and keys */

  function pointed(event) {
    const box = plot.getBoundingClientRect();
    const share = [(event.clientX - box.left - frame.left) / frame.inner, 1 - (event.clientY - box.top - frame.top) / frame.tall];
    state.view.axes.forEach((axis, k) => {
      const span = axis[axis.length - 1] - axis[0];
      state.cross[k] = axis[0] + span * Math.min(Math.max(share[k], 0), 1);
    });
    part("at-cross").setAttribute("aria-live", "off"); // a moving pointer would talk without end
    drawOverlay();
    tellCross();
  }

  /* The grid point that lies some places further on from a log-SNR. */
  function further(axis, from, count) {
    const slack = 1e-6 * (axis[axis.length - 1] - axis[0]);
    const index = count > 0 ? axis.findLastIndex((v) => v <= from + slack) : axis.findIndex((v) => v >= from - slack);
    return axis[Math.min(Math.max(index + count, 0), axis.length - 1)];
  }

  function pressed(event) {
    const count = event.shiftKey ? 5 : 1;
    const moves = { ArrowRight: [0, count], ArrowLeft: [0, -count], ArrowUp: [1, count], ArrowDown: [1, -count] };
    const [k, by] = moves[event.key] ?? [];
    if (k === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (k >= state.view.axes.length) return;
    state.cross[k] = further(state.view.axes[k], state.cross[k], by);
    part("at-cross").setAttribute("aria-live", "polite");
    drawOverlay();
    tellCross();
  }

  part("view").addEventListener("change", (event) => chooseView(event.target.value));
  part("quantity").addEventListener("change", (event) => chooseQuantity(event.target.value));
  part("route").addEventListener("change", (event) => chooseRoute(event.target.value));
  part("step").addEventListener("input", (event) => (stop(), chooseStep(Number(event.target.value))));
  part("previous").addEventListener("click", () => (stop(), chooseStep(state.step - 1)));
  part("next").addEventListener("click", () => (stop(), chooseStep(state.step + 1)));
  part("play").addEventListener("click", play);
  plot.addEventListener("pointermove", pointed);
  plot.addEventListener("pointerdown", pointed);
  plot.addEventListener("keydown", pressed);

  part("body").hidden = false;
  fill(part("view"), data.views, data.views[0].key);
  chooseView(data.views[0].key);
  new ResizeObserver(() => plot.clientWidth !== frame.width && draw()).observe(plot);
}

document.querySelectorAll(".explorer").forEach(explore);
