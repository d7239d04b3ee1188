/* What the reader has chosen, and the controls that choose it. */

function explore(root, number) {
  const data = JSON.parse(root.querySelector(".explorer-data").textContent);
  const part = (name) => root.querySelector(".explorer-" + name);
  const plot = part("plot");
  const state = { view: null, quantity: null, route: null, step: 0, shown: new Map(), cross: [] };
  const picture = pictureOf(plot, state, colourBytes(data.colours), `explorer-${number}-area`);
  let timer = null;

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
    picture.draw();
    tellCross();
    tellStep();
  }

  function listPaths() {
    part("list").replaceChildren();
    for (const route of state.view.routes) {
      const row = element(part("list"), "label");
      const box = element(row, "input", { type: "checkbox", value: route.key });
      box.checked = state.shown.get(route.key);
      box.addEventListener("change", () => {
        state.shown.set(route.key, box.checked);
        picture.drawOverlay();
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
    for (const box of part("list").querySelectorAll("input")) box.checked = state.shown.get(box.value);
    picture.drawOverlay();
    tellStep();
  }

  function chooseStep(step) {
    state.step = Math.min(Math.max(step, 0), steps());
    picture.drawOverlay();
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

  /* Pointer and keys */

  function pointed(event) {
    const share = picture.shareAt(event.clientX, event.clientY);
    state.view.axes.forEach((axis, k) => {
      const span = axis[axis.length - 1] - axis[0];
      state.cross[k] = axis[0] + span * Math.min(Math.max(share[k], 0), 1);
    });
    part("at-cross").setAttribute("aria-live", "off"); // a moving pointer would talk without end
    picture.drawOverlay();
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
    picture.drawOverlay();
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
  // In the next frame, since drawing changes the height that is observed.
  new ResizeObserver(() => requestAnimationFrame(picture.fit)).observe(plot);
}

document.querySelectorAll(".explorer").forEach(explore);
