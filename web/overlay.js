/** The instrument alone, for OBS: wires the socket to the card. */

import { socket, token } from "./address.js";
import { Connection } from "./connection.js";
import { introduce } from "./names.js";
import { PARAMETERS, folded, hasName, read } from "./overlay-options.js";
import { situation } from "./situation.js";
import { Card } from "./views/card.js";

/** @typedef {import("./situation.js").Situation} Situation */

/** How often the page looks at the clock, for what ends without a message. In milliseconds. */
const TICK = 250;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const { options, faults } = read(location.search);
const card = new Card(element("overlay"), options);
const connection = new Connection(socket(), { token: token(), onMessage, onChange });

/** The last that was in front. @type {Situation | null} */
let last = null;
let lastAt = 0;

/** @param {import("./messages.js").Message} message */
function onMessage(message) {
  if (message.type !== "hello") return;
  introduce(message);
  const { instruments, line } = options;
  if (line !== "") {
    const name = message.lines?.map((it) => it.name).find((it) => folded(it) === line);
    if (name === undefined) console.info(`overlay: this service has no line ${line}`);
    subscribe(name ?? line);
  }
  const known = message.labels.filter((label) => hasName(instruments, label));
  const found = known.flatMap((label) => [label, ...label.split(",")].map(folded));
  const strangers = instruments.filter((name) => !found.includes(name));
  if (strangers.length > 0) console.info(`overlay: this model does not know ${strangers.join(", ")}`);
}

/** Why the server let nobody in, as it was told on the console last. */
let refusal = "";

function onChange() {
  if (connection.refusal !== refusal) {
    refusal = connection.refusal;
    if (refusal) console.info(`overlay: the service refuses it: ${refusal}; its address ends in #token=TOKEN`);
  }
  card.show(choose(performance.now()));
}

/**
 * What is to be seen; null for nothing.
 *
 * @param {number} now performance.now()
 */
function choose(now) {
  const current = situation(connection, now);
  const { kind, instrument, gauge } = current;
  if (!["instrument", "silence", "unknown", "warming"].includes(kind)) last = null; // what was heard is no longer so
  const { instruments, min, hold, states } = options;
  const wanted = instrument !== null && (instruments.length === 0 || hasName(instruments, instrument));
  if (wanted && (gauge ?? 0) >= min) {
    [last, lastAt] = [current, now];
    return current;
  }
  if (last !== null && now - lastAt < 1000 * hold) return last;
  last = null;
  return states && (kind === "silence" || kind === "unknown") ? current : null;
}

/** @param {string} line Empty for the one in front. What a service does not know is never told. */
function subscribe(line) {
  connection.subscribe(["label", "status"], line === "" ? {} : { lines: [line] });
}

function explain() {
  const rows = Object.entries(PARAMETERS).map(([name, { takes, otherwise, without, does }]) => {
    const row = document.createElement("tr");
    for (const text of [name, takes, without ?? otherwise, does]) row.insertCell().textContent = text;
    return row;
  });
  element("parameters").append(...rows);
  element("help").hidden = false;
}

if (faults.length > 0) console.info(`overlay: ${faults.join("; ")}; ?help=1 shows what there is`);
if (options.help) explain();
setInterval(onChange, TICK);
addEventListener("hashchange", () => connection.authenticate(token()));
addEventListener("online", () => connection.open());
subscribe(options.line);
connection.open();
