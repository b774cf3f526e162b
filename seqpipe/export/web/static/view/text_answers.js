// Answers to texts, by the head that gives them: what `present` is given.

import { number, percent } from "./formats.js";
import { reachable } from "./words.js";

const SHOWN = 8; // bars; further classes stand in the table
const SAID = 10; // spans or words that are announced
const DOUBTFUL = 0.5;
const GOLDEN = 137.5; // degrees, so that hues of neighbours lie far apart

const table = (probabilities, title) => probabilities.length > SHOWN
  ? { title, columns: ["Class", "Probability"], rows: probabilities.map(({ label, probability }) => [label, percent(probability)]) }
  : undefined;

function ofClasses({ label, confidence, probabilities }) {
  return {
    heading: "Class",
    headline: label,
    shares: probabilities.slice(0, SHOWN).map((each, place) => ({ name: each.label, share: each.probability, chosen: !place })),
    table: table(probabilities, `All ${probabilities.length} classes`),
    said: `${label}, ${percent(confidence)}`,
    copy: label,
  };
}

function ofLabels({ labels, confidence, threshold, probabilities }) {
  const most = Math.max(SHOWN, labels.length);
  return {
    heading: "Labels",
    headline: labels.join(", ") || "(none)",
    shares: probabilities.slice(0, most).map((each) => ({ name: each.label, share: each.probability, chosen: each.probability >= threshold })),
    hint: `Labels from ${percent(threshold)} on are answered; these are all with a confidence of ${percent(confidence)}.`,
    table: table(probabilities, `All ${probabilities.length} labels`),
    said: labels.length ? `Labels: ${labels.join(", ")}` : "No label",
    copy: labels.join(", "),
  };
}

function ofNumbers({ values, deviations, tolerances, confidence }) {
  const told = values.map((value, place) => `${number(value)}\u00a0±\u00a0${number(deviations[place])}`);
  return {
    heading: values.length > 1 ? "Values" : "Value",
    headline: told.join("\n"),
    hint: `± is a standard deviation. Within ${tolerances.map(number).join(" and ")} of the truth with a confidence of ${percent(confidence)}.`,
    said: `Value: ${values.map(number).join(", ")}`,
    copy: values.map(number).join(" "),
  };
}

function ofTags({ words, spans, confidence }, text, { marks_spans: marksSpans, answers }) {
  const kinds = [...new Set(marksSpans ? answers.map((tag) => tag.split("-").slice(1).join("-")) : answers)];
  const marked = marksSpans ? spans.map((span) => ({ ...span, tag: span.type || "span" })) : words;
  const hue = (each) => kinds.indexOf(marksSpans ? each.type : each.tag) * GOLDEN % 360;
  const nodes = [];
  let end = 0;
  for (const each of marked) {
    nodes.push(text.slice(end, each.start), taggedElement(each, hue(each), marksSpans));
    end = each.end;
  }
  const all = `all tags are right with a confidence of ${percent(confidence)}.`;
  return {
    heading: marksSpans ? "Spans" : "Tags",
    words: { nodes: [...nodes, text.slice(end)], hint: marked.length ? "Point at one, or go through them with the arrow keys, for its confidence." : "" },
    shares: marksSpans ? spans.map((span) => ({ name: span.text, detail: span.type, share: span.confidence, chosen: span.confidence >= DOUBTFUL })) : [],
    hint: marksSpans
      ? `${spans.length ? "What is dotted is less than 50 % certain;" : "Nothing is marked in this text;"} ${all}`
      : `Tags that are dotted are less than 50 % certain; ${all}`,
    table: {
      title: "All words with their tags",
      columns: ["Word", "Tag", "Confidence"],
      rows: words.map((word) => [word.text, word.tag, percent(word.confidence)]),
    },
    said: listed(marked) || "Nothing is marked.",
    copy: words.map((word) => `${word.text}\t${word.tag}`).join("\n"),
  };
}

/** The first ones, for who hears them. */
function listed(marked) {
  const told = marked.slice(0, SAID).map(({ text, tag }) => `${text}: ${tag}`).join("; ");
  return marked.length > SAID ? `${told}; and ${marked.length - SAID} more` : told;
}

function taggedElement({ text, tag, confidence, ...rest }, hue, isSpan) {
  const element = document.createElement("span"), [word, label] = ["span", "span"].map((each) => document.createElement(each));
  element.classList.add("tagged", isSpan ? "span" : "stacked");
  element.classList.toggle("doubtful", confidence < DOUBTFUL);
  element.style.setProperty("--hue", hue.toFixed(0));
  [word.className, label.className] = ["tagged-text", "tag"];
  [word.textContent, label.textContent] = [text, tag];
  element.append(word, isSpan ? "\u00a0" : " ", label); // no line begins with the name of a span
  return reachable(element, `${text}: ${tag}, confidence ${percent(confidence)}`, { text, tag, confidence, ...rest });
}

function ofWritten({ text, confidence }) {
  return {
    heading: "Text",
    headline: text || "(nothing)",
    hint: `All of it is right with a confidence of ${percent(confidence)}.`,
    said: text || "Nothing was written.",
    copy: text,
  };
}

/** Functions of an answer, the text that was given, and what the head has learnt. */
export const PRESENTED = {
  AttentionHead: ofWritten, ClassifierHead: ofClasses, MultiLabelHead: ofLabels, RegressionHead: ofNumbers, TaggerHead: ofTags,
};
