/**
 * Live changes over server-sent events, reconnecting by itself.
 *
 * `onChange(entities)` gets entities as they are now; `onState` gets "live", "reconnecting" or "offline" (no
 * connection for 15 s; it goes on trying); `onReturn` is called after a gap, when changes may have been missed.
 */
const OFFLINE_AFTER_MS = 15_000;
const RETRY_MS = 2_000;

export class Changes {
  #source = null;
  #offlineTimer = null;
  #wasLive = false;

  constructor({ types = [], attrs = null, onChange, onState, onReturn = () => {} }) {
    const query = new URLSearchParams({ options: "concise", ...(types.length && { type: types.join(",") }), ...(attrs && { attrs }) });
    this.url = `/machinami/v1/changes?${query}`;
    Object.assign(this, { onChange, onState, onReturn });
  }

  open() {
    this.#source = new EventSource(this.url);
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("change", (event) => this.onChange(JSON.parse(event.data)));
    this.#source.addEventListener("error", () => this.#failed());
    return this;
  }

  close() {
    clearTimeout(this.#offlineTimer);
    this.#source?.close();
  }

  #opened() {
    clearTimeout(this.#offlineTimer);
    this.#offlineTimer = null;
    this.onState("live");
    if (this.#wasLive) this.onReturn();
    this.#wasLive = true;
  }

  #failed() {
    if (this.#offlineTimer === null) {
      this.onState("reconnecting");
      this.#offlineTimer = setTimeout(() => this.onState("offline"), OFFLINE_AFTER_MS);
    }
    // The browser gives up for good on an HTTP error, such as a proxy's 502; we do not.
    if (this.#source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), RETRY_MS);
  }
}
