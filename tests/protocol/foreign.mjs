// A subscriber with Node's ws: says what it sees, a line of JSON for each thing. node foreign.mjs URL [TOKEN]
import { createRequire } from "node:module";

const { WebSocket } = createRequire(process.env.WS_FROM ?? import.meta.url)("ws");
const [url, token] = process.argv.slice(2);
const say = (...what) => console.log(JSON.stringify(what));
const socket = new WebSocket(url, { origin: process.env.WS_ORIGIN, perMessageDeflate: true });
let steps = 0;

socket.on("unexpected-response", (_, response) => {
  say("refused", response.statusCode);
  response.resume();
  socket.terminate();
});
socket.on("error", () => {});
socket.on("open", () => {
  say("open", socket.extensions);
  if (token) socket.send(JSON.stringify({ type: "auth", token }));
});
socket.on("ping", () => say("ping"));
socket.on("pong", (data) => {
  say("pong", data.toString());
  socket.send("x".repeat(5000));
});
socket.on("message", (data, binary) => {
  const message = JSON.parse(data);
  say("message", binary, message);
  if (message.type !== "label" && message.type !== "history" && message.type !== "error") return;
  steps += 1;
  if (steps === 1) {
    // A subscription in three parts.
    socket.send('{"type":"subscribe",', { fin: false });
    socket.send('"types":', { fin: false });
    socket.send('["change"]}', { fin: true });
  } else if (steps === 2) socket.send(JSON.stringify({ type: "history", seconds: 1e6 }));
  else if (steps === 3) socket.send(Buffer.from('{"type":"ping"}'));
  else socket.ping("are you there");
});
socket.on("close", (code, reason) => say("close", code, reason.toString()));
