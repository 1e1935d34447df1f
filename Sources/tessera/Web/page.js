// The page: picks a picture, joins a door, shows the room and how well it goes.

import { Chart } from "./charts.js";
import { Signalling } from "./whip.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const figures = $("figures");
const charts = {
  receiveRate: new Chart(figures, "Receiving", "kbit/s", "receive", 200),
  receiveFrames: new Chart(figures, "Pictures shown", "/s", "receive", 30),
  sendRate: new Chart(figures, "Sending", "kbit/s", "send", 200),
  sendFrames: new Chart(figures, "Pictures sent", "/s", "send", 30),
  loss: new Chart(figures, "Packets lost", "%", "line", 2, 1),
  roundTrip: new Chart(figures, "Round trip", "ms", "line", 20, 0),
};

let doors = [];
let call = null;

// MARK: States

function show(state, text) {
  document.body.dataset.state = state;
  $("state").textContent = text;
  const isOpen = state === "joining" || state === "connected";
  for (const id of ["source", "door", "token"]) $(id).disabled = isOpen;
}

function complain(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

function inWords(error) {
  switch (error.name) {
    case "NotAllowedError": return "The browser did not allow the camera, microphone or screen. Allow it beside the address, and try again.";
    case "NotFoundError": return "There is no camera or microphone here. Choose the test picture.";
    case "NotReadableError": return "Another program uses the camera or microphone.";
  }
  if (error.status === 401) return `${error.message} Ask whoever runs this server.`;
  return error.message || String(error);
}

// MARK: Pictures

/// A canvas with a counter, a bar that moves and the time of day; and a quiet tone, so that there is something to hear.
function testPicture() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1280, 720];
  const pen = canvas.getContext("2d");
  const hue = Math.floor(Math.random() * 360);
  let count = 0;
  const draw = () => {
    const { width, height } = canvas;
    const ground = pen.createLinearGradient(0, 0, width, height);
    ground.addColorStop(0, `hsl(${hue} 55% 32%)`);
    ground.addColorStop(1, `hsl(${(hue + 50) % 360} 60% 18%)`);
    pen.fillStyle = ground;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = `hsl(${(hue + 180) % 360} 70% 60%)`;
    pen.fillRect((count * 8) % width, height - 60, 120, 24);
    pen.fillStyle = "#fff";
    pen.textAlign = "center";
    pen.font = "600 240px system-ui, sans-serif";
    pen.fillText(String(count), width / 2, height / 2 + 60);
    pen.font = "500 44px system-ui, sans-serif";
    pen.fillText(new Date().toLocaleTimeString(), width / 2, height / 2 + 150);
    count += 1;
  };
  draw();
  const timer = setInterval(draw, 1000 / 30);
  const stream = canvas.captureStream(30);
  const audio = new AudioContext();
  const [tone, volume, out] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
  tone.frequency.value = 220 + hue;
  volume.gain.value = 0.04;
  tone.connect(volume).connect(out);
  tone.start();
  stream.addTrack(out.stream.getAudioTracks()[0]);
  return {
    stream,
    end() {
      clearInterval(timer);
      audio.close();
    },
  };
}

/// What the person chose; the test picture where there is no camera.
async function capture(kind) {
  if (kind === "test") return testPicture();
  if (!navigator.mediaDevices) {
    throw new Error(
      "Browsers give cameras and screens only to pages from localhost or over HTTPS. Open this page over HTTPS, or choose the test picture.");
  }
  const sound = { echoCancellation: true, noiseSuppression: true };
  if (kind === "screen") {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 30 }, audio: true });
    if (!stream.getAudioTracks().length) {
      const voice = await navigator.mediaDevices.getUserMedia({ audio: sound }).catch(() => null);
      for (const track of voice?.getAudioTracks() ?? []) stream.addTrack(track);
    }
    stream.getVideoTracks()[0].addEventListener("ended", leave);
    return { stream, end() {} };
  }
  const picture = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  try {
    return { stream: await navigator.mediaDevices.getUserMedia({ video: picture, audio: sound }), end() {} };
  } catch (error) {
    if (error.name !== "NotFoundError") throw error;
    $("source").value = "test";
    return testPicture();
  }
}

// MARK: Joining and leaving

class Call {
  constructor(door, kind) {
    this.door = door;
    this.kind = kind;
    this.before = null;
    this.hasConnected = false;
    this.restarts = 0;
  }

  async begin() {
    const isWatching = this.kind === "watch";
    const door = doors.find((one) => one.name === this.door);
    this.signalling = new Signalling(`${isWatching ? "whep" : "whip"}/${this.door}`, $("token").value.trim());
    if (!isWatching) {
      this.captured = await capture($("source").value);
      $("self").srcObject = this.captured.stream;
      $("self").classList.toggle("mirrored", $("source").value === "camera");
      // In the room everybody sees themselves in the grid.
      $("self").hidden = this.kind !== "publish";
    }
    this.connection = new RTCPeerConnection({ iceServers: await this.signalling.iceServers(), bundlePolicy: "max-bundle" });
    const room = new MediaStream();
    this.connection.addEventListener("track", ({ track }) => {
      room.addTrack(track);
      $("room").srcObject = room;
      play();
    });
    this.connection.addEventListener("connectionstatechange", () => this.stateChanged());
    for (const kind of ["video", "audio"]) {
      const track = this.captured?.stream.getTracks().find((one) => one.kind === kind);
      const gives = this.kind !== "publish" && door.gives.includes(kind);
      const direction = track ? (gives ? "sendrecv" : "sendonly") : "recvonly";
      if (track || gives) {
        this.connection.addTransceiver(track ?? kind, { direction, streams: track ? [this.captured.stream] : [] });
      }
    }
    await this.signalling.start(this.connection);
    this.timer = setInterval(() => this.measure(), 1000);
  }

  async stateChanged() {
    switch (this.connection.connectionState) {
      case "connected":
        this.hasConnected = true;
        complain("");
        show("connected", { join: "In the room", publish: "Publishing", watch: "Watching" }[this.kind]);
        break;
      case "disconnected":
        show("joining", "The line is interrupted…");
        break;
      case "failed":
        if (this.hasConnected && this.restarts < 3) {
          this.restarts += 1;
          show("joining", "Looking for another way…");
          try {
            return await this.signalling.restart();
          } catch (error) {
            console.warn("no restart:", error.message);
          }
        }
        await end();
        show("failed", "Connection lost");
        complain(
          this.hasConnected
            ? "The connection to the server was lost. Join again."
            : "No way to the server's media port was found. A firewall may be between; a TURN server helps.");
    }
  }

  async measure() {
    const report = await this.connection.getStats();
    const now = summary(report);
    const before = this.before;
    this.before = now;
    if (!before) return;
    const seconds = (now.time - before.time) / 1000;
    const rate = (key) => (now[key] === null || before[key] === null ? null : (now[key] - before[key]) / seconds);
    const kilobits = (key) => (rate(key) === null ? null : (rate(key) * 8) / 1000);
    charts.receiveRate.add(kilobits("received"));
    charts.receiveFrames.add(rate("shown"));
    charts.sendRate.add(kilobits("sent"));
    charts.sendFrames.add(rate("encoded"));
    charts.roundTrip.add(now.roundTrip === null ? null : now.roundTrip * 1000);
    const [lost, packets] = [rate("lost"), rate("packets")];
    const reported = now.remoteLoss;
    charts.loss.add(packets ? Math.max(0, (100 * lost) / (lost + packets)) : reported === null ? null : reported * 100);
    $("facts").textContent = [
      now.receiving && `receiving ${now.receiving}`, now.sending && `sending ${now.sending}`, now.path,
    ].filter(Boolean).join("  ·  ");
    $("empty").hidden = this.kind === "publish" || Boolean(now.shown);
  }

  async finish() {
    clearInterval(this.timer);
    const good = this.signalling?.stop();
    this.connection?.close();
    this.captured?.stream.getTracks().forEach((track) => track.stop());
    this.captured?.end();
    await good;
  }
}

/// What matters of the browser's statistics; null where nothing is known.
function summary(report) {
  const out = {
    time: performance.now(), received: null, sent: null, shown: null, encoded: null, lost: null, packets: null,
    remoteLoss: null, roundTrip: null, receiving: "", sending: "", path: "",
  };
  const add = (key, value) => (out[key] = (out[key] ?? 0) + (value ?? 0));
  const codec = (entry) => report.get(entry.codecId)?.mimeType?.split("/")[1] ?? "";
  const size = (entry) => (entry.frameWidth ? `${entry.frameWidth}×${entry.frameHeight} ` : "");
  let pair = null;
  report.forEach((entry) => {
    if (entry.type === "inbound-rtp") {
      add("received", entry.bytesReceived);
      add("lost", entry.packetsLost);
      add("packets", entry.packetsReceived);
      if (entry.kind === "video") {
        add("shown", entry.framesDecoded);
        out.receiving = `${size(entry)}${codec(entry)}`;
      }
    } else if (entry.type === "outbound-rtp") {
      add("sent", entry.bytesSent);
      if (entry.kind === "video") {
        add("encoded", entry.framesEncoded);
        out.sending = `${size(entry)}${codec(entry)}`;
      }
    } else if (entry.type === "remote-inbound-rtp") {
      out.roundTrip = entry.roundTripTime ?? out.roundTrip;
      if (entry.kind === "video") out.remoteLoss = entry.fractionLost ?? null;
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      pair = entry;
    }
  });
  if (pair) {
    out.roundTrip = pair.currentRoundTripTime ?? out.roundTrip;
    const local = report.get(pair.localCandidateId);
    out.path = [local?.protocol?.toUpperCase(), local?.candidateType].filter(Boolean).join(" ");
  }
  return out;
}

/// Browsers may want a click before they make a sound.
async function play() {
  try {
    await $("room").play();
    $("unmute").hidden = true;
  } catch {
    $("room").muted = true;
    $("unmute").hidden = false;
    $("room").play().catch(() => {});
  }
}

async function begin(kind) {
  if (call) return;
  complain("");
  for (const chart of Object.values(charts)) chart.clear();
  show("joining", "Connecting…");
  const door = $("door").value;
  const mine = (call = new Call(door, kind));
  $("hint").textContent = "The first picture is on its way…";
  $("empty").querySelector(".big").textContent = "Connecting";
  for (const id of ["mic", "cam"]) $(id).hidden = kind === "watch";
  $("speaker").hidden = kind === "publish";
  try {
    await mine.begin();
  } catch (error) {
    if (call !== mine) return;
    await end();
    show("failed", "Not connected");
    complain(inWords(error));
  }
}

async function end() {
  const ending = call;
  call = null;
  $("self").hidden = true;
  $("self").srcObject = $("room").srcObject = null;
  $("empty").hidden = $("unmute").hidden = false;
  $("unmute").hidden = true;
  $("empty").querySelector(".big").textContent = "You are not in the room";
  $("hint").textContent = "Join, and you appear in the grid together with everybody else.";
  $("facts").textContent = "";
  for (const id of ["mic", "cam", "speaker"]) setPressed(id, false);
  $("room").muted = false;
  await ending?.finish();
}

async function leave() {
  await end();
  complain("");
  show("idle", "Not connected");
}

// MARK: Buttons

const labels = {
  mic: ["Mute microphone", "Unmute microphone"], cam: ["Stop picture", "Show picture"],
  speaker: ["Mute room", "Unmute room"],
};

function setPressed(id, isPressed) {
  $(id).setAttribute("aria-pressed", isPressed);
  $(id).textContent = labels[id][isPressed ? 1 : 0];
}

function toggle(id) {
  const isPressed = $(id).getAttribute("aria-pressed") !== "true";
  setPressed(id, isPressed);
  return isPressed;
}

function enable(kind, isEnabled) {
  for (const track of call?.captured?.stream.getTracks() ?? []) if (track.kind === kind) track.enabled = isEnabled;
}

$("join").addEventListener("click", () => begin("join"));
$("publish").addEventListener("click", () => begin("publish"));
$("watch").addEventListener("click", () => begin("watch"));
$("leave").addEventListener("click", leave);
$("mic").addEventListener("click", () => enable("audio", !toggle("mic")));
$("cam").addEventListener("click", () => enable("video", !toggle("cam")));
$("speaker").addEventListener("click", () => ($("room").muted = toggle("speaker")));
$("unmute").addEventListener("click", () => {
  $("room").muted = false;
  play();
});
$("door").addEventListener("change", chooseDoor);
addEventListener("pagehide", () => call?.signalling?.stop());
addEventListener("resize", () => Object.values(charts).forEach((chart) => chart.draw()));

function chooseDoor() {
  const door = doors.find((one) => one.name === $("door").value);
  $("join").hidden = !door?.takes.length || !door?.gives.length;
  $("publish").hidden = !door?.takes.length;
  $("watch").hidden = !door?.gives.length;
}

async function prepare() {
  try {
    const answer = await (await fetch("doors")).json();
    doors = answer.doors;
    $("door").replaceChildren(...doors.map((door) => new Option(door.name, door.name)));
    if (query.has("door")) $("door").value = query.get("door");
    $("door-label").hidden = doors.length < 2;
    $("token-field").hidden = !answer.needsToken;
    $("token").value = query.get("token") ?? "";
    if (query.has("source")) $("source").value = query.get("source");
    chooseDoor();
  } catch {
    show("failed", "No server");
    complain("The server cannot be reached. Load the page again when it runs.");
  }
}

// For the console.
globalThis.tessera = { get call() { return call; } };
prepare();
