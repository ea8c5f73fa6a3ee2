/** What the page's own address says: where the socket is, and the token. */

/** The socket of the server that this page came from, beside this page: a proxy may have put both below a path. */
export function socket() {
  const { protocol, href } = new URL("ws", location.href);
  return href.replace(protocol, protocol === "https:" ? "wss:" : "ws:");
}

/** The token in the page's address, where neither the server's log nor a referrer shows it. */
export function token() {
  // Not what a form writes, where a plus is a space: tokens of base64 have one.
  return new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B")).get("token");
}

/** Put a token there, for when the page is loaded again or kept as a bookmark. @param {string} text */
export function keepToken(text) {
  history.replaceState(null, "", `#token=${encodeURIComponent(text)}`);
}
