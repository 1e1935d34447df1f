// A WebRTC peer in a page: publishes a marked picture and a tone, and reads both where they arrive. See mark.py.
// Made for Chromium and Firefox alike.
(() => {
    const WIDTH = 320, HEIGHT = 180, CELL = 40, TOP = 130;
    const TONES = [440, 523, 587, 659, 784];

    function source(shades) {
        const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { alpha: false });
        [canvas.width, canvas.height] = [WIDTH, HEIGHT];
        let number = 0;
        const draw = () => {
            pen.fillStyle = shades[0];
            pen.fillRect(0, 0, WIDTH / 2, HEIGHT);
            pen.fillStyle = shades[1];
            pen.fillRect(WIDTH / 2, 0, WIDTH / 2, HEIGHT);
            for (let bit = 0; bit < 8; bit += 1) {
                pen.fillStyle = (number >> bit) & 1 ? "#fff" : "#000";
                pen.fillRect(bit * CELL, TOP, CELL, CELL);
            }
            number += 1;
        };
        draw();
        const timer = setInterval(draw, 33);
        return { canvas, track: canvas.captureStream(30).getVideoTracks()[0], drawn: () => number,
            stop: () => clearInterval(timer) };
    }

    function preferred(kind, name, direction) {
        const side = direction === "sendonly" ? RTCRtpSender : RTCRtpReceiver;
        const all = side.getCapabilities(kind).codecs, type = `${kind}/${name}`.toLowerCase();
        const chosen = all.filter((codec) => codec.mimeType.toLowerCase() === type);
        return chosen.length ? [...chosen, ...all.filter((codec) => codec.mimeType.toLowerCase() === "video/rtx")] : [];
    }

    class Harness {
        // direction: sendonly, recvonly or sendrecv; video, audio: a codec's name, or null for none.
        async start({ url, direction, video, audio, tone, shades, tiles, channel, kbps }) {
            Object.assign(this, { url, tiles: tiles || [[0, 0, 1, 1]], frames: 0, log: [] });
            this.seen = this.tiles.map(() => ({ numbers: [], left: [0, 0, 0], right: [0, 0, 0] }));
            for (const [kind, name] of [["video", video], ["audio", audio]]) {
                if (name && !preferred(kind, name, direction).length) return "not offered";
            }
            const pc = this.pc = new RTCPeerConnection();
            pc.onconnectionstatechange = () => this.log.push(pc.connectionState);
            pc.ontrack = (event) => this.receive(event);
            const sends = direction !== "recvonly";
            this.sound = new AudioContext({ sampleRate: 48000 });
            if (video) {
                if (sends) this.source = source(shades || ["rgb(220,40,40)", "rgb(40,40,220)"]);
                const line = pc.addTransceiver(sends ? this.source.track : "video", { direction });
                line.setCodecPreferences(preferred("video", video, direction));
            }
            if (audio) {
                let track = "audio";
                if (sends) {
                    const wave = new OscillatorNode(this.sound, { frequency: tone || 440 });
                    const gain = new GainNode(this.sound, { gain: 0.3 });
                    const out = this.sound.createMediaStreamDestination();
                    wave.connect(gain).connect(out);
                    wave.start();
                    track = out.stream.getAudioTracks()[0];
                }
                const line = pc.addTransceiver(track, { direction });
                line.setCodecPreferences(preferred("audio", audio, direction));
            }
            if (channel) this.open(pc.createDataChannel("echo"));
            await pc.setLocalDescription();
            await new Promise((done) => {
                if (pc.iceGatheringState === "complete") done();
                pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === "complete") done(); };
                setTimeout(done, 2000);
            });
            const answer = await fetch(url, {
                method: "POST", body: pc.localDescription.sdp, headers: { "Content-Type": "application/sdp" },
            });
            const text = await answer.text();
            this.offer = pc.localDescription.sdp;
            this.answer = text;
            if (answer.status !== 201) return `${answer.status} ${text}`;
            this.session = new URL(answer.headers.get("Location"), url).href;
            await pc.setRemoteDescription({ type: "answer", sdp: text });
            return "started";
        }

        receive({ track }) {
            const stream = new MediaStream([track]);
            const element = document.createElement(track.kind);
            Object.assign(element, { srcObject: stream, autoplay: true, playsInline: true });
            // An audio element has to be fed for Web Audio to hear a remote track; it may be mute.
            element.muted = true;
            document.body.append(element);
            element.play().catch((error) => this.log.push(`play: ${error}`));
            if (track.kind === "audio") {
                this.ear = new AnalyserNode(this.sound, { fftSize: 16384, smoothingTimeConstant: 0 });
                this.sound.resume();
                this.sound.createMediaStreamSource(stream).connect(this.ear);
                this.heard = [];
                this.listener = setInterval(() => {
                    const bins = new Float32Array(8192);
                    this.ear.getFloatFrequencyData(bins);
                    this.heard.push([performance.now(), TONES.map((hertz) => bins[this.bin(hertz)] > -45)]);
                }, 250);
                return;
            }
            this.element = element;
            this.reader = document.createElement("canvas");
            this.pen = this.reader.getContext("2d", { willReadFrequently: true, alpha: false });
            const next = () => {
                this.look();
                element.requestVideoFrameCallback(next);
            };
            element.requestVideoFrameCallback(next);
        }

        bin(hertz) { return Math.round(hertz * 16384 / this.sound.sampleRate); }

        look() {
            const { videoWidth: width, videoHeight: height } = this.element, now = performance.now();
            if (!width) return;
            if (this.reader.width !== width || this.reader.height !== height) {
                [this.reader.width, this.reader.height] = [width, height];
            }
            this.frames += 1;
            this.pen.drawImage(this.element, 0, 0);
            this.tiles.forEach(([left, top, wide, high], index) => {
                const pixels = (x, y) => {
                    const column = Math.round((left + x / WIDTH * wide) * width);
                    const row = Math.round((top + y / HEIGHT * high) * height);
                    const data = this.pen.getImageData(column - 2, row - 2, 4, 4).data, sum = [0, 0, 0];
                    data.forEach((value, at) => { if (at % 4 < 3) sum[at % 4] += value / 16; });
                    return sum.map(Math.round);
                };
                let number = 0;
                for (let bit = 0; bit < 8; bit += 1) {
                    const [r, g, b] = pixels(bit * CELL + CELL / 2, TOP + CELL / 2);
                    if (r + g + b > 384) number |= 1 << bit;
                }
                const seen = this.seen[index];
                seen.numbers.push([now, number]);
                if (seen.numbers.length > 4000) seen.numbers.shift();
                [seen.left, seen.right] = [pixels(80, 60), pixels(240, 60)];
            });
        }

        // Runs of the same number count once: how many pictures of that tile were seen in the last seconds.
        distinct(numbers, seconds) {
            const from = performance.now() - seconds * 1000;
            const recent = numbers.filter(([time]) => time >= from);
            return recent.filter(([, number], at) => at > 0 && number !== recent[at - 1][1]).length;
        }

        async report(seconds = 3) {
            const said = {
                log: this.log, sound: this.sound.state, state: this.pc.connectionState,
                drawn: this.source ? this.source.drawn() : 0,
            };
            if (this.element) {
                said.tiles = this.seen.map((seen) => ({
                    frames: this.frames, distinct: this.distinct(seen.numbers, seconds), left: seen.left,
                    right: seen.right, width: this.element.videoWidth, height: this.element.videoHeight,
                }));
                said.video = said.tiles[0];
            }
            if (this.ear) {
                const wave = new Float32Array(16384), bins = new Float32Array(8192);
                this.ear.getFloatTimeDomainData(wave);
                this.ear.getFloatFrequencyData(bins);
                let best = 3;
                for (let bin = 3; bin < bins.length; bin += 1) if (bins[bin] > bins[best]) best = bin;
                said.audio = {
                    tone: best * this.sound.sampleRate / 16384,
                    level: Math.sqrt(wave.reduce((sum, value) => sum + value * value, 0) / wave.length),
                    bins: TONES.map((hertz) => bins[this.bin(hertz)]),
                    // In how many of the looks of the last seconds each tone was there.
                    shares: TONES.map((_, index) => {
                        const from = performance.now() - seconds * 1000;
                        const recent = this.heard.filter(([time]) => time >= from);
                        return recent.filter(([, there]) => there[index]).length / Math.max(1, recent.length);
                    }),
                };
            }
            said.codecs = {};
            const stats = await this.pc.getStats();
            stats.forEach((entry) => {
                if ((entry.type === "inbound-rtp" || entry.type === "outbound-rtp") && stats.get(entry.codecId)) {
                    const way = entry.type === "inbound-rtp" ? "in" : "out";
                    said.codecs[`${entry.kind}.${way}`] = stats.get(entry.codecId).mimeType.split("/")[1];
                    said[`${entry.kind}.${way}`] = {
                        packets: entry.packetsReceived || entry.packetsSent, lost: entry.packetsLost,
                        decoded: entry.framesDecoded, encoded: entry.framesEncoded, nacks: entry.nackCount,
                        keys: entry.keyFramesDecoded || entry.keyFramesEncoded, plis: entry.pliCount,
                        concealed: entry.concealedSamples, samples: entry.totalSamplesReceived,
                        dropped: entry.framesDropped, freezes: entry.freezeCount,
                    };
                }
            });
            return said;
        }

        open(channel) {
            this.channel = channel;
            this.messages = [];
            channel.binaryType = "arraybuffer";
            channel.onmessage = ({ data }) => this.messages.push(data);
        }

        // Sends text or bytes of that length and waits for what comes back; says whether it is the same.
        async echo(length, isText, wait = 60000) {
            const end = performance.now() + wait, pause = () => new Promise((done) => setTimeout(done, 20));
            while (this.channel.readyState !== "open") {
                if (performance.now() > end) return `the channel is ${this.channel.readyState}`;
                await pause();
            }
            const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
            const sent = isText ? "ä€x".repeat(length / 6) : bytes;
            this.messages.length = 0;
            const began = performance.now();
            try {
                this.channel.send(sent);
            } catch (error) {
                return `${error} (at most ${this.pc.sctp.maxMessageSize})`;
            }
            while (!this.messages.length) {
                if (performance.now() > end) return "nothing came back";
                await pause();
            }
            const back = this.messages[0];
            const same = isText ? back === sent
                : back.byteLength === length && new Uint8Array(back).every((byte, index) => byte === bytes[index]);
            return same ? performance.now() - began : `something else came back: ${back.byteLength || back.length}`;
        }

        async stop() {
            if (this.session) await fetch(this.session, { method: "DELETE" }).catch(() => 0);
            if (this.source) this.source.stop();
            clearInterval(this.listener);
            if (this.pc) this.pc.close();
            if (this.sound) await this.sound.close();
            document.querySelectorAll("video, audio").forEach((element) => element.remove());
        }
    }

    window.Harness = Harness;
})();
