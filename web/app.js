/** Wires the socket to the views. */

import { Connection } from "./connection.js";
import { Peaks } from "./peaks.js";
import { situation } from "./situation.js";
import { Announcer } from "./views/announcer.js";
import { Health } from "./views/health.js";
import { Instruments } from "./views/instruments.js";
import { Level } from "./views/level.js";
import { Link } from "./views/link.js";
import { Now } from "./views/now.js";
import { Warning } from "./views/warning.js";

/** How often the page looks at the clock, for what changes without a message. In milliseconds. */
const TICK = 250;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const link = new Link(element("link"));
const warning = new Warning(element("warning"));
const now = new Now(element("now"));
const instruments = new Instruments(element("instruments"));
const level = new Level(element("input"));
const health = new Health(element("health"));
const announcer = new Announcer(element("announcer"));

const peaks = new Peaks();
const connection = new Connection(address(), { token: token(), onMessage, onChange });
let frame = 0;

/** @param {import("./messages.js").Message} message */
function onMessage(message) {
  switch (message.type) {
    case "level":
      peaks.hear(message, performance.now());
      break;
    default:
      break;
  }
}

function onChange() {
  if (connection.phase !== "live") peaks.clear();
  // These two matter most when the page is hidden and no frame is drawn.
  const current = situation(connection, performance.now());
  const shown = `${current.name} · Soloist`;
  if (document.title !== shown) document.title = shown;
  announcer.show(current);
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  const time = performance.now();
  const current = situation(connection, time);
  const { hello, status } = connection;
  // Whatever is not current is not shown, wherever it stands.
  const label = ["warming", "silence", "unknown", "instrument"].includes(current.kind) ? connection.label : null;
  link.show(connection);
  warning.show(status?.message ?? null);
  now.show(current);
  instruments.show({ labels: hello?.labels ?? [], lineup: hello?.lineup ?? hello?.labels ?? [], label });
  level.show(peaks.at(time));
  health.show({ hello: connection.phase === "live" ? hello : null, status });
}

/** The socket of the server that this page came from. */
function address() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
}

/** The token in the page's address, where neither the server's log nor a referrer shows it. */
function token() {
  return new URLSearchParams(location.hash.slice(1)).get("token");
}

setInterval(onChange, TICK);
addEventListener("hashchange", () => connection.authenticate(token()));
addEventListener("online", () => connection.open());
connection.subscribe(["label", "change", "segment", "guess", "mark", "outage", "status", "level"]);
connection.open();
