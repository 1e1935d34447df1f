// A WebRTC peer in a page: publishes a marked picture and a tone, and reads both where they arrive. See mark.py.
// Made for Chromium and Firefox alike.
(() => {
    const WIDTH = 320, HEIGHT = 180, CELL = 40, TOP = 130;
    const CANDIDATES = /a=(candidate:.*|end-of-candidates)\r\n/g;
    const TONES = [440, 523, 587, 659, 784];

    // Above what is read there may be noise, which no codec can foretell: an encoder uses all bits it may. It is faint,
    // so that one with few bits can leave it out.
    function source(shades, isNoisy) {
        const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { alpha: false });
        [canvas.width, canvas.height] = [WIDTH, HEIGHT];
        const noise = new ImageData(WIDTH, 50);
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
            if (isNoisy) {
                crypto.getRandomValues(noise.data);
                noise.data.forEach((value, at, all) => { all[at] = 96 + (value & 63); });
                pen.putImageData(noise, 0, 0);
            }
            number += 1;
        };
        draw();
        // Drawn and sent by the clock, 30 a second: an interval of whole milliseconds beats against a capture's own.
        const generator = window.MediaStreamTrackGenerator && new MediaStreamTrackGenerator({ kind: "video" });
        const stream = generator ? null : canvas.captureStream(0), track = generator || stream.getVideoTracks()[0];
        const writer = generator && generator.writable.getWriter();
        const send = () => {
            // Firefox has it at the stream.
            if (!generator) return (track.requestFrame ? track : stream).requestFrame();
            const frame = new VideoFrame(canvas, { timestamp: Math.round(performance.now() * 1000) });
            return writer.write(frame).catch(() => 0);
        };
        let due = performance.now(), timer = 0;
        const step = () => {
            draw();
            send();
            // What is late by more than a picture is left out.
            due = Math.max(due + 1000 / 30, performance.now() - 1000 / 30);
            timer = setTimeout(step, Math.max(0, due - performance.now()));
        };
        step();
        return { canvas, track, drawn: () => number, stop: () => clearTimeout(timer) };
    }

    function preferred(kind, name, direction) {
        const side = direction === "sendonly" ? RTCRtpSender : RTCRtpReceiver;
        const all = side.getCapabilities(kind).codecs, type = `${kind}/${name}`.toLowerCase();
        const chosen = all.filter((codec) => codec.mimeType.toLowerCase() === type);
        return chosen.length ? [...chosen, ...all.filter((codec) => codec.mimeType.toLowerCase() === "video/rtx")] : [];
    }

    class Harness {
        // direction: sendonly, recvonly or sendrecv; video, audio: a codec's name, or null for none.
        // servers: those of ICE. through: the address of a relay, the only way between the two.
        // cheap: pictures are read as they leave the decoder, where the browser lets pages do so, and not shown.
        async start(options) {
            const { url, through } = options, offer = await this.offer(options);
            if (offer === "not offered") return offer;
            const answer = await fetch(url, {
                method: "POST", body: through ? offer.replace(CANDIDATES, "") : offer,
                headers: { "Content-Type": "application/sdp" },
            });
            const text = await answer.text();
            if (answer.status !== 201) return `${answer.status} ${text}`;
            this.session = new URL(answer.headers.get("Location"), url).href;
            await this.accept(through ? text.replace(CANDIDATES, "") : text);
            if (through) {
                const candidate = `candidate:1 1 udp 2130706431 ${through.replace(":", " ")} typ host`;
                await this.add({ candidate, sdpMLineIndex: 0 });
            }
            return "started";
        }

        // The offer with all candidates. By itself, together with accept and add, for other ways of signalling.
        async offer(options) {
            const { direction } = options;
            if (!this.prepare(options)) return "not offered";
            for (const kind of ["video", "audio"].filter((kind) => options[kind])) {
                const track = direction === "recvonly" ? kind : this.track(kind, options);
                const line = this.pc.addTransceiver(track, { direction });
                line.setCodecPreferences(preferred(kind, options[kind], direction));
            }
            if (options.channel) this.open(this.pc.createDataChannel("echo"));
            return this.describe();
        }

        // The answer to `offer` with all candidates, on each line with the codec of `video` or `audio` alone.
        async answer(options) {
            const direction = "sendrecv";
            if (!this.prepare({ ...options, direction })) return "not offered";
            await this.pc.setRemoteDescription({ type: "offer", sdp: options.offer });
            for (const line of this.pc.getTransceivers()) {
                const { kind } = line.receiver.track;
                await line.sender.replaceTrack(this.track(kind, options));
                line.direction = direction;
                line.setCodecPreferences(preferred(kind, options[kind], direction));
            }
            return this.describe();
        }

        // False: the browser has not got these codecs.
        prepare({ direction, video, audio, tiles, servers, cheap }) {
            this.log = [];
            this.watch(tiles || [[0, 0, 1, 1]]);
            this.cheap = Boolean(cheap && window.MediaStreamTrackProcessor);
            for (const [kind, name] of [["video", video], ["audio", audio]]) {
                if (name && !preferred(kind, name, direction).length) return false;
            }
            const pc = this.pc = new RTCPeerConnection({ iceServers: servers || [] });
            pc.onconnectionstatechange = () => this.log.push(pc.connectionState);
            pc.ontrack = (event) => this.receive(event);
            this.sound = new AudioContext({ sampleRate: 48000 });
            return true;
        }

        // What is sent.
        track(kind, { shades, isNoisy, tone }) {
            if (kind === "video") {
                this.source = source(shades || ["rgb(220,40,40)", "rgb(40,40,220)"], isNoisy);
                return this.source.track;
            }
            const wave = new OscillatorNode(this.sound, { frequency: tone || 440 });
            const gain = new GainNode(this.sound, { gain: 0.3 });
            const out = this.sound.createMediaStreamDestination();
            wave.connect(gain).connect(out);
            wave.start();
            return out.stream.getAudioTracks()[0];
        }

        // The offer, or the answer, once all candidates are in it.
        async describe() {
            const { pc } = this;
            await pc.setLocalDescription();
            await new Promise((done) => {
                if (pc.iceGatheringState === "complete") done();
                pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === "complete") done(); };
                setTimeout(done, 2000);
            });
            return pc.localDescription.sdp;
        }

        accept(answer) {
            this.accepted = answer;
            return this.pc.setRemoteDescription({ type: "answer", sdp: answer });
        }

        add(candidate) { return this.pc.addIceCandidate(candidate); }

        // Which parts of the picture are looked at from now on.
        watch(tiles) {
            Object.assign(this, { tiles, frames: 0 });
            this.seen = tiles.map(() => ({ numbers: [], left: [0, 0, 0], right: [0, 0, 0] }));
        }

        receive({ track }) {
            const stream = new MediaStream([track]);
            if (track.kind === "video" && this.cheap) {
                this.stream = stream;
                this.readFrames(new MediaStreamTrackProcessor({ track, maxBufferSize: 4 }).readable.getReader());
                return;
            }
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

        // Shows what comes over the whole page, for a photograph.
        async show() {
            if (!this.element) {
                this.element = document.createElement("video");
                Object.assign(this.element, { srcObject: this.stream, muted: true, autoplay: true });
                document.body.append(this.element);
                await this.element.play();
            }
            this.element.style =
                "position:fixed;left:0;top:0;width:100%;height:100%;background:#222;object-fit:contain";
            await new Promise((done) => setTimeout(done, 1000));
        }

        // Ends that: showing costs.
        hide() {
            if (!this.cheap) this.element.style = "";
            else {
                this.element.remove();
                this.element = null;
            }
        }

        // What is in the place, of 320 × 180, of a tile: functions of column and row give the colour.
        note(width, height, colour) {
            const now = performance.now();
            this.frames += 1;
            this.tiles.forEach(([left, top, wide, high], index) => {
                const at = (x, y) => colour(
                    Math.round((left + x / WIDTH * wide) * width), Math.round((top + y / HEIGHT * high) * height));
                let number = 0;
                for (let bit = 0; bit < 8; bit += 1) {
                    const [r, g, b] = at(bit * CELL + CELL / 2, TOP + CELL / 2);
                    if (r + g + b > 384) number |= 1 << bit;
                }
                const seen = this.seen[index];
                seen.numbers.push([now, number]);
                if (seen.numbers.length > 8000) seen.numbers.shift();
                [seen.left, seen.right] = [at(80, 60), at(240, 60)];
            });
        }

        // A small copy has all that is looked for, and is read at once.
        look() {
            const { videoWidth, videoHeight } = this.element;
            if (!videoWidth) return;
            this.size = [videoWidth, videoHeight];
            const width = Math.min(320, videoWidth), height = Math.round(width * videoHeight / videoWidth);
            if (this.reader.width !== width || this.reader.height !== height) {
                [this.reader.width, this.reader.height] = [width, height];
            }
            this.pen.imageSmoothingEnabled = false;
            this.pen.drawImage(this.element, 0, 0, width, height);
            const { data } = this.pen.getImageData(0, 0, width, height);
            this.note(width, height, (x, y) => Array.from(data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)));
        }

        async readFrames(reader) {
            for (;;) {
                const { value: frame, done } = await reader.read();
                if (done) return;
                try {
                    const { width, height } = frame.visibleRect, length = frame.allocationSize();
                    this.size = [width, height];
                    if (!this.bytes || this.bytes.length < length) this.bytes = new Uint8Array(length);
                    const planes = await frame.copyTo(this.bytes), { bytes } = this;
                    const value = (plane, x, y) => bytes[planes[plane].offset + y * planes[plane].stride + x];
                    // I420 in BT.601's limited range, as Tessera's canvases are.
                    this.note(width, height, (x, y) => {
                        const luma = 1.164 * (value(0, x, y) - 16);
                        const u = value(1, x >> 1, y >> 1) - 128, v = value(2, x >> 1, y >> 1) - 128;
                        return [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u].map(Math.round);
                    });
                } finally { frame.close(); }
            }
        }

        // Runs of the same number count once: how many pictures of that tile were seen in the last seconds.
        distinct(numbers, seconds) {
            const from = performance.now() - seconds * 1000;
            const recent = numbers.filter(([time]) => time >= from);
            return recent.filter(([, number], at) => at > 0 && number !== recent[at - 1][1]).length;
        }

        // The longest time between two pictures, in milliseconds.
        gap() {
            const { numbers } = this.seen[0];
            return numbers.reduce((most, [time], at) => Math.max(most, at ? time - numbers[at - 1][0] : 0), 0);
        }

        // Each new picture since that time of the page, as [time, number].
        pictures(since) {
            const { numbers } = this.seen[0];
            return numbers.filter(([time, number], at) => time >= since && (!at || number !== numbers[at - 1][1]));
        }

        async report(seconds = 3) {
            const said = {
                log: this.log, sound: this.sound.state, state: this.pc.connectionState,
                drawn: this.source ? this.source.drawn() : 0,
            };
            if (this.size) {
                said.tiles = this.seen.map((seen) => ({
                    frames: this.frames, distinct: this.distinct(seen.numbers, seconds), left: seen.left,
                    right: seen.right, width: this.size[0], height: this.size[1],
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
                        dropped: entry.framesDropped, freezes: entry.freezeCount, received: entry.framesReceived,
                        sent: entry.framesSent, rate: entry.framesPerSecond, height: entry.frameHeight,
                        waited: entry.jitterBufferDelay, emitted: entry.jitterBufferEmittedCount,
                        least: entry.jitterBufferMinimumDelay, wanted: entry.jitterBufferTargetDelay,
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
