// One line about what goes on, and one about what went wrong.

const [status, problem, progress] = ["status", "problem", "progress"].map((name) => document.getElementById(name));

export function say(text) {
  status.textContent = text;
}

/** null takes it away. */
export function complain(text) {
  if ((text ?? "") === problem.textContent) return; // it would be read aloud again
  problem.hidden = !text;
  problem.textContent = text ?? "";
}

/** 0 to 1; null takes the bar away. */
export function showProgress(share) {
  progress.hidden = share === null;
  if (share !== null) progress.value = share;
}
