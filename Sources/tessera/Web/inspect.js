// The page at /inspect: asks once a second what is going on, and shows it.

import { Chart } from "./charts.js";
import { Graph, Rates, bits } from "./graph.js";

const $ = (id) => document.getElementById(id);
const PERIOD = 1000;
// A picture of what is decoded anyway costs little; another one needs a decoder and a key frame.
const [OFTEN, SELDOM] = [2000, 30_000];
const OPEN_AT_ONCE = 6;

const figures = $("figures");
const charts = {
  cpu: new Chart(figures, "Processors", "% of one", "receive", 100),
  memory: new Chart(figures, "Memory", "MiB", "line", 100),
  incoming: new Chart(figures, "Media in", "Mbit/s", "send", 1, 1),
  pictures: new Chart(figures, "Pictures encoded", "/s", "receive", 30),
  people: new Chart(figures, "Sessions", "", "send", 4),
};
const rates = new Rates();
const cards = new Map();
let token = new URLSearchParams(location.search).get("token") ?? sessionStorage.getItem("tessera-token") ?? "";

// MARK: Asking

async function ask(path) {
  const answer = await fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: "no-store" });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim()), { status: answer.status });
  return answer;
}

function say(state, text) {
  document.body.dataset.state = state;
  $("state").textContent = text;
}

async function turn() {
  try {
    if (document.visibilityState === "visible") show(await (await ask("inspect.json")).json());
  } catch (error) {
    const isRefused = error.status === 401;
    $("token-form").hidden = !isRefused;
    $("refusal").textContent = isRefused && token ? "This token is not known here." : "";
    say("failed", isRefused ? "A token is needed" : "No answer");
  }
  setTimeout(turn, PERIOD);
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("tessera-token", token);
});

// MARK: Showing

function show(report) {
  $("token-form").hidden = true;
  const shown = report.pipelines.length;
  const more = report.pipelineCount - shown;
  say("connected", `${report.pipelineCount} pipeline${report.pipelineCount === 1 ? "" : "s"}${more > 0 ? `, ${shown} shown` : ""}`);
  $("version").textContent = report.version;
  machine(report);
  pipelines(report);
  sessions(report);
  rates.trim(report.time - 10);
}

function machine(report) {
  const cpu = rates.of("cpu", report.cpuSeconds, report.time);
  charts.cpu.add(cpu === null ? null : cpu * 100);
  charts.memory.add(report.memoryBytes / 2 ** 20);
  let [incoming, pictures] = [0, 0];
  for (const pipeline of report.pipelines) {
    const classes = new Map(pipeline.elements.map((element) => [element.id, element.class]));
    const seen = new Set();
    for (const link of pipeline.links) {
      const name = `${pipeline.id} ${link.from} ${link.kind}`;
      if (seen.has(name) || /Port|PassThrough/.test(classes.get(link.from)) || !link.native.bytes) continue;
      seen.add(name);
      incoming += rates.of(`in ${name}`, link.native.bytes, report.time) ?? 0;
    }
    pipeline.stages.forEach((stage, index) => {
      if (stage.kind !== "encode" || /^(opus|aac|pcm|g722)/.test(stage.detail)) return;
      pictures += rates.of(`encode ${pipeline.id} ${stage.element} ${stage.detail} ${index}`, stage.frames, report.time) ?? 0;
    });
  }
  charts.incoming.add((incoming * 8) / 1e6);
  charts.pictures.add(pictures);
  charts.people.add(report.sessionCount + (report.room.sessions?.length ?? 0));
}

function pipelines(report) {
  const gone = new Set(cards.keys());
  for (const pipeline of report.pipelines) {
    gone.delete(pipeline.id);
    const card = cards.get(pipeline.id) ?? makeCard(pipeline);
    card.title.textContent = pipeline.id === "document" ? pipeline.name.split("/").pop() : pipeline.name;
    const cpu = pipeline.stages.reduce((sum, stage) => sum + stage.cpuSeconds, 0);
    const used = rates.of(`pipeline ${pipeline.id} ${pipeline.stages.length}`, cpu, report.time);
    card.note.textContent = [
      `${pipeline.elementCount} elements`, `${pipeline.links.length} links`,
      used === null ? "" : `${(used * 100).toFixed(1)} % of a processor`,
    ].filter(Boolean).join(" · ");
    if (card.element.open) card.graph.show(pipeline, report.time);
  }
  for (const id of gone) {
    cards.get(id).element.remove();
    cards.delete(id);
  }
  $("nothing").hidden = cards.size > 0;
  $("legend").hidden = cards.size === 0;
}

function makeCard(pipeline) {
  const element = document.createElement("details");
  element.className = "pipeline";
  element.open = cards.size < OPEN_AT_ONCE;
  const summary = document.createElement("summary");
  const [title, note] = [document.createElement("span"), document.createElement("small")];
  summary.append(title, note);
  element.append(summary);
  $("pipelines").append(element);
  const card = { element, title, note, graph: new Graph(element, picture) };
  cards.set(pipeline.id, card);
  return card;
}

function sessions(report) {
  const rows = (report.room.sessions ?? []).map((session) => [
    session.name, `door ${session.door}`, session.connection.toLowerCase(),
    [session.role, session.path].filter(Boolean).join(", "), duration(session.seconds),
  ]);
  for (const session of report.sessions) {
    rows.push([
      `${session.id}…`, "control API", session.connected ? "connected" : "away",
      `${session.objects} objects, ${session.subscriptions} subscriptions`, "",
    ]);
  }
  $("sessions-card").hidden = rows.length === 0;
  $("sessions").replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((text, index) => {
        const cell = document.createElement("td");
        cell.textContent = text;
        if (index === 4) cell.className = "number";
        row.append(cell);
      });
      return row;
    }));
}

function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

// MARK: Pictures

async function picture(image, id, isDecoded) {
  const now = performance.now();
  if (image.asking || now - (image.askedAt ?? -Infinity) < (isDecoded ? OFTEN : SELDOM)) return;
  [image.asking, image.askedAt] = [true, now];
  try {
    const path = id.split("/").map(encodeURIComponent).join("/");
    const url = URL.createObjectURL(await (await ask(`inspect/thumbnail/${path}`)).blob());
    const old = image.src;
    image.src = url;
    if (old) URL.revokeObjectURL(old);
  } catch {
    // There is nothing to see just now; the next turn asks again.
  } finally {
    image.asking = false;
  }
}

window.tessera = { cards, bits };
turn();
