// A page's side of every example: one socket to the application server, one RTCPeerConnection at a time.

export class Server {
  constructor(handlers) {
    this.handlers = handlers;
    this.opened = new Promise((resolve) => {
      this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
      this.socket.onopen = resolve;
    });
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ reason }) => status(reason || "The application server has gone.");
  }

  async receive(message) {
    if (message.id === "candidate") return this.call?.addCandidate(message.candidate);
    if (message.id === "answer") return this.call?.setAnswer(message.sdp);
    if (message.id === "error") return status(message.text);
    this.handlers?.[message.id]?.(message);
  }

  async send(id, message = {}) {
    await this.opened;
    this.socket.send(JSON.stringify({ id, ...message }));
  }
}

// One connection with Tessera. `send`: a MediaStream or null; `receive`: kinds to receive; `channel`: a name, for data.
export class Call {
  constructor(server, { send = null, receive = ["audio", "video"], channel = null } = {}) {
    server.call?.close();
    server.call = this;
    this.server = server;
    this.pc = new RTCPeerConnection();
    this.waiting = [];
    this.stream = new MediaStream();
    this.pc.ontrack = ({ track }) => this.stream.addTrack(track);
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) server.send("candidate", { candidate });
    };
    this.pc.onconnectionstatechange = () => status(this.pc.connectionState);
    for (const kind of ["audio", "video"]) {
      const track = send?.getTracks().find((track) => track.kind === kind);
      const receives = receive.includes(kind);
      if (track) this.pc.addTransceiver(track, { direction: receives ? "sendrecv" : "sendonly", streams: [send] });
      else if (receives) this.pc.addTransceiver(kind, { direction: "recvonly" });
    }
    if (channel) this.channel = this.pc.createDataChannel(channel);
  }

  // Sends the offer in a message of that id, with whatever else belongs to it.
  async offer(id, more = {}) {
    await this.pc.setLocalDescription();
    await this.server.send(id, { ...more, sdp: this.pc.localDescription.sdp });
  }

  async setAnswer(sdp) {
    await this.pc.setRemoteDescription({ type: "answer", sdp });
    for (const candidate of this.waiting.splice(0)) await this.pc.addIceCandidate(candidate);
  }

  async addCandidate({ candidate, sdpMid, sdpMLineIndex }) {
    const found = { candidate, sdpMid, sdpMLineIndex };
    if (this.pc.remoteDescription) await this.pc.addIceCandidate(found);
    else this.waiting.push(found);
  }

  close() {
    this.pc.close();
    if (this.server.call === this) this.server.call = null;
  }
}

// Camera and microphone.
export const camera = () => navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });

export const element = (id) => document.getElementById(id);

export function show(id, stream) {
  element(id).srcObject = stream;
}

export function status(text) {
  element("status").textContent = text;
}
