// One pipeline as a graph: boxes in columns from left to right, links between them.

const COLUMN = 196; // room for what links say, in pixels
const ROW = 29; // from link to link where several meet a box
const GAP = 26;
// A graph that is wider than the page is drawn smaller, down to this.
const SMALLEST = 0.66;
const MARGIN = 26;
const SVG = "http://www.w3.org/2000/svg";

const HUES = [
  [/WebRtc|Rtp/, "var(--accent)"], [/Player|HttpPost/, "#e0567a"], [/Recorder/, "var(--bad)"],
  [/Composite|Mixer|Dispatcher|Blending/, "#18b7a6"], [/Filter/, "#f2a541"],
];

function make(parent, tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function draw(parent, tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

export function bits(rate) {
  if (rate >= 995_000) return `${(rate / 1e6).toFixed(rate < 9.95e6 ? 1 : 0)} Mbit/s`;
  return `${Math.round(rate / 1000)} kbit/s`;
}

/// How fast counts rise, smoothed, by name.
export class Rates {
  constructor() {
    this.known = new Map();
  }

  /// Per second; null until there are two counts.
  of(name, count, time) {
    const old = this.known.get(name);
    if (old && time <= old.time) return old.rate;
    let rate = null;
    if (old && count >= old.count) {
      const now = (count - old.count) / (time - old.time);
      rate = old.rate === null ? now : old.rate * 0.4 + now * 0.6;
    }
    this.known.set(name, { count, time, rate });
    return rate;
  }

  /// Forgets what was not asked for since `time`.
  trim(time) {
    for (const [name, value] of this.known) if (value.time < time) this.known.delete(name);
  }
}

export class Graph {
  /// `picture` is called with each `<img>` that wants a picture of an element: (img, id, isDecoded).
  constructor(parent, picture) {
    this.picture = picture;
    this.rates = new Rates();
    this.boxes = new Map();
    this.links = new Map();
    this.canvas = make(parent, "div", "canvas");
    this.room = make(this.canvas, "div", "room");
    this.drawing = make(this.room, "div", "drawing");
    this.svg = draw(this.drawing, "svg", {});
  }

  show(pipeline, time) {
    const elements = new Map(pipeline.elements.map((element) => [element.id, element]));
    const box = (id) => elements.get(elements.get(id)?.hub)?.id ?? id;
    const nodes = pipeline.elements.filter((element) => !elements.has(element.hub));
    // Every element can be linked for messages; where there are none, the link says nothing.
    const links = pipeline.links.filter((link) => link.kind !== "data" || link.flowing || link.native.codec)
      .map((link) => ({
        ...link, key: `${link.from} ${link.to} ${link.kind}`, a: box(link.from), b: box(link.to),
      }));
    const columns = arrange(nodes, links);
    this.fill(nodes, pipeline, links, time);
    this.place(nodes, columns, links);
    this.connect(links, time);
    this.rates.trim(time - 10);
  }

  // MARK: Boxes

  fill(nodes, pipeline, links, time) {
    const gone = new Set(this.boxes.keys());
    for (const node of nodes) {
      gone.delete(node.id);
      const box = this.boxes.get(node.id) ?? this.makeBox(node);
      const state = node.facts.state ?? node.facts.connection;
      box.title.textContent = node.name;
      box.kind.textContent = node.name === node.class ? "" : node.class;
      box.dot.dataset.is = state ?? "";
      box.dot.title = state ?? "";
      box.dot.hidden = !state;
      box.element.title = Object.entries(node.facts).map(([name, value]) => `${name}: ${value}`).join("\n");
      box.frame.hidden = !node.thumbnail;
      if (node.thumbnail) this.picture(box.image, node.thumbnail, node.decoded);
      this.list(box, node, pipeline.stages.filter((stage) => stage.element === node.id), time);
      if (node.isHub) this.ports(box, pipeline.elements.filter((port) => port.hub === node.id), links);
    }
    for (const id of gone) {
      this.boxes.get(id).element.remove();
      this.boxes.delete(id);
    }
  }

  makeBox(node) {
    const element = make(this.drawing, "article", node.isHub ? "node hub" : "node");
    element.dataset.class = node.class;
    element.style.setProperty("--hue", HUES.find(([words]) => words.test(node.class))?.[1] ?? "var(--soft)");
    const head = make(element, "header");
    const box = { element, title: make(head, "b"), dot: make(head, "i"), kind: make(element, "div", "class") };
    if (node.isHub) box.ports = make(element, "div", "ports");
    box.frame = make(element, "div", "picture");
    box.image = make(box.frame, "img");
    box.image.alt = "";
    box.stages = make(element, "ul");
    this.boxes.set(node.id, box);
    return box;
  }

  /// What works for an element: decoders, encoders, the compositor.
  list(box, node, stages, time) {
    const rows = [];
    for (const name of ["plays", "records", "path"]) {
      if (node.facts[name]) rows.push([node.facts[name].split("/").pop(), ""]);
    }
    const seen = new Map();
    for (const stage of stages) {
      const name = `${stage.kind} ${stage.detail}`;
      const key = `${node.id} ${name} ${seen.get(name) ?? 0}`;
      seen.set(name, (seen.get(name) ?? 0) + 1);
      const frames = this.rates.of(`frames ${key}`, stage.frames, time);
      const cpu = this.rates.of(`cpu ${key}`, stage.cpuSeconds, time);
      const figures = [];
      if (frames !== null) figures.push(`${frames.toFixed(0)}/s`);
      if (cpu !== null && cpu > 0) figures.push(`${(cpu * 100).toFixed(1)} %`);
      rows.push([name + (stage.sharedBy > 1 ? ` ×${stage.sharedBy}` : ""), figures.join(" · ")]);
    }
    while (box.stages.children.length > rows.length) box.stages.lastChild.remove();
    rows.forEach(([left, right], index) => {
      const row = box.stages.children[index] ?? make(box.stages, "li");
      if (!row.children.length) row.append(make(null, "span"), make(null, "span"));
      row.children[0].textContent = left;
      row.children[0].title = left;
      row.children[1].textContent = right;
    });
  }

  /// One row for each port, as high as its links need.
  ports(box, ports, links) {
    box.rows = new Map();
    while (box.ports.children.length > ports.length) box.ports.lastChild.remove();
    ports.forEach((port, index) => {
      const row = box.ports.children[index] ?? make(box.ports, "div", "port");
      if (!row.children.length) make(row, "span");
      row.firstChild.textContent = port.facts.label ?? port.name.replace(/\.port$/, "");
      const count = links.filter((link) => link.from === port.id || link.to === port.id).length;
      row.style.height = `${Math.max(1, count) * ROW + 8}px`;
      box.rows.set(port.id, row);
    });
  }

  // MARK: Places

  place(nodes, columns, links) {
    const sizes = new Map(
      nodes.map((node) => {
        const { element } = this.boxes.get(node.id);
        const meeting = links.filter((link) => link.a === node.id || link.b === node.id).length;
        element.style.minHeight = node.isHub ? "" : `${meeting * ROW + 12}px`;
        const ports = this.boxes.get(node.id).ports;
        const [width, height] = [element.offsetWidth, element.offsetHeight];
        // What stands beside a hub stands beside its ports.
        return [node.id, { width, height, middle: ports ? ports.offsetTop + ports.offsetHeight / 2 : height / 2 }];
      }));
    let x = MARGIN;
    this.places = new Map();
    columns.forEach((column, index) => {
      const whole = column.reduce((sum, id) => sum + sizes.get(id).height + GAP, -GAP);
      let y = column.length === 1 ? -sizes.get(column[0]).middle : -whole / 2;
      for (const id of column) {
        this.places.set(id, { x, y, column: index, ...sizes.get(id) });
        y += sizes.get(id).height + GAP;
      }
      x += Math.max(0, ...column.map((id) => sizes.get(id).width)) + COLUMN;
    });
    this.settle(Math.max(0, x - COLUMN) + MARGIN);
    this.anchor(links);
  }

  /// Moves the boxes to where they belong, with the highest at the top, and makes it all fit.
  settle(width) {
    const all = [...this.places.values()];
    const top = Math.min(0, ...all.map((place) => place.y)) - MARGIN;
    for (const [id, place] of this.places) {
      place.y -= top;
      const { element } = this.boxes.get(id);
      element.style.left = `${place.x}px`;
      element.style.top = `${place.y}px`;
    }
    const height = Math.max(0, ...all.map((place) => place.y + place.height)) + MARGIN;
    const scale = Math.max(SMALLEST, Math.min(1, this.canvas.clientWidth / width));
    for (const [part, factor] of [[this.drawing, 1], [this.room, scale]]) {
      part.style.width = `${width * factor}px`;
      part.style.height = `${height * factor}px`;
    }
    this.drawing.style.transform = scale < 1 ? `scale(${scale})` : "";
  }

  /// Where each link leaves and arrives: those that meet on one side of a box, or of a port, stand below each other.
  anchor(links) {
    const sides = new Map();
    for (const link of links) {
      const [a, b] = [this.places.get(link.a), this.places.get(link.b)];
      if (!a || !b) continue;
      for (const [end, id, own, other] of [["out", link.from, a, b], ["in", link.to, b, a]]) {
        const isRight = other.column > own.column || (other === own && end === "out");
        const key = `${id} ${isRight}`;
        const entry = { link, end, other: other.y + other.height / 2 };
        sides.set(key, [...(sides.get(key) ?? []), entry]);
        link[end] = { box: end === "out" ? link.a : link.b, id, isRight };
      }
    }
    // Both ends of a pair in the same order, so that its links do not cross.
    const order = (link) => ["video", "audio", "data"].indexOf(link.kind) * 2 + (link.out.isRight ? 0 : 1);
    for (const entries of sides.values()) {
      entries.sort((a, b) => a.other - b.other || order(a.link) - order(b.link));
      entries.forEach(({ link, end }, index) => {
        const { box, id, isRight } = link[end];
        const place = this.places.get(box);
        const row = this.boxes.get(box).rows?.get(id);
        const middle = row
          ? place.y + row.offsetTop + row.offsetHeight / 2 : place.y + place.height / 2;
        link[end].y = middle + (index - (entries.length - 1) / 2) * ROW;
        link[end].x = isRight ? place.x + place.width : place.x;
      });
    }
  }

  // MARK: Links

  connect(links, time) {
    const gone = new Set(this.links.keys());
    for (const link of links) {
      if (!link.out || !link.in) continue;
      gone.delete(link.key);
      const drawn = this.links.get(link.key) ?? this.makeLink(link);
      const path = curve(link.out, link.in);
      const state = `${link.kind} ${link.flowing ? link.manner : "idle"}`;
      drawn.line.setAttribute("class", `link ${state}`);
      drawn.line.setAttribute("d", path);
      drawn.flow.setAttribute("class", `flow ${state}`);
      drawn.flow.setAttribute("d", path);
      drawn.flow.style.display = link.flowing ? "" : "none";
      drawn.share = link.share;
      this.describe(drawn, link, time);
    }
    for (const key of gone) {
      for (const part of ["line", "flow", "label"]) this.links.get(key)[part].remove();
      this.links.delete(key);
    }
  }

  makeLink(link) {
    const drawn = {
      line: draw(this.svg, "path", {}), flow: draw(this.svg, "path", {}), label: draw(this.svg, "text", {}),
    };
    for (const part of [drawn.line, drawn.label]) {
      part.addEventListener("pointerenter", () => this.highlight(drawn.share));
      part.addEventListener("pointerleave", () => this.highlight(null));
    }
    this.links.set(link.key, drawn);
    return drawn;
  }

  /// Shows which links are fed by the same production.
  highlight(share) {
    for (const drawn of this.links.values()) {
      for (const part of [drawn.line, drawn.flow, drawn.label]) {
        part.classList.toggle("dim", Boolean(share) && drawn.share !== share);
      }
    }
  }

  /// What comes by nature stands above the line; what is made of it, and for how many, below.
  describe(drawn, link, time) {
    const { label } = drawn;
    const [x, y] = [(link.out.x + link.in.x) / 2, (link.out.y + link.in.y) / 2];
    label.setAttribute("class", `label ${link.kind}`);
    label.replaceChildren();
    const line = (text, below, name = "") => {
      const span = draw(label, "tspan", { x, y: y + (below ? 12 : -5), ...(name && { class: name }) });
      span.textContent = text;
      return span;
    };
    const native = this.form(link.native, `n ${link.key}`, link.kind, time);
    const made = link.made && link.manner !== "decoded"
      ? this.form(link.made, `m ${link.key} ${link.share ?? ""}`, link.kind, time) : null;
    // What an element makes itself is as large as what is coded of it: the coded form says more.
    const [above, below] = link.manner === "encoded" ? [made, null] : [native, made && `→ ${made}`];
    const last = below ? (line(above, false), line(below, true, "made")) : line(above, false);
    if (link.share && link.made) {
      draw(last, "tspan", { class: "share" }).textContent = `  ×${link.made.sinks}`;
    }
  }

  form(form, key, kind, time) {
    if (!form.codec) return kind === "data" ? "" : "…";
    const parts = [["pictures", "sound", "messages"].includes(form.codec) ? form.codec : form.codec.toUpperCase()];
    if (form.width) parts.push(`${form.width}×${form.height}`);
    const frames = this.rates.of(`f ${key}`, form.frames, time);
    const bytes = this.rates.of(`b ${key}`, form.bytes, time);
    if (kind === "video" && frames !== null) parts.push(`${frames.toFixed(0)} fps`);
    if (bytes) parts.push(bits(bytes * 8));
    return parts.join(" ");
  }
}

/// Ids in columns. Who sends stands left of who receives; what goes in a circle is cut where it leads back to a sender.
function arrange(nodes, links) {
  const ids = nodes.map((node) => node.id);
  const isHub = new Set(nodes.filter((node) => node.isHub).map((node) => node.id));
  const next = new Map(ids.map((id) => [id, new Set()]));
  for (const { a, b } of links) if (a !== b) next.get(a)?.add(b);
  // Between a hub and who sends into it, only the way in counts.
  for (const hub of isHub) for (const id of [...next.get(hub)]) if (next.get(id)?.has(hub)) next.get(hub).delete(id);
  const state = new Map();
  const sorted = [];
  const visit = (id) => {
    state.set(id, "open");
    for (const other of [...next.get(id)]) {
      if (!next.has(other) || state.get(other) === "open") next.get(id).delete(other);
      else if (!state.has(other)) visit(other);
    }
    state.set(id, "done");
    sorted.unshift(id);
  };
  for (const id of ids.filter((id) => !isHub.has(id))) if (!state.has(id)) visit(id);
  for (const id of ids) if (!state.has(id)) visit(id);
  const depth = new Map(ids.map((id) => [id, 0]));
  for (const id of sorted) {
    for (const other of next.get(id)) depth.set(other, Math.max(depth.get(other), depth.get(id) + 1));
  }
  const columns = [];
  for (const id of ids) (columns[depth.get(id)] ??= []).push(id);
  return columns.filter(Boolean).map((column, index, all) => sort(column, all[index - 1], links));
}

/// Those whose neighbours to the left stand higher stand higher.
function sort(column, left, links) {
  if (!left) return column;
  const rank = new Map(
    column.map((id, index) => {
      const found = links.filter((link) => link.b === id || link.a === id)
        .map((link) => left.indexOf(link.b === id ? link.a : link.b)).filter((place) => place >= 0);
      return [id, found.length ? found.reduce((a, b) => a + b) / found.length : index];
    }));
  return [...column].sort((a, b) => rank.get(a) - rank.get(b));
}

function curve(from, to) {
  if (from.isRight === to.isRight) {
    // Out and back on the same side.
    const away = from.isRight ? 70 : -70;
    return `M${from.x},${from.y} C${from.x + away},${from.y} ${to.x + away},${to.y} ${to.x},${to.y}`;
  }
  const half = (to.x - from.x) / 2;
  return `M${from.x},${from.y} C${from.x + half},${from.y} ${to.x - half},${to.y} ${to.x},${to.y}`;
}
