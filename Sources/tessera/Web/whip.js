// A client of WHIP (RFC 9725) and WHEP: one offer, one answer, candidates as they are found, restarts, good-bye.

export class SignallingError extends Error {
  constructor(status, text) {
    super(text || `The server answered ${status}.`);
    this.status = status;
  }
}

export class Signalling {
  /// `url`: the endpoint, as /whip/grid. `token`: shown to the server; empty: none.
  constructor(url, token) {
    this.url = url;
    this.token = token;
    this.session = null;
    this.tag = null;
    this.found = [];
    this.isSending = false;
  }

  /// STUN and TURN servers that the endpoint names in its Link headers.
  async iceServers() {
    const answer = await fetch(this.url, { method: "OPTIONS" });
    return parseLinks(answer.headers.get("Link") || "");
  }

  /// Makes the offer of `connection`, and gives it the answer.
  async start(connection) {
    this.connection = connection;
    connection.addEventListener("icecandidate", (event) => {
      this.found.push(event.candidate);
      this.trickle();
    });
    await connection.setLocalDescription();
    const answer = await this.ask(this.url, "POST", "application/sdp", connection.localDescription.sdp);
    this.session = new URL(answer.headers.get("Location"), new URL(this.url, location.href)).href;
    this.tag = answer.headers.get("ETag");
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    this.trickle();
  }

  /// New ways to the server after the old ones broke.
  async restart() {
    const connection = this.connection;
    // Candidates of the new session wait until its tag is known.
    this.isSending = true;
    this.found = [];
    const offer = await connection.createOffer({ iceRestart: true });
    await connection.setLocalDescription(offer);
    const lines = offer.sdp.split("\r\n").filter((line) => /^a=ice-(ufrag|pwd):/.test(line)).slice(0, 2);
    let answer;
    try {
      answer = await this.ask(
        this.session, "PATCH", "application/trickle-ice-sdpfrag", lines.join("\r\n") + "\r\n", "*");
    } catch (error) {
      this.isSending = false;
      throw error;
    }
    this.tag = answer.headers.get("ETag");
    const fragment = await answer.text();
    const value = (name) => fragment.match(new RegExp(`^a=${name}:(.*?)\\r?$`, "m"))?.[1];
    let candidates = (fragment.match(/^a=candidate:.*$/gm) || []).map((line) => line.trim());
    const sdp = connection.remoteDescription.sdp.split("\r\n")
      .filter((line) => !line.startsWith("a=candidate:") && line !== "a=end-of-candidates")
      .map((line) => line.startsWith("a=ice-ufrag:") ? `a=ice-ufrag:${value("ice-ufrag")}` : line)
      .map((line) => line.startsWith("a=ice-pwd:") ? `a=ice-pwd:${value("ice-pwd")}` : line)
      .flatMap((line) => {
        if (!line.startsWith("a=mid:") || !candidates.length) return [line];
        const all = [line, ...candidates];
        candidates = [];
        return all;
      });
    await connection.setRemoteDescription({ type: "answer", sdp: sdp.join("\r\n") });
    this.isSending = false;
    this.trickle();
  }

  /// Sends the candidates found since the last time, several in one request.
  async trickle() {
    if (!this.session || this.isSending || !this.found.length) return;
    this.isSending = true;
    const batch = this.found.splice(0);
    const local = this.connection.localDescription.sdp;
    const line = (name) => local.match(new RegExp(`^a=${name}:.*$`, "m"))?.[0].trim();
    const fragment = [line("ice-ufrag"), line("ice-pwd"), "m=audio 9 UDP/TLS/RTP/SAVPF 0", line("mid")];
    for (const candidate of batch) {
      if (candidate?.candidate) fragment.push(`a=${candidate.candidate}`);
      if (!candidate) fragment.push("a=end-of-candidates");
    }
    try {
      await this.ask(
        this.session, "PATCH", "application/trickle-ice-sdpfrag", fragment.join("\r\n") + "\r\n", this.tag);
    } catch (error) {
      // The server learns our addresses from our checks too.
      console.warn("candidates were not taken:", error.message);
    }
    this.isSending = false;
    this.trickle();
  }

  /// Ends the session; works while the page closes.
  async stop() {
    const session = this.session;
    this.session = null;
    if (!session) return;
    try {
      await fetch(session, { method: "DELETE", headers: this.headers(), keepalive: true });
    } catch {
      // The server notices by itself.
    }
  }

  headers(type, match) {
    const headers = {};
    if (type) headers["Content-Type"] = type;
    if (match) headers["If-Match"] = match;
    if (this.token) headers["Authorization"] = `Bearer ${this.token}`;
    return headers;
  }

  async ask(url, method, type, body, match) {
    let answer;
    try {
      answer = await fetch(url, { method, headers: this.headers(type, match), body });
    } catch {
      throw new SignallingError(0, "The server cannot be reached.");
    }
    if (!answer.ok) throw new SignallingError(answer.status, (await answer.text()).trim());
    return answer;
  }
}

/// `<turn:host:3478>; rel="ice-server"; username="u"; credential="p"` and so on, as RTCIceServer objects.
export function parseLinks(text) {
  const servers = [];
  for (const [, url, rest] of text.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+=(?:"(?:[^"\\]|\\.)*"|[^;,"]*))*)/g)) {
    const values = {};
    for (const [, name, quoted, plain] of rest.matchAll(/;\s*([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))/g)) {
      values[name.toLowerCase()] = quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1");
    }
    if (values.rel !== "ice-server") continue;
    const server = { urls: url };
    if (values.username !== undefined) server.username = values.username;
    if (values.credential !== undefined) server.credential = values.credential;
    servers.push(server);
  }
  return servers;
}
