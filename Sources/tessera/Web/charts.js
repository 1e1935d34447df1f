// Small charts: the last minute of one figure, one point a second.

const POINTS = 60;

export class Chart {
  /// `kind`: receive, send or line, for its colour. `floor`: the scale's top is at least this.
  constructor(parent, title, unit, kind, floor, digits = 0) {
    this.unit = unit;
    this.floor = floor;
    this.digits = digits;
    this.values = [];
    this.box = document.createElement("div");
    this.box.className = `figure ${kind}`;
    const heading = document.createElement("h2");
    heading.textContent = title;
    this.output = document.createElement("output");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${title}, the last minute`);
    this.box.append(heading, this.output, this.canvas);
    parent.append(this.box);
    this.clear();
  }

  clear() {
    this.values = [];
    this.show(null);
    this.draw();
  }

  /// null: nothing is known at present.
  add(value) {
    this.values.push(value);
    if (this.values.length > POINTS) this.values.shift();
    this.show(value);
    this.draw();
  }

  show(value) {
    this.output.textContent = value === null ? "–" : value.toFixed(this.digits);
    if (value === null) return;
    const unit = document.createElement("small");
    unit.textContent = this.unit;
    this.output.append(unit);
  }

  draw() {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width) return;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const pen = this.canvas.getContext("2d");
    const colour = getComputedStyle(this.canvas).color;
    pen.scale(scale, scale);
    const known = this.values.filter((value) => value !== null);
    const top = Math.max(this.floor, ...known) * 1.1;
    const x = (index) => width - 2 - ((this.values.length - 1 - index) * (width - 4)) / (POINTS - 1);
    const y = (value) => height - 2 - (value / top) * (height - 5);

    pen.strokeStyle = colour;
    pen.globalAlpha = 0.18;
    pen.beginPath();
    pen.moveTo(0, height - 1.5);
    pen.lineTo(width, height - 1.5);
    pen.stroke();
    if (known.length < 2) return;

    let run = [];
    const finish = () => {
      if (run.length > 1) {
        const line = new Path2D();
        run.forEach(([px, py], index) => (index ? line.lineTo(px, py) : line.moveTo(px, py)));
        const area = new Path2D(line);
        area.lineTo(run[run.length - 1][0], height - 1);
        area.lineTo(run[0][0], height - 1);
        pen.fillStyle = colour;
        pen.globalAlpha = 0.16;
        pen.fill(area);
        pen.globalAlpha = 1;
        pen.lineWidth = 1.6;
        pen.lineJoin = "round";
        pen.stroke(line);
      }
      run = [];
    };
    this.values.forEach((value, index) => (value === null ? finish() : run.push([x(index), y(value)])));
    finish();
  }
}
