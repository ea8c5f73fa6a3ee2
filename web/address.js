/** What the page's own address says: where the socket is, and the token. */

/** The socket of the server that this page came from. */
export function socket() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
}

/** The token in the page's address, where neither the server's log nor a referrer shows it. */
export function token() {
  return new URLSearchParams(location.hash.slice(1)).get("token");
}
