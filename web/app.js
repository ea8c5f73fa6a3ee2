/** Wires the socket to the views. */

import { keepToken, socket, token } from "./address.js";
import { Chronicle } from "./chronicle.js";
import { Connection } from "./connection.js";
import { download } from "./download.js";
import { FullScreen } from "./fullscreen.js";
import { Histories } from "./histories.js";
import { Keys } from "./keys.js";
import { LineCheck } from "./line-check.js";
import { LineFeed } from "./line-feed.js";
import { introduce } from "./names.js";
import { Pause } from "./pause.js";
import { Peaks } from "./peaks.js";
import { Session } from "./session.js";
import { situation } from "./situation.js";
import { Lesson } from "./teaching.js";
import { Theme } from "./theme.js";
import { Announcer } from "./views/announcer.js";
import { Favicon } from "./views/favicon.js";
import { Health } from "./views/health.js";
import { Help } from "./views/help.js";
import { Instruments } from "./views/instruments.js";
import { Level } from "./views/level.js";
import { LineCheckView } from "./views/line-check.js";
import { LinesView } from "./views/lines.js";
import { Link } from "./views/link.js";
import { Now } from "./views/now.js";
import { SessionView } from "./views/session.js";
import { SettingsView } from "./views/settings.js";
import { Spectrogram } from "./views/spectrogram.js";
import { SummaryView } from "./views/summary.js";
import { Teach } from "./views/teach.js";
import { Timeline } from "./views/timeline.js";
import { TokenForm } from "./views/token.js";
import { Warning } from "./views/warning.js";

/** What is asked for in any case: level and spectrum come and go with whoever looks. */
const TYPES = ["label", "change", "segment", "guess", "mark", "outage", "status"];
/** How often the page looks at the clock, for what changes without a message. In milliseconds. */
const TICK = 250;
/** How often what was heard in the take is kept. In milliseconds. */
const KEEP = 60_000;
/** How much the page asks the server for that it may have missed. In seconds. */
const PAST = 7200;
/** How long ago the moment of a mark may be, for the server. In seconds. */
const LONGEST_AGO = 600;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const link = new Link(element("link"));
const warning = new Warning(element("warning"));
const tokenForm = new TokenForm(element("token"), {
  onToken(text) {
    keepToken(text);
    connection.authenticate(text);
  },
});
const now = new Now(element("now"));
const instruments = new Instruments(element("instruments"));
const linesView = new LinesView(element("lines"), { onOpen: openLine });
const lineCheck = new LineCheck();
const lineCheckView = new LineCheckView(element("check"), element("check-open"), {
  onStart() {
    lineCheck.ask();
    connection.send({ type: "check-lines" });
    onChange();
  },
  onStop: () => connection.send({ type: "stop-checking" }),
  onTurn() {
    subscribe();
    onChange();
  },
});
const level = new Level(element("input"), { onReset: () => peaks.reset() });
const health = new Health(element("health"));
const timeline = new Timeline(element("timeline"));
const spectrogram = new Spectrogram(element("spectrogram"), { onWanted: subscribe });
const summary = new SummaryView(element("summary"));
const favicon = new Favicon(element("icon"));
const announcer = new Announcer(element("announcer"));

new Theme(element("theme"));
const pause = new Pause(element("paused"), element("pause"));
const fullScreen = new FullScreen(element("full-screen"), element("leave"));
const session = new Session();
const sessionView = new SessionView(element("session"), {
  start() {
    session.start(moment());
    onChange();
  },
  stop() {
    session.stop(moment());
    onChange();
  },
  resume() {
    session.resume();
    onChange();
  },
  mark: (text, ago) => connection.send({ type: "mark", text, ago: Math.min(ago, LONGEST_AGO) }),
  download: (format) =>
    download(format, session.heard(chronicle, moment()), {
      source: connection.hello?.source ?? null,
      model: connection.hello?.model ?? null,
      run: connection.hello?.run ?? null,
      line: opened,
      now: moment(),
    }),
});
const keys = new Keys({
  " ": togglePause,
  f: () => fullScreen.toggle(),
  m: () => sessionView.note(),
  "?": () => help.open(),
  Escape: () => (fullScreen.active ? fullScreen.leave() : openLine(null)),
});
const help = new Help(element("help"), element("help-button"), keys);
const settings = new SettingsView(element("settings"), element("settings-button"), {
  send: (request) => connection.send(request),
  onOpen: subscribe,
});
const lesson = new Lesson((request) => connection.send(request));
const teach = new Teach(element("teach"), element("teach-button"), lesson, { onChange });

/** Of the line in front, or of the only one. */
const ofFront = new Chronicle();
/** Of what the page shows. */
let chronicle = ofFront;
let peaks = new Peaks();
/** The name of the line that is shown instead of the one in front. @type {string | null} */
let opened = null;
const connection = new Connection(socket(), { token: token(), onMessage, onChange });
const histories = new Histories((request) => connection.send(request));
const feed = new LineFeed({ onChange: () => (linesFrame ||= requestAnimationFrame(drawLines)) });
let [frame, levelFrame, linesFrame] = [0, 0, 0];

/** @param {import("./messages.js").Message} message */
function onMessage(message) {
  lesson.hear(message);
  const { hello } = connection;
  if (hello !== null && ["hello", "teaching"].includes(message.type)) introduce(hello, lesson.coming);
  chronicle.hear(message);
  lineCheck.hear(message);
  // What is told of all lines is of the one in front, too.
  if (chronicle !== ofFront && ["hello", "mark", "outage", "status"].includes(message.type)) ofFront.hear(message);
  switch (message.type) {
    case "hello":
      subscribe(); // what there is to ask for, it says
      if (opened !== null && !message.lines?.some(({ name }) => name === opened)) openLine(null);
      else askHistory();
      break;
    case "mark":
      sessionView.marked({ time: (connection.hello?.utc ?? 0) + message.time, text: message.text });
      break;
    case "level":
      peaks.hear(message, performance.now());
      levelFrame ||= requestAnimationFrame(drawLevel);
      break;
    case "spectrum":
      spectrogram.hear(message);
      break;
    case "settings":
      settings.hear(message);
      break;
    case "error":
      settings.fail(message);
      break;
    default:
      break;
  }
}

/** Show a line instead of the one in front. @param {string | null} name null for the one in front. */
function openLine(name) {
  if (name === opened) return;
  if (pause.active) togglePause();
  opened = name;
  chronicle = name === null ? ofFront : new Chronicle(name);
  if (connection.hello !== null) chronicle.hear(connection.hello);
  peaks = new Peaks();
  spectrogram.clear();
  subscribe();
  askHistory();
  onChange();
}

function askHistory() {
  histories.ask({ seconds: PAST, ...only() });
}

/** @returns {{lines?: string[]}} Of whom one asks. */
function only() {
  return opened === null ? {} : { lines: [opened] };
}

function onChange() {
  feed.follow(connection);
  if (connection.phase !== "live") {
    peaks.clear();
    lesson.lose();
  }
  // These two matter most when the page is hidden and no frame is drawn.
  const current = situation(connection, performance.now());
  const shown = [current.name, ...(current.line ? [current.line] : []), "Soloist"].join(" · ");
  if (document.title !== shown) document.title = shown;
  favicon.show(current);
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
  const lineup = feed.lines.get(opened ?? "")?.lineup ?? hello?.lineup ?? hello?.labels ?? [];
  link.show(connection, label !== null);
  warning.show(status);
  tokenForm.show(connection);
  help.show(hello?.labels ?? []);
  lineCheckView.show({
    check: lineCheck,
    lines: hello?.lines ?? [],
    live: connection.phase === "live",
    allowed: hello?.control === true,
  });
  showSettings();
  teach.show({
    lesson,
    hello,
    live: connection.phase === "live",
    line: opened ?? connection.label?.line ?? null,
    opened,
    now: time,
  });
  sessionView.show({ span: session.span, now: moment(), live: connection.phase === "live" });
  health.show({ hello: connection.phase === "live" ? hello : null, status, outages: chronicle.outages, now: moment() });
  timeline.show({
    chronicle,
    labels: hello?.labels ?? [],
    lineup,
    live: connection.phase === "live",
    heard: label !== null,
    paused: pause.active,
  });
  spectrogram.show({ hello, live: label !== null && current.kind !== "warming", name: current.name });
  const until = pause.since ?? moment();
  summary.show({
    heard: () => session.heard(chronicle, until, pause.since ?? Infinity),
    labels: hello?.labels ?? [],
    phase: session.phase,
    now: until,
    line: opened,
  });
  if (pause.active) return;
  now.show(current);
  instruments.show({ labels: hello?.labels ?? [], lineup, label });
  drawLines();
  level.show(peaks.at(time));
}

function showSettings() {
  settings.show({
    control: connection.phase === "live" && connection.hello?.control === true,
    name: situation(connection, performance.now()).name,
    level: peaks.at(performance.now())?.rms ?? null,
    lines: feed.lines,
  });
}

function drawLines() {
  linesFrame = 0;
  element("front").hidden = opened === null;
  if (!pause.active) linesView.show({ lines: feed.lines, opened, live: connection.phase === "live" });
}

/** It alone moves more often than labels come. */
function drawLevel() {
  levelFrame = 0;
  if (settings.isOpen) showSettings();
  if (!pause.active) level.show(peaks.at(performance.now()));
}

/** Unix time, by the server's clock where it is known: that of a phone may be minutes off. */
function moment() {
  return chronicle.present() ?? Date.now() / 1000;
}

function keep() {
  session.keep(ofFront, moment());
}

function togglePause() {
  pause.toggle(moment());
  spectrogram.pause(pause.active);
  subscribe();
  onChange();
}

/** Ask for what is looked at, and no more. */
function subscribe() {
  const looked = {
    level: !document.hidden && (!pause.active || settings.isOpen),
    spectrum: spectrogram.wanted,
    settings: settings.isOpen,
    check: lineCheckView.wanted,
    teaching: connection.hello?.control === true, // a server of before knows of no such thing
  };
  connection.subscribe([...TYPES, ...Object.entries(looked).flatMap(([type, isSeen]) => (isSeen ? [type] : []))], only());
}

setInterval(onChange, TICK);
setInterval(keep, KEEP);
for (const id of ["pause", "go-on"]) element(id).addEventListener("click", togglePause);
element("front").addEventListener("click", () => {
  const strip = linesView.strip(opened ?? "");
  openLine(null);
  strip?.focus(); // it goes away with what it leads back from
});
addEventListener("pagehide", keep);
document.addEventListener("visibilitychange", keep); // phones end a page without more ado
document.addEventListener("visibilitychange", subscribe);
addEventListener("hashchange", () => connection.authenticate(token()));
addEventListener("online", () => connection.open());
subscribe();
connection.open();
