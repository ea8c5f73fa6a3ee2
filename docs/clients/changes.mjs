// Prints every change of what is heard, in a page or in Node.js 22: node changes.mjs [URL]
const url = globalThis.process?.argv[2] ?? "ws://127.0.0.1:8765/ws";

function connect() {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", types: ["change"] }));
  socket.onclose = () => setTimeout(connect, 1000);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "change") console.log(message.time.toFixed(2), "s ", message.label ?? message.state);
  };
}

connect();
