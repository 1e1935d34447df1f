// Measures in one page how long a picture takes from the canvas to the decoded frame, over a direct connection and
// through the server at the same time. Chromium only: frames are read from the tracks as they leave the decoder.
(() => {
    const WIDTH = 640, HEIGHT = 360, BITS = 16, COLUMNS = 8, ROWS = 3, CELL = 60, TOP = 150, FPS = 30;

    // Sixteen bits of number in two rows of cells, below them eight of check: what is read wrongly is noticed.
    const check = (number) => ((number * 0x9e37) >> 5) & 0xff;
    const code = (number) => number | check(number) << BITS;

    class Source {
        constructor() {
            this.canvas = new OffscreenCanvas(WIDTH, HEIGHT);
            this.pen = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
            this.track = new MediaStreamTrackGenerator({ kind: "video" });
            this.writer = this.track.writable.getWriter();
            this.drawn = new Map();
            this.number = 0;
            this.began = performance.now();
            // A little slower than the hub's pictures, so that every phase between the two comes up.
            this.interval = 1000 / FPS;
            this.next();
        }

        next() {
            if (this.ended) return;
            const due = this.began + this.number * this.interval, now = performance.now();
            if (now >= due - 0.5) {
                this.draw();
                this.number = Math.max(this.number + 1, Math.floor((now - this.began) / this.interval));
            }
            setTimeout(() => this.next(), Math.max(0, this.began + this.number * this.interval - performance.now()));
        }

        draw() {
            const { pen, number } = this, value = code(number & 0xffff);
            pen.fillStyle = "#456";
            pen.fillRect(0, 0, WIDTH, TOP);
            for (let bar = 0; bar < 8; bar += 1) {
                pen.fillStyle = `hsl(${bar * 45}, 60%, 50%)`;
                pen.fillRect((number * (2 + bar) + bar * 80) % WIDTH, bar * 18, 60, 18);
            }
            for (let bit = 0; bit < COLUMNS * ROWS; bit += 1) {
                pen.fillStyle = (value >> bit) & 1 ? "#fff" : "#000";
                pen.fillRect(20 + (bit % COLUMNS) * 75, TOP + 10 + Math.floor(bit / COLUMNS) * 66, 75, 66);
            }
            const frame = new VideoFrame(this.canvas, { timestamp: Math.round(performance.now() * 1000) });
            this.drawn.set(number & 0xffff, performance.now());
            this.writer.write(frame).catch(() => 0);
        }

        stop() { this.ended = true; this.track.stop(); }
    }

    // Reads the numbers of a received track; `tile` is where the source's picture lies, in parts of the whole.
    class Reader {
        constructor(track, tile) {
            Object.assign(this, { track, tile, came: new Map(), wrong: 0, frames: 0 });
            this.run(new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader());
        }

        async run(reader) {
            for (;;) {
                const { value: frame, done } = await reader.read();
                if (done) return;
                const now = performance.now();
                try { await this.look(frame, now); } finally { frame.close(); }
            }
        }

        async look(frame, now) {
            const { width, height } = frame.visibleRect, [left, top, wide, high] = this.tile;
            Object.assign(this, { width, height });
            this.frames += 1;
            this.bytes ??= new Uint8Array(frame.allocationSize());
            if (this.bytes.length < frame.allocationSize()) this.bytes = new Uint8Array(frame.allocationSize());
            const [plane] = await frame.copyTo(this.bytes);
            let value = 0;
            for (let bit = 0; bit < COLUMNS * ROWS; bit += 1) {
                const x = (20 + (bit % COLUMNS + 0.5) * 75) / WIDTH;
                const y = (TOP + 10 + (Math.floor(bit / COLUMNS) + 0.5) * 66) / HEIGHT;
                const column = Math.round((left + x * wide) * width), row = Math.round((top + y * high) * height);
                if (this.bytes[plane.offset + row * plane.stride + column] > 128) value |= 1 << bit;
            }
            const number = value & 0xffff;
            if (value !== code(number)) this.wrong += 1;
            else if (!this.came.has(number)) this.came.set(number, now);
        }
    }

    async function gathered(pc) {
        await pc.setLocalDescription();
        if (pc.iceGatheringState === "complete") return;
        await new Promise((done) => {
            pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === "complete") done(); };
            setTimeout(done, 2000);
        });
    }

    function line(pc, track, direction, codec) {
        const made = pc.addTransceiver(track || "video", { direction });
        const side = direction === "sendonly" ? RTCRtpSender : RTCRtpReceiver;
        const all = side.getCapabilities("video").codecs, named = (name) => (one) => one.mimeType === `video/${name}`;
        made.setCodecPreferences([...all.filter(named(codec)), ...all.filter(named("rtx"))]);
        return made;
    }

    const track = (pc) => new Promise((done) => { pc.ontrack = (event) => done(event.track); });

    async function join(url, pc) {
        await gathered(pc);
        const answer = await fetch(url, {
            method: "POST", body: pc.localDescription.sdp, headers: { "Content-Type": "application/sdp" },
        });
        const text = await answer.text();
        if (answer.status !== 201) throw new Error(`${answer.status} ${text}`);
        await pc.setRemoteDescription({ type: "answer", sdp: text });
        return new URL(answer.headers.get("Location"), url).href;
    }

    class Latency {
        async start({ server, door, tile, codec }) {
            this.source = new Source();
            this.pcs = {};
            for (const name of ["near", "far", "publish", "watch"]) this.pcs[name] = new RTCPeerConnection();
            const { near, far, publish, watch } = this.pcs;
            line(near, this.source.track, "sendonly", codec);
            const direct = track(far);
            await gathered(near);
            await far.setRemoteDescription(near.localDescription);
            await gathered(far);
            await near.setRemoteDescription(far.localDescription);
            line(publish, this.source.track, "sendonly", codec);
            this.sessions = [await join(`${server}/whip/${door}`, publish)];
            line(watch, null, "recvonly", codec);
            const through = track(watch);
            this.sessions.push(await join(`${server}/whep/${door}`, watch));
            this.direct = new Reader(await direct, [0, 0, 1, 1]);
            this.through = new Reader(await through, tile);
            return "started";
        }

        begin() {
            for (const reader of [this.direct, this.through]) {
                reader.came.clear();
                reader.wrong = reader.frames = 0;
            }
            this.source.drawn.clear();
        }

        async report() {
            const said = {
                drawn: [...this.source.drawn], direct: [...this.direct.came], through: [...this.through.came],
                wrong: [this.direct.wrong, this.through.wrong], frames: [this.direct.frames, this.through.frames],
                sizes: [[this.direct.width, this.direct.height], [this.through.width, this.through.height]], stats: {},
            };
            for (const [name, pc] of Object.entries(this.pcs)) {
                (await pc.getStats()).forEach((entry) => {
                    if (entry.type === "outbound-rtp" || entry.type === "inbound-rtp") said.stats[name] = entry;
                });
            }
            return said;
        }

        async stop() {
            for (const session of this.sessions || []) await fetch(session, { method: "DELETE" }).catch(() => 0);
            for (const pc of Object.values(this.pcs || {})) pc.close();
            this.source.stop();
        }
    }

    window.Latency = Latency;
})();
