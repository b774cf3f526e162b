// A place to write in, with a pen, a finger or a mouse.

const WIDTH = 2.5; // of the line, in CSS pixels

export class Pad {
  #canvas; #context; #current = null; #marked = null;
  strokes = []; // lists of [x, y], y down, in CSS pixels

  /** `onChange` is called behind each stroke. */
  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    const end = () => {
      if (!this.#current) return;
      this.#current = null;
      onChange();
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.#current) return;
      canvas.setPointerCapture(event.pointerId);
      this.#marked = null;
      this.strokes.push(this.#current = [this.#place(event)]);
      this.draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.#current) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.#current.push(...(events.length ? events : [event]).map((each) => this.#place(each)));
      this.draw();
    });
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get isWriting() { return this.#current !== null; }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Points from one number to another in another colour, through all strokes; null for none. */
  mark(range) {
    this.#marked = range;
    this.draw();
  }

  draw() {
    const canvas = this.#canvas, context = this.#context, ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio];
    context.scale(ratio, ratio);
    Object.assign(context, { lineWidth: WIDTH, lineCap: "round", lineJoin: "round" });
    const style = getComputedStyle(canvas), [plain, marked] = [style.color, style.getPropertyValue("--accent")];
    let number = 0;
    for (const stroke of this.strokes) {
      stroke.forEach((point, place) => {
        const isMarked = this.#marked && number >= this.#marked[0] && number <= this.#marked[1];
        context.strokeStyle = isMarked ? marked : plain;
        context.beginPath();
        context.moveTo(...(stroke[place - 1] ?? point));
        context.lineTo(...point);
        context.stroke();
        number++;
      });
    }
  }

  /** Strokes from elsewhere, as large as there is room for. */
  show(strokes, downward) {
    const points = strokes.flat(), xs = points.map(([x]) => x), ys = points.map(([, y]) => (downward ? y : -y));
    const least = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);
    const most = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);
    const [left, top] = [least(xs), least(ys)], { clientWidth, clientHeight } = this.#canvas;
    const scale = 0.85 * Math.min(clientWidth / (most(xs) - left || 1), clientHeight / (most(ys) - top || 1));
    const [moveX, moveY] = [(clientWidth - scale * (most(xs) - left)) / 2, (clientHeight - scale * (most(ys) - top)) / 2];
    this.strokes = strokes.map((stroke) => stroke.map(([x, y]) =>
      [moveX + scale * (x - left), moveY + scale * ((downward ? y : -y) - top)]));
    this.mark(null);
  }
}
