// A picture, small, as a button that opens it.
import { net, reachable, urls } from "./api.js";
import { html, useEffect, useRef, useState } from "./dom.js";
import { useStore } from "./store.js";

/** `label`: what it is called. `onLost`: it did not load. The rest goes to the button. */
export function Thumb({ id, label, onLost, ...rest }) {
  const near = useStore(net, reachable);
  const missed = useRef(false);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (!near || !missed.current) return;
    missed.current = false;
    setAttempt((count) => count + 1); // the server is back: ask once more
  }, [near]);
  return html`
    <button class="open" aria-label=${label} ...${rest}>
      <img
        key=${attempt}
        src=${urls.thumbnail(id)}
        alt=""
        loading="lazy"
        decoding="async"
        onError=${() => {
          missed.current = true;
          onLost?.();
        }}
      />
    </button>
  `;
}
