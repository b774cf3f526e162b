// Answers while a person goes on speaking: to all that there is, again and again.

const EVERY = 1000; // ms at least from one to the next
const REST = 2; // times what the last one took, so that a slow device has time for its other work

export class Live {
  #timer; #ended = false; #microphone; #model; #onAnswer; #answered = 0;

  constructor(microphone, model, onAnswer) {
    this.#microphone = microphone;
    this.#model = model;
    this.#onAnswer = onAnswer;
    this.#plan(EVERY);
  }

  #plan(wait) {
    this.#timer = setTimeout(() => this.#answer(), wait);
  }

  async #answer() {
    let took = 0;
    if (this.#microphone.length > this.#answered) {
      this.#answered = this.#microphone.length;
      try {
        const answer = await this.#model.answer({ channels: [this.#microphone.samples()], rate: this.#microphone.rate });
        if (this.#ended) return;
        took = answer.took;
        this.#onAnswer(answer);
      } catch { // the answer to the whole will say what is wrong
      }
    }
    if (!this.#ended) this.#plan(Math.max(EVERY, REST * 1000 * took));
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}
